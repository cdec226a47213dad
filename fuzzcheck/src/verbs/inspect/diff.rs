//! `fuzzcheck inspect diff A B`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use tandem::dbfile::diff::{self, Diff, PageDiff, RowOf, SchemaDiff, Side, TreeDiff};
use tandem::dbfile::inspect::{self, SchemaReport};

use super::input::InputArgs;
use super::{exit_code, input, json, put};
use crate::ui;
use crate::verbs::Verb;

/// Compare two databases: header, schema, pages by bytes, rows by key.
///
/// Exit code 1 if they differ.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first database, or a case that contains it.
    a: String,
    /// The other.
    b: String,
    /// Which databases.
    #[command(flatten)]
    input: InputArgs,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// How many rows of a tree and ranges of a page are printed; JSON has more.
const ROWS_MAX: usize = 50;
const RANGES_MAX: usize = 8;
/// Lengths in which long SQL is shown, in characters.
const SQL_CHARS_MAX: usize = 400;

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a> {
    a: &'a str,
    b: &'a str,
    #[serde(flatten)]
    diff: &'a Diff,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let a = input::database(&self.a, &self.input)?;
        let b = input::database(&self.b, &self.input)?;
        let inspections = [&a, &b].map(|side| inspect::inspect(&side.image, side.lock_byte));
        let [in_a, in_b] = &inspections;
        let diff = diff::diff(
            Side { image: &a.image, inspection: in_a },
            Side { image: &b.image, inspection: in_b },
        );
        ui::print(|out| {
            if self.json {
                return json(out, &Document { a: &a.name, b: &b.name, diff: &diff });
            }
            put(out, format_args!("A: {}, {} bytes", a.name, diff.file_bytes[0]))?;
            put(out, format_args!("B: {}, {} bytes", b.name, diff.file_bytes[1]))?;
            text(&diff, out)
        })?;
        let code = if a.code == ExitCode::SUCCESS { b.code } else { a.code };
        Ok(exit_code(!diff.is_equal, code))
    }
}

fn text(diff: &Diff, out: &mut dyn Write) -> Result<()> {
    if diff.is_equal {
        return put(out, format_args!("fuzzcheck: not one byte differs"));
    }
    for field in &diff.header {
        put(out, format_args!("header {:>3}  {}: {} -> {}", field.at, field.name, field.a, field.b))?;
    }
    for row in &diff.schema {
        schema(row, out)?;
    }
    if diff.page_bytes[0] != diff.page_bytes[1] {
        put(
            out,
            format_args!(
                "pages are not compared: their sizes are {} and {} bytes",
                diff.page_bytes[0], diff.page_bytes[1]
            ),
        )?;
    }
    for page in &diff.pages {
        put(out, format_args!("{}", page_line(page)))?;
    }
    for tree in &diff.trees {
        rows(tree, out)?;
    }
    let changes =
        |tree: &TreeDiff| tree.only_a.len() + tree.only_b.len() + tree.changed.len() + tree.left_out;
    let rows: usize = diff.trees.iter().map(changes).sum();
    put(
        out,
        format_args!(
            "fuzzcheck: {} header fields, {} rows of the schema, {} pages, {rows} rows differ",
            diff.header.len(),
            diff.schema.len(),
            diff.pages.len()
        ),
    )
}

fn schema(row: &SchemaDiff, out: &mut dyn Write) -> Result<()> {
    let cut = |text: &str| text.chars().take(SQL_CHARS_MAX).collect::<String>();
    let (a, b) = match (&row.a, &row.b) {
        (Some(a), Some(b)) => (a, b),
        (Some(only), None) | (None, Some(only)) => {
            let side = if row.a.is_some() { "A" } else { "B" };
            let SchemaReport { kind, name, root, sql, .. } = only;
            return put(
                out,
                format_args!("schema: only {side} has {kind} {name}, root page {root}: {}", cut(sql)),
            );
        }
        (None, None) => return Ok(()),
    };
    let columns = [
        ("rowid", a.rowid.to_string(), b.rowid.to_string()),
        ("table", a.table.clone(), b.table.clone()),
        ("root page", a.root.to_string(), b.root.to_string()),
        ("SQL", cut(&a.sql), cut(&b.sql)),
    ];
    for (column, in_a, in_b) in columns.iter().filter(|(_, a, b)| a != b) {
        put(out, format_args!("schema: {} {}: {column}: {in_a} -> {in_b}", a.kind, a.name))?;
    }
    if a.sql != b.sql && cut(&a.sql) == cut(&b.sql) {
        put(
            out,
            format_args!("schema: {} {}: SQL differs behind {SQL_CHARS_MAX} characters", a.kind, a.name),
        )?;
    }
    Ok(())
}

fn page_line(page: &PageDiff) -> String {
    let used_as = match (&page.a, &page.b) {
        (Some(a), Some(b)) if a == b => a.clone(),
        (Some(a), Some(b)) => format!("{a} -> {b}"),
        (Some(a), None) => format!("only in A: {a}"),
        (None, b) => format!("only in B: {}", b.as_deref().unwrap_or_default()),
    };
    let shown = page.ranges.iter().take(RANGES_MAX).map(|range| match range.length {
        1 => range.at.to_string(),
        length => format!("{}..{}", range.at, range.at + length - 1),
    });
    let shown: Vec<String> = shown.collect();
    let more = page.ranges.len().saturating_sub(RANGES_MAX) + page.ranges_left_out;
    let more = if more > 0 { format!(" and {more} ranges more") } else { String::new() };
    format!("page {}: {used_as}: bytes {}{more}", page.number, shown.join(", "))
}

fn rows(tree: &TreeDiff, out: &mut dyn Write) -> Result<()> {
    let name = &tree.name;
    for change in tree.changed.iter().take(ROWS_MAX) {
        let columns = change.columns.iter().map(|column| {
            let show = |value: &Option<String>| value.clone().unwrap_or("nothing".to_owned());
            // The shown beginnings of long values may be the same.
            let at = column.first_byte.filter(|_| column.a == column.b);
            let at = at.map_or(String::new(), |at| format!(" (from byte {at} on)"));
            format!("column {}: {} -> {}{at}", column.column, show(&column.a), show(&column.b))
        });
        let columns: Vec<String> = columns.collect();
        let what = if columns.is_empty() {
            "the same values, stored differently".to_owned()
        } else {
            columns.join("; ")
        };
        let ((page_a, at_a), (page_b, at_b)) = (change.at_a, change.at_b);
        let places = format!("page {page_a} at {at_a}, page {page_b} at {at_b}");
        put(out, format_args!("{name}: row {} ({places}): {what}", change.key))?;
    }
    for (side, list) in [("A", &tree.only_a), ("B", &tree.only_b)] {
        for RowOf { key, page, at, values } in list.iter().take(ROWS_MAX) {
            let values = values.join(", ");
            put(out, format_args!("{name}: row {key} (page {page} at {at}): only in {side}: {values}"))?;
        }
    }
    let beyond = |count: usize| count.saturating_sub(ROWS_MAX);
    let lengths = [tree.changed.len(), tree.only_a.len(), tree.only_b.len()];
    let more = lengths.into_iter().map(beyond).sum::<usize>() + tree.left_out;
    if more > 0 {
        put(out, format_args!("{name}: and {more} rows more"))?;
    }
    if tree.has_unread_rows {
        put(out, format_args!("{name}: not all rows were read: so many cells share the same bytes"))?;
    }
    Ok(())
}
