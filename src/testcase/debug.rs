//! The human-readable form of a case.

use std::fmt::{self, Write as _};

use super::config::TOGGLE_NAMES;
use super::{OpenConfig, Setting, TestCase};
use crate::{dbfile, sql};

/// Prints a case as an SQL script whose comments describe settings, faults and files: what
/// `cargo fuzz fmt`, libFuzzer's crash output and `fuzzcheck show` print.
pub struct Readable<'a>(pub &'a TestCase);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = self.0;
        writeln!(f, "-- case {}", case.id())?;
        write_settings(&case.config, f)?;
        for fault in case.faults.faults() {
            writeln!(f, "-- fault: {fault}")?;
        }
        if !case.schedule.is_empty() {
            writeln!(f, "-- schedule: {}", case.schedule)?;
        }
        for (name, content) in case.files.iter() {
            writeln!(f, "-- file {name}: {} bytes", content.len())?;
            for line in dbfile::describe::summary(name.as_str(), content).lines() {
                writeln!(f, "--   {line}")?;
            }
        }
        if case.operations.is_empty() {
            return write_sql(case.sql.as_bytes(), f);
        }
        write_operations(case, f)
    }
}

/// The operations in order, each with the statement it takes.
fn write_operations(case: &TestCase, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = case.sql.as_bytes();
    let mut statements = sql::statements(text);
    for (number, operation) in case.operations.list().iter().enumerate() {
        writeln!(f, "-- operation {}: {operation}", number + 1)?;
        if operation.takes_statement() {
            let statement = statements.next().map_or(&b"-- (no statement is left)"[..], |range| &text[range]);
            write_sql(statement.trim_ascii(), f)?;
        }
    }
    if let Some(rest) = statements.next() {
        writeln!(f, "-- the rest: connection 0")?;
        write_sql(text[rest.start..].trim_ascii(), f)?;
    }
    Ok(())
}

fn write_sql(text: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = escape(text);
    f.write_str(&text)?;
    if !text.is_empty() && !text.ends_with('\n') {
        f.write_char('\n')?;
    }
    Ok(())
}

fn write_settings(config: &OpenConfig, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (spec, value) in config.changed() {
        match spec.setting {
            Setting::Toggles => {
                let inverted: Vec<&str> = (0..TOGGLE_NAMES.len())
                    .filter(|bit| value >> bit & 1 == 1)
                    .map(|bit| TOGGLE_NAMES[bit])
                    .collect();
                writeln!(f, "-- setting {}: inverted {}", spec.name, inverted.join(" "))?;
            }
            Setting::OptimizationsOff | Setting::DeviceCharacteristics => {
                writeln!(f, "-- setting {}: {value:#x}", spec.name)?;
            }
            _ => writeln!(f, "-- setting {}: {value}", spec.name)?,
        }
    }
    Ok(())
}

/// Text in which everything but printable UTF-8, line ends and tabs is written as `\xNN`.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && c != '\n' && c != '\t' {
                let mut utf8 = [0; 4];
                c.encode_utf8(&mut utf8).bytes().for_each(|b| push_escaped(&mut text, b));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|&b| push_escaped(&mut text, b));
    }
    text
}

fn push_escaped(text: &mut String, byte: u8) {
    write!(text, "\\x{byte:02x}").expect("writing to a String does not fail");
}
