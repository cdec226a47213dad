//! `fuzzcheck inspect wal FILE`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use tandem::dbfile::inspect::{self, FrameReport, LogReport};

use super::input::LogArgs;
use super::{Document, exit_code, input, json, put};
use crate::ui;
use crate::verbs::Verb;

/// Inspect a write-ahead log: every frame, and what SQLite recovers from it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    log: LogArgs,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let (name, content, code) = input::log(&self.log, &input::LOG)?;
        let report = inspect::inspect_log(&content);
        let is_damaged = report.is_damaged();
        ui::print(|out| {
            if self.log.json {
                return json(out, &Document { name: &name, is_damaged, report: &report });
            }
            log_text(&name, &report, out)
        })?;
        Ok(exit_code(is_damaged, code))
    }
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
