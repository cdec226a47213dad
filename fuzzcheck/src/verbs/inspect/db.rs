//! `fuzzcheck inspect db FILE`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tandem::dbfile::inspect::{self, Inspection, PageReport, PageUse, Problem};
use tandem::dbfile::page::PageKind;

use super::input::{self, Database, InputArgs};
use super::{exit_code, json, page, put};
use crate::ui;
use crate::verbs::Verb;

/// Inspect a database: every page and tree, and all damage.
///
/// Exit code 1 if it is damaged.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The database, or a case that contains it.
    file: String,
    /// Show this page in full: every cell with its record, every byte with its meaning.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    page: Option<u32>,
    /// Inspect the database after SQLite's recovery from the WAL or journal beside it.
    #[arg(long)]
    recovered: bool,
    /// Which database.
    #[command(flatten)]
    input: InputArgs,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// Longest piece of schema SQL in a line, in characters.
const SQL_CHARS_MAX: usize = 160;

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    is_damaged: bool,
    #[serde(flatten)]
    inspection: &'a Inspection,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let mut database = input::database(&self.file, &self.input)?;
        if self.recovered {
            database.recover()?;
        }
        let inspection = inspect::inspect(&database.image, database.lock_byte);
        if let Some(number) = self.page {
            return page::run(&database, &inspection, number, self.json);
        }
        let is_damaged = inspection.damage().next().is_some();
        ui::print(|out| {
            if self.json {
                json(out, &Document { name: &database.name, is_damaged, inspection: &inspection })
            } else {
                text(&database, &inspection, out)
            }
        })?;
        Ok(exit_code(is_damaged, database.code))
    }
}

fn text(database: &Database, inspection: &Inspection, out: &mut dyn Write) -> Result<()> {
    let Inspection { file_bytes, page_bytes, page_count, .. } = inspection;
    let name = &database.name;
    if *file_bytes == 0 {
        put(out, format_args!("{name}: empty file, which is an empty database to SQLite"))?;
        return put(out, format_args!("fuzzcheck: 0 problems"));
    }
    put(
        out,
        format_args!("{name}: {page_count} pages of {page_bytes} bytes; the file has {file_bytes} bytes"),
    )?;
    for (beside, what) in [(&database.log, "WAL"), (&database.journal, "journal")] {
        if beside.as_ref().is_some_and(|content| !content.is_empty()) {
            let told = "a database as it is says nothing of it: see --recovered";
            put(out, format_args!("a {what} lies beside it; {told}"))?;
        }
    }
    fields(inspection, out)?;
    objects(inspection, out)?;
    put(out, format_args!("pages"))?;
    for page in &inspection.pages {
        put(out, format_args!("  {}", page_line(inspection, page)))?;
    }
    problems(inspection, out)
}

fn fields(inspection: &Inspection, out: &mut dyn Write) -> Result<()> {
    put(out, format_args!("header"))?;
    for field in &inspection.header {
        let wrong =
            field.expected.as_ref().map_or(String::new(), |expected| format!("  <- expected {expected}"));
        put(out, format_args!("  {:>3}  {:<34} {}{wrong}", field.at, field.name, field.value))?;
    }
    Ok(())
}

/// Schema, trees, freelist and pointer map.
fn objects(inspection: &Inspection, out: &mut dyn Write) -> Result<()> {
    put(out, format_args!("schema: {} rows", inspection.schema.len()))?;
    for row in &inspection.schema {
        let sql: String = row.sql.chars().take(SQL_CHARS_MAX).collect();
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let sql = if sql.is_empty() { "-" } else { &sql };
        put(out, format_args!("  {} {}, root page {}: {sql}", row.kind, row.name, row.root))?;
    }
    put(out, format_args!("trees"))?;
    for tree in &inspection.trees {
        let pages = tree.interior_pages + tree.leaf_pages;
        put(
            out,
            format_args!(
                "  {}: root {}, depth {}, {pages} pages ({} leaves) and {} of overflow, {} {}, {} bytes",
                tree.name,
                tree.root,
                tree.depth,
                tree.leaf_pages,
                tree.overflow_pages,
                tree.rows,
                if tree.has_rowids { "rows" } else { "entries" },
                tree.payload_bytes
            ),
        )?;
    }
    let free = &inspection.freelist;
    put(
        out,
        format_args!(
            "freelist: {} trunks, {} leaves; the header claims {} pages",
            free.trunks, free.leaves, free.claimed
        ),
    )?;
    let map = if inspection.has_pointer_map { "there is one" } else { "none" };
    put(out, format_args!("pointer map: {map}"))
}

/// What a page is, in one line.
pub(super) fn page_line(inspection: &Inspection, page: &PageReport) -> String {
    let mut text = format!("{:>5}  {}", page.number, inspection.use_of(page));
    let kind = page.type_byte.and_then(PageKind::from_byte);
    if let Some(kind) = kind {
        text.push_str(if kind.is_leaf() { ", leaf" } else { ", interior" });
    }
    if let Some(cells) = page.cells {
        let what = if page.used_as == PageUse::FreelistTrunk { "leaves" } else { "cells" };
        text.push_str(&format!(", {cells} {what}"));
    }
    if let Some(bytes) = page.free_bytes {
        text.push_str(&format!(", {bytes} bytes free"));
    }
    if page.further_references > 0 {
        text.push_str(&format!(", REFERENCED {} TIMES", page.further_references + 1));
    }
    if page.problems > 0 {
        text.push_str(&format!("  <- {} problems", page.problems));
    }
    text
}

/// A problem in one line.
pub(super) fn problem_line(problem: &Problem) -> String {
    let kind = serde_json::to_value(problem.kind).unwrap_or_default();
    let Problem { page, at, offset, what, expected, .. } = problem;
    let kind = kind.as_str().unwrap_or_default();
    format!("page {page}, byte {at} (file {offset:#x}): {what}; expected {expected} [{kind}]")
}

fn problems(inspection: &Inspection, out: &mut dyn Write) -> Result<()> {
    let (odd, damage): (Vec<&Problem>, Vec<&Problem>) =
        inspection.problems.iter().partition(|problem| problem.is_odd);
    for (list, title) in [(&damage, "damage"), (&odd, "odd, but SQLite does not mind")] {
        if !list.is_empty() {
            put(out, format_args!("{title}"))?;
        }
        for problem in list {
            put(out, format_args!("  {}", problem_line(problem)))?;
        }
    }
    if inspection.problems_left_out > 0 {
        put(out, format_args!("and {} problems more", inspection.problems_left_out))?;
    }
    if inspection.has_unread_records {
        put(out, format_args!("not all records were read: so many cells share the same bytes"))?;
    }
    put(out, format_args!("fuzzcheck: {} problems", damage.len() + inspection.problems_left_out))
}
