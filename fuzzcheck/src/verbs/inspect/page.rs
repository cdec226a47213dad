//! `fuzzcheck inspect db FILE --page N`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;
use tandem::dbfile::Geometry;
use tandem::dbfile::describe::hex;
use tandem::dbfile::inspect::{self, CellDump, Inspection, PageDump, PageReport, Problem};

use super::db::{page_line, problem_line};
use super::input::Database;
use super::{exit_code, json, put};
use crate::ui;

/// Bytes in a line.
const LINE_BYTES: usize = 16;

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    used_as: &'a PageReport,
    problems: &'a [&'a Problem],
    #[serde(flatten)]
    dump: &'a PageDump,
    hex: String,
}

pub(super) fn run(
    database: &Database,
    inspection: &Inspection,
    number: u32,
    as_json: bool,
) -> Result<ExitCode> {
    let name = &database.name;
    let no_page = || format!("{name}: no page {number}: the file has {}", inspection.pages.len());
    let dump = inspect::dump(&database.image, inspection, number).with_context(no_page)?;
    let report = inspection.pages.get(number as usize - 1).with_context(no_page)?;
    let problems: Vec<&Problem> =
        inspection.problems.iter().filter(|problem| problem.page == number).collect();
    let bytes = Geometry::of(&database.image).page(&database.image, number);
    ui::print(|out| {
        if as_json {
            return json(
                out,
                &Document { name, used_as: report, problems: &problems, dump: &dump, hex: hex(bytes) },
            );
        }
        put(out, format_args!("{name}: page, at byte {:#x} of the file", dump.offset))?;
        put(out, format_args!("{}", page_line(inspection, report)))?;
        cells(&dump, out)?;
        put(out, format_args!("bytes"))?;
        for span in &dump.spans {
            lines(&bytes[span.at..span.at + span.length], span.at, &span.label, out)?;
        }
        for problem in &problems {
            put(out, format_args!("{}", problem_line(problem)))?;
        }
        let damage = problems.iter().filter(|problem| !problem.is_odd).count();
        put(out, format_args!("fuzzcheck: {damage} problems"))
    })?;
    Ok(exit_code(problems.iter().any(|problem| !problem.is_odd), database.code))
}

fn cells(dump: &PageDump, out: &mut dyn Write) -> Result<()> {
    for cell in &dump.cells {
        let CellDump { index, pointer_at, at, length, .. } = cell;
        let mut text = format!("cell {index} at {at} (pointer at {pointer_at}), {length} bytes:");
        let mut add = |part: Option<String>| part.iter().for_each(|part| text.push_str(part));
        add(cell.left_child.map(|child| format!(" child {child}")));
        add(cell.rowid.map(|rowid| format!(" rowid {rowid}")));
        add(cell.payload_bytes.map(|bytes| format!(" payload {bytes} bytes")));
        add(cell.overflow.map(|page| format!(", overflow from page {page}")));
        add((!cell.values.is_empty()).then(|| format!(": {}", cell.values.join(", "))));
        put(out, format_args!("{text}"))?;
    }
    if dump.cells_left_out > 0 {
        put(out, format_args!("and {} cells more", dump.cells_left_out))?;
    }
    Ok(())
}

/// Bytes with their offset and, on the first line, what they are. Long runs of zeros are one line.
fn lines(bytes: &[u8], at: usize, label: &str, out: &mut dyn Write) -> Result<()> {
    if bytes.len() > LINE_BYTES && bytes.iter().all(|&byte| byte == 0) {
        let zeros = format!("00 … {} zeros", bytes.len());
        return put(out, format_args!("  {at:>5}  {zeros:<47}  {label}"));
    }
    for (i, line) in bytes.chunks(LINE_BYTES).enumerate() {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let label = if i == 0 { label } else { "" };
        let text = format!("  {:>5}  {:<47}  {label}", at + i * LINE_BYTES, digits.join(" "));
        put(out, format_args!("{}", text.trim_end()))?;
    }
    Ok(())
}
