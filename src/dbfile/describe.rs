//! Describes a database, WAL or journal for a person.

use std::fmt::Write as _;

use super::page::BtreePage;
use super::record::{self, Value};
use super::{Geometry, MAGIC, damage, header, journal, schema, tree, wal};

/// Schema rows, and cells of a page, that are shown: more than a handmade case has; a damaged page may claim tens of
/// thousands.
const ROWS_MAX: usize = 200;
const CELLS_MAX: usize = 500;
/// Longest piece of schema SQL in a description, in characters.
const SQL_CHARS_MAX: usize = 200;

/// Describes in a few lines what the file is, and its schema.
pub fn summary(name: &str, content: &[u8]) -> String {
    let mut out = String::new();
    describe(name, content, false, &mut out);
    out
}

/// Describes everything, page by page or record by record.
pub fn full(name: &str, content: &[u8]) -> String {
    let mut out = String::new();
    describe(name, content, true, &mut out);
    out
}

fn describe(name: &str, content: &[u8], is_full: bool, out: &mut String) {
    let line = if content.is_empty() {
        writeln!(out, "empty file")
    } else if content.starts_with(MAGIC) {
        database(content, is_full, out);
        Ok(())
    } else if name.ends_with("-wal") {
        log(content, is_full, out);
        Ok(())
    } else if name.ends_with("-journal") {
        rollback(content, is_full, out);
        Ok(())
    } else {
        writeln!(out, "not a database: begins with {}", hex(&content[..content.len().min(16)]))
    };
    line.expect("writing to a String does not fail");
}

macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        writeln!($out, $($arg)*).expect("writing to a String does not fail")
    };
}

fn database(image: &[u8], is_full: bool, out: &mut String) {
    let geometry = Geometry::of(image);
    let encoding = match header::ENCODING.get(image) {
        1 => "UTF-8".to_owned(),
        2 => "UTF-16le".to_owned(),
        3 => "UTF-16be".to_owned(),
        other => format!("encoding {other}"),
    };
    let mode = if header::is_wal(image) { "WAL" } else { "rollback" };
    let size =
        header::page_size(image).map_or("invalid page size".to_owned(), |n| format!("pages of {n} bytes"));
    put!(out, "database: {} {size}, {encoding}, {mode} mode", geometry.pages);
    if let Some(damage) = damage::first_damage(image) {
        put!(out, "damaged: {damage}");
    }
    let rows = schema::rows(image);
    for row in rows.iter().take(ROWS_MAX) {
        let sql: String = row.sql.chars().take(SQL_CHARS_MAX).collect();
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        put!(
            out,
            "{} {} (root page {}): {}",
            row.kind,
            row.name,
            row.root,
            if sql.is_empty() { "-" } else { &sql }
        );
    }
    if rows.len() > ROWS_MAX {
        put!(out, "and {} more rows of the schema", rows.len() - ROWS_MAX);
    }
    if is_full {
        for field in header::FIELDS {
            put!(out, "header {:>3}: {} = {}", field.at, field.name, field.get(image));
        }
        pages(image, &geometry, &rows, out);
    }
}

fn pages(image: &[u8], geometry: &Geometry, rows: &[schema::SchemaRow], out: &mut String) {
    let uses = page_uses(image, geometry, rows);
    for number in 1..=geometry.pages {
        let role = uses[number as usize].as_deref();
        let page = geometry.page(image, number);
        let used = page.iter().filter(|&&byte| byte != 0).count();
        put!(out, "page {number}: {} ({used} nonzero bytes)", role.unwrap_or("not referenced"));
        let is_tree = role.is_some_and(|role| role.starts_with("b-tree"));
        if let Some(page) = BtreePage::parse(image, geometry, number).filter(|_| is_tree) {
            btree_page(image, geometry, number, &page, out);
        }
    }
}

/// What refers to each page first, by page number.
fn page_uses(image: &[u8], geometry: &Geometry, rows: &[schema::SchemaRow]) -> Vec<Option<String>> {
    let mut uses = vec![None; geometry.pages as usize + 1];
    let mut claim = |page: u32, role: String| {
        if let Some(slot @ None) = uses.get_mut(page as usize) {
            *slot = Some(role);
        }
    };
    let roots = rows.iter().filter_map(|row| Some((row.root_page(geometry)?, row.name.as_str())));
    let roots: Vec<(u32, &str)> = std::iter::once((1, "sqlite_schema")).chain(roots).collect();
    for (root, name) in roots {
        for number in tree::pages(image, geometry, root) {
            claim(number, format!("b-tree of {name}"));
            let Some(page) = BtreePage::parse(image, geometry, number) else {
                continue;
            };
            let chains = page.cells().filter_map(|(_, cell)| cell.payload?.overflow);
            for first in chains.collect::<Vec<_>>() {
                for overflow in tree::overflow_chain(image, geometry, first) {
                    claim(overflow, format!("overflow of {name}, page {number}"));
                }
            }
        }
    }
    let free = tree::freelist(image, geometry);
    free.trunks.iter().for_each(|&page| claim(page, "freelist trunk".to_owned()));
    free.leaves.iter().for_each(|&page| claim(page, "freelist leaf".to_owned()));
    if header::LARGEST_ROOT.get(image) != 0 {
        let maps = (2..=geometry.pages).filter(|&page| geometry.is_pointer_map(page));
        maps.for_each(|page| claim(page, "pointer map".to_owned()));
    }
    uses
}

fn btree_page(image: &[u8], geometry: &Geometry, number: u32, page: &BtreePage<'_>, out: &mut String) {
    put!(
        out,
        "  {:?}, {} cells, content from {}, first freeblock {}, {} fragmented bytes{}",
        page.kind,
        page.cell_count(),
        page.content_start(),
        page.first_freeblock(),
        page.fragmented_bytes(),
        page.right_child().map_or(String::new(), |child| format!(", right child {child}"))
    );
    if page.cell_count() > CELLS_MAX {
        put!(out, "  the first {CELLS_MAX} cells:");
    }
    for (i, (offset, cell)) in page.cells().enumerate().take(CELLS_MAX) {
        let mut text = format!("  cell {i} at {offset}:");
        let mut add = |part: String| text.push_str(&part);
        cell.left_child.iter().for_each(|child| add(format!(" child {child}")));
        cell.rowid.iter().for_each(|rowid| add(format!(" rowid {rowid}")));
        if let Some(payload) = &cell.payload {
            add(format!(" {} bytes", payload.total));
            payload.overflow.iter().for_each(|page| add(format!(", overflow from page {page}")));
            let bytes = tree::payload(image, geometry, number, offset, payload);
            add(format!(": {}", values(&bytes, header::ENCODING.get(image))));
        }
        put!(out, "{text}");
    }
}

/// Bytes of a text or blob that are shown.
const SHOWN_BYTES: usize = 60;

fn values(record: &[u8], encoding: u32) -> String {
    let values = record::values(record);
    values.iter().map(|it| value(it, encoding)).collect::<Vec<_>>().join(", ")
}

/// A value roughly as in SQL; long ones are truncated.
pub fn value(value: &Value, encoding: u32) -> String {
    let cut = |bytes: &[u8]| bytes[..bytes.len().min(SHOWN_BYTES)].to_vec();
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(x) => format!("{x:?}"),
        Value::Text(text) => format!("{:?}", schema::decode(&cut(text), encoding)),
        Value::Blob(blob) => format!("x'{}'", hex(&cut(blob))),
    }
}

fn log(content: &[u8], is_full: bool, out: &mut String) {
    let Some(header) = wal::header(content) else {
        put!(out, "WAL: {} bytes, too short for a header", content.len());
        return;
    };
    let frames = wal::frames(content);
    let commits = frames.iter().filter(|frame| frame.commit_pages != 0).count();
    put!(
        out,
        "WAL: magic {:#x}, pages of {} bytes, {} frames ({commits} commits), the first {} valid",
        header.magic,
        header.page_bytes,
        frames.len(),
        wal::valid_frames(content)
    );
    if is_full {
        for (i, frame) in frames.iter().enumerate() {
            put!(
                out,
                "frame {i}: page {}, commit size {}, salts {:08x} {:08x}",
                frame.page,
                frame.commit_pages,
                frame.salts[0],
                frame.salts[1]
            );
        }
    }
}

fn rollback(content: &[u8], is_full: bool, out: &mut String) {
    let Some(header) = journal::header(content, 0) else {
        put!(out, "journal: no header (it begins with {})", hex(&content[..content.len().min(8)]));
        return;
    };
    let records = journal::records(content);
    let valid = records.iter().filter(|record| record.checksum == record.expected_checksum(content)).count();
    put!(
        out,
        "journal: {} records claimed, {} present, {valid} with right checksum, database had {} pages of {} bytes",
        header.records,
        records.len(),
        header.original_pages,
        header.page_bytes
    );
    if is_full {
        for (i, record) in records.iter().enumerate() {
            put!(out, "record {i}: page {}, checksum {:#x}", record.page, record.checksum);
        }
        if let Some(named) = journal::super_journal(content) {
            put!(out, "super-journal: {}", String::from_utf8_lossy(named.name));
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
