//! `fuzzcheck wal FILE` and `fuzzcheck journal FILE`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tandem::dbfile::inspect::{self, FrameReport, LogReport, RecordFate, RollbackReport};

use super::{exit_code, input, json, put};
use crate::cli::inspect::LogArgs;
use crate::ui;

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a, R> {
    name: &'a str,
    is_damaged: bool,
    #[serde(flatten)]
    report: &'a R,
}

pub(crate) fn wal(args: &LogArgs) -> Result<ExitCode> {
    let (name, content, code) = input::log(args, &input::LOG)?;
    let report = inspect::inspect_log(&content);
    let is_damaged = report.is_damaged();
    ui::print(|out| {
        if args.json {
            return json(out, &Document { name: &name, is_damaged, report: &report });
        }
        log_text(&name, &report, out)
    })?;
    Ok(exit_code(is_damaged, code))
}

fn log_text(name: &str, report: &LogReport, out: &mut dyn Write) -> Result<()> {
    if report.file_bytes == 0 {
        return put(out, format_args!("{name}: empty file: SQLite recovers nothing from it"));
    }
    let order = if report.is_big_endian { "big-endian" } else { "little-endian" };
    put(out, format_args!("{name}: WAL of {} bytes", report.file_bytes))?;
    put(out, format_args!("magic {:#010x} (checksums {order}), format {}", report.magic, report.format))?;
    put(out, format_args!("pages of {} bytes, checkpoint sequence {}", report.page_bytes, report.sequence))?;
    let is_right = if report.header_problems.is_empty() { "right" } else { "not right" };
    put(out, format_args!("salts {}, the header is {is_right}", salts(report.salts)))?;
    for problem in &report.header_problems {
        put(out, format_args!("  header: {problem}"))?;
    }
    for frame in &report.frames {
        put(out, format_args!("  {}", frame_line(frame)))?;
    }
    let last = report.commits.last().map_or(String::new(), |last| {
        format!(", the last commit is frame {last}, the database then has {} pages", report.pages_after)
    });
    put(
        out,
        format_args!(
            "of {} frames {} are valid; SQLite recovers {}{last}",
            report.frames.len(),
            report.valid_frames,
            report.recovered_frames
        ),
    )?;
    put(out, format_args!("recovery ends there: {}", report.why()))
}

fn frame_line(frame: &FrameReport) -> String {
    let FrameReport { number, offset, page, commit_pages, .. } = frame;
    let commit = if *commit_pages == 0 { String::new() } else { format!(", commit: {commit_pages} pages") };
    let salt =
        if frame.is_salt_right { String::new() } else { format!(", OTHER SALTS {}", salts(frame.salts)) };
    let sum = if frame.is_checksum_right { "" } else { ", WRONG CHECKSUM" };
    let fate = if frame.is_recovered { "recovered" } else { "not recovered" };
    format!("frame {number} at {offset}: page {page}{commit}{salt}{sum}, {fate}")
}

fn salts([a, b]: [u32; 2]) -> String {
    format!("{a:08x} {b:08x}")
}

pub(crate) fn journal(args: &LogArgs) -> Result<ExitCode> {
    let (name, content, code) = input::log(args, &input::JOURNAL)?;
    let report = inspect::inspect_journal(&content);
    let is_damaged = !report.problems.is_empty();
    ui::print(|out| {
        if args.json {
            return json(out, &Document { name: &name, is_damaged, report: &report });
        }
        journal_text(&name, &report, out)
    })?;
    Ok(exit_code(is_damaged, code))
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
            "hot, if the database has bytes and no-one locks it: SQLite restores {} pages from it",
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
