//! A case as a script for the `sqlite3` shell (<https://sqlite.org/cli.html>): settings as dot-commands,
//! the database inline, then the SQL.

use std::fmt::Write as _;

use tandem::TestCase;
use tandem::dbfile::Geometry;
use tandem::testcase::{FileName, OpenConfig, Setting, TOGGLE_NAMES};

/// Names of `.dbconfig` for the toggles, with their value in the shell and in a case without the toggle.
const DB_CONFIG: [Option<(&str, bool)>; 14] = [
    Some(("enable_fkey", false)),
    Some(("enable_trigger", true)),
    Some(("enable_view", true)),
    Some(("enable_qpsg", false)),
    Some(("trigger_eqp", false)),
    Some(("defensive", false)),
    Some(("writable_schema", false)),
    Some(("legacy_alter_table", false)),
    Some(("stmt_scanstatus", false)),
    Some(("reverse_scanorder", false)),
    None,
    Some(("dqs_dml", true)),
    Some(("dqs_ddl", true)),
    Some(("trusted_schema", true)),
];

/// Writes the script; the second part is what it cannot carry.
pub(super) fn write(case: &TestCase) -> (Vec<u8>, Vec<String>) {
    let mut losses = Vec::new();
    let mut text = format!("-- case {}; run: sqlite3 -batch < this file\n", case.id());
    if let Some(image) = case.files.main() {
        hexdb(image, &mut text);
    }
    let others = case.files.iter().filter(|(name, _)| **name != FileName::main());
    losses.extend(others.map(|(name, _)| format!("the file {name} is left out: a script has one database")));
    if !case.faults.is_empty() {
        losses.push("the fault plan is left out".to_owned());
    }
    settings(&case.config, &mut text, &mut losses);
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(case.sql.as_bytes());
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    (bytes, losses)
}

/// `.open --hexdb`: sixteen bytes a line, lines of zeros left out.
fn hexdb(image: &[u8], text: &mut String) {
    let page_bytes = Geometry::of(image).page_bytes;
    let put = |text: &mut String, line: std::fmt::Arguments<'_>| {
        text.write_fmt(line).expect("writing to a String does not fail");
    };
    put(text, format_args!(".open --hexdb\n| size {} pagesize {page_bytes} filename main.db\n", image.len()));
    for (index, page) in image.chunks(page_bytes).enumerate() {
        put(text, format_args!("| page {} offset {}\n", index + 1, index * page_bytes));
        for (row, bytes) in page.chunks(16).enumerate() {
            if bytes.iter().all(|&byte| byte == 0) {
                continue;
            }
            put(text, format_args!("| {:6}:", row * 16));
            bytes.iter().for_each(|byte| put(text, format_args!(" {byte:02x}")));
            text.push('\n');
        }
    }
    text.push_str("| end main.db\n");
}

fn settings(config: &OpenConfig, text: &mut String, losses: &mut Vec<String>) {
    for (spec, value) in config.changed() {
        let line = match spec.setting {
            Setting::Toggles => {
                let inverted = (0..TOGGLE_NAMES.len()).filter(|bit| value >> bit & 1 == 1);
                let known = inverted.filter_map(|bit| DB_CONFIG[bit]);
                known
                    .map(|(name, default)| {
                        format!(".dbconfig {name} {}\n", if default { "off" } else { "on" })
                    })
                    .collect()
            }
            Setting::OptimizationsOff => format!(".testctrl optimizations {value:#x}\n"),
            Setting::CachePages => format!("PRAGMA cache_size={value};\n"),
            Setting::CacheSpill => format!("PRAGMA cache_spill={value};\n"),
            Setting::CellSizeCheck => format!("PRAGMA cell_size_check={value};\n"),
            Setting::ExclusiveLocking => "PRAGMA locking_mode=EXCLUSIVE;\n".to_owned(),
            Setting::TempStore => format!("PRAGMA temp_store={value};\n"),
            Setting::RandomSeed => format!(".testctrl prng_seed {value}\n"),
            Setting::RichSchema => format!("{}\n", tandem::generators::RICH_SCHEMA),
            _ => match spec.name.strip_prefix("limit_") {
                Some(limit) => format!(".limit {limit} {value}\n"),
                None => {
                    losses.push(format!("the setting {} = {value} is left out", spec.name));
                    continue;
                }
            },
        };
        text.push_str(&line);
    }
}
