//! `fuzzcheck inspect journal FILE`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use tandem::dbfile::inspect::{self, RecordFate, RollbackReport};

use super::input::LogArgs;
use super::{Document, exit_code, input, json, put};
use crate::ui;
use crate::verbs::Verb;

/// Inspect a rollback journal: every record, and what SQLite rolls back.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    log: LogArgs,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let (name, content, code) = input::log(&self.log, &input::JOURNAL)?;
        let report = inspect::inspect_journal(&content);
        let is_damaged = !report.problems.is_empty();
        ui::print(|out| {
            if self.log.json {
                return json(out, &Document { name: &name, is_damaged, report: &report });
            }
            journal_text(&name, &report, out)
        })?;
        Ok(exit_code(is_damaged, code))
    }
}

fn journal_text(name: &str, report: &RollbackReport, out: &mut dyn Write) -> Result<()> {
    put(out, format_args!("{name}: journal of {} bytes", report.file_bytes))?;
    if !report.is_hot {
        let why =
            if report.file_bytes == 0 { "it is empty" } else { "it begins with 0: its transaction is over" };
        return put(out, format_args!("not hot: {why}"));
    }
    for group in &report.groups {
        let claimed = match group.claimed_records {
            u32::MAX => "records up to the end".to_owned(),
            count => format!("{count} records"),
        };
        put(
            out,
            format_args!(
                "header at {}: {claimed}, nonce {:#010x}, the database had {} pages of {} bytes, sectors of {} bytes",
                group.offset, group.nonce, group.original_pages, group.page_bytes, group.sector_bytes
            ),
        )?;
        for record in &group.records {
            let sum = if record.checksum == record.expected_checksum { "right" } else { "WRONG" };
            let fate = fate(record.fate);
            let (at, page, checksum) = (record.offset, record.page, record.checksum);
            put(out, format_args!("  record at {at}: page {page}, checksum {checksum:#010x} {sum}, {fate}"))?;
        }
    }
    if let Some(name) = &report.super_journal {
        put(out, format_args!("super-journal `{name}`: rolled back only as long as that exists"))?;
    }
    for problem in &report.problems {
        put(out, format_args!("damage: {problem}"))?;
    }
    put(
        out,
        format_args!(
            "hot, if the database is not empty and not locked: SQLite restores {} pages from it",
            report.restored
        ),
    )
}

fn fate(fate: RecordFate) -> &'static str {
    match fate {
        RecordFate::Restored => "restored",
        RecordFate::Repeated => "passed over: its page is restored already",
        RecordFate::Behind => "passed over: behind the end of the database",
        RecordFate::Checksum | RecordFate::PageZero => "the rollback ends here",
        RecordFate::NotReached => "not reached",
    }
}
