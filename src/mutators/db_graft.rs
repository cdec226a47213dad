//! Copies tables from another database, or from the same one, with everything that belongs to them: indexes, the shadow
//! tables of a virtual table, triggers, `sqlite_sequence`. Names that are taken get a number.

use super::db_header::image_mutator;
use super::db_rows::atomically;
use super::sql_tokens::splice;
use super::{Context, Outcome};
use crate::dbfile::graft::{self, How};
use crate::dbfile::page::{self, BtreePage};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::{Geometry, header, record, tree};
use crate::sql::{self, TokenKind};

/// Names that are tried for a table whose own name is taken.
const NAMES_MAX: usize = 9;
/// Schema rows that may belong to a copied table, at most.
const MEMBERS_MAX: usize = 40;
/// Tables that are searched for two with equal numbers of columns.
const TABLES_MAX: usize = 30;

image_mutator! {
    /// Copies a table under another name, its rows into a new b-tree.
    TableCopy => copy_table
}

image_mutator! {
    /// Swaps leaves of two tables with equal numbers of columns.
    LeafSwap => swap_leaves
}

pub(super) fn copy_table(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let source = image.clone();
    graft_table(image, &source, context)
}

/// Copies a table of `source` into `image`.
pub(super) fn graft_table(image: &mut Vec<u8>, source: &[u8], context: &mut Context<'_>) -> Outcome {
    let all = schema::rows(source);
    let tables: Vec<&SchemaRow> =
        all.iter().filter(|row| row.is_table() && !row.name.starts_with("sqlite_")).collect();
    let Some(table) = context.pick(&tables) else {
        return Outcome::Skipped;
    };
    // Older schema formats have no constants 0 and 1 in records, and their indexes know no DESC.
    let formats = [header::SCHEMA_FORMAT.get(source), header::SCHEMA_FORMAT.get(image)];
    if formats[0] != formats[1] || image.len() < header::HEADER_BYTES {
        return Outcome::Skipped;
    }
    let own = schema::rows(image);
    let members = members(table, &all, &own);
    if members.len() > MEMBERS_MAX {
        return Outcome::Skipped;
    }
    let Some(objects) = renamed(table, &members, &own) else {
        return Outcome::Skipped;
    };
    let room = context.room();
    let how = if context.chance(40) { How::Pages } else { How::Rows };
    atomically(image, context, |space, _| graft::graft(space, source, &objects, how, room))
}

/// The schema rows that belong to a table, its own first.
fn members(table: &SchemaRow, all: &[SchemaRow], own: &[SchemaRow]) -> Vec<SchemaRow> {
    let shadow = format!("{}_", table.name);
    let is_shadow = |name: &str| table.is_virtual() && name.starts_with(&shadow);
    let has_sequence = own.iter().any(|row| row.name == "sqlite_sequence");
    let needs_sequence = table.sql.to_ascii_uppercase().contains("AUTOINCREMENT") && !has_sequence;
    let is_member = |row: &&SchemaRow| {
        let is_it = std::ptr::eq(*row, table) || *row == table;
        let is_part = row.table == table.name || is_shadow(&row.table);
        let is_sequence = row.name == "sqlite_sequence" && row.is_table();
        !is_it && (is_part && row.kind != "view" || is_sequence && needs_sequence)
    };
    std::iter::once(table).chain(all.iter().filter(is_member)).cloned().collect()
}

/// Renames the members to free names; `None` if no free names are found.
fn renamed(table: &SchemaRow, members: &[SchemaRow], own: &[SchemaRow]) -> Option<Vec<SchemaRow>> {
    let is_taken = |name: &str| own.iter().any(|row| row.name.eq_ignore_ascii_case(name));
    let suffixes = std::iter::once(String::new()).chain((2..=NAMES_MAX).map(|i| format!("_{i}")));
    for suffix in suffixes {
        let base = format!("{}{suffix}", table.name);
        // `x_data` belongs to `x` and becomes `x_2_data`; an index `i` becomes `i_2`.
        let rename = |name: &str| -> String {
            let own_part = name.strip_prefix(table.name.as_str());
            let auto = name
                .strip_prefix("sqlite_autoindex_")
                .and_then(|rest| rest.strip_prefix(table.name.as_str()));
            match (own_part, auto) {
                _ if name == "sqlite_sequence" => name.to_owned(),
                (Some(rest), _) if rest.is_empty() || rest.starts_with('_') => format!("{base}{rest}"),
                (_, Some(rest)) if rest.starts_with('_') => format!("sqlite_autoindex_{base}{rest}"),
                _ => format!("{name}{suffix}"),
            }
        };
        let objects = members.iter().map(|row| {
            let (name, table) = (rename(&row.name), rename(&row.table));
            let mut sql = row.sql.clone();
            for (old, new) in [(&row.name, &name), (&row.table, &table)] {
                if old != new {
                    sql = with_name(&sql, old, new);
                }
            }
            SchemaRow { name, table, sql, ..row.clone() }
        });
        let objects: Vec<SchemaRow> = objects.collect();
        if !objects.iter().any(|object| is_taken(&object.name)) {
            return Some(objects);
        }
    }
    None
}

/// Replaces the first token that is the name `old` by `new`.
fn with_name(sql: &str, old: &str, new: &str) -> String {
    let bytes = sql.as_bytes();
    let is_old = |token: &sql::Token| {
        let text = &sql[token.range.clone()];
        let is_quoted = matches!(token.kind, TokenKind::QuotedName | TokenKind::Text);
        let inner =
            if is_quoted { text.get(1..text.len().saturating_sub(1)).unwrap_or_default() } else { text };
        (is_quoted || token.kind == TokenKind::Word) && inner.eq_ignore_ascii_case(old)
    };
    match sql::tokenize(bytes).into_iter().find(is_old) {
        Some(token) => {
            let quoted = sql::quoted(new, '"');
            String::from_utf8_lossy(&splice(bytes, token.range, quoted.as_bytes())).into_owned()
        }
        None => sql.to_owned(),
    }
}

pub(super) fn swap_leaves(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let geometry = Geometry::of(image);
    let rows = schema::rows(image);
    let roots = rows.iter().filter_map(|row| row.root_page(&geometry));
    let mut roots: Vec<u32> = roots.collect();
    context.rng.shuffle(&mut roots);
    roots.truncate(TABLES_MAX);
    let mut leaves = Vec::new();
    for (tree_number, root) in roots.into_iter().enumerate() {
        let of_tree = tree::pages(image, &geometry, root);
        let Some(&leaf) = context.pick(&of_tree) else {
            continue;
        };
        let Some(page) = BtreePage::parse(image, &geometry, leaf).filter(|page| page.kind.is_leaf()) else {
            continue;
        };
        let local = |(offset, cell): (usize, crate::dbfile::cell::Cell)| {
            let start = offset + cell.payload?.start;
            Some(record::leading_columns(page.bytes.get(start..)?, 100).len())
        };
        if let Some(columns) = page.cells().next().and_then(local) {
            leaves.push((tree_number, leaf, page.kind, columns));
        }
    }
    let Some(&first) = context.pick(&leaves) else {
        return Outcome::Skipped;
    };
    let others: Vec<_> =
        leaves.iter().filter(|leaf| leaf.0 != first.0 && leaf.2 == first.2 && leaf.3 == first.3).collect();
    let Some(&&(_, second, ..)) = context.pick(&others) else {
        return Outcome::Skipped;
    };
    let cells = |number| BtreePage::parse(image, &geometry, number).map(|page| page.cell_bytes());
    let (Some(a), Some(b)) = (cells(first.1), cells(second)) else {
        return Outcome::Skipped;
    };
    let before = image.clone();
    let done = page::build(image, &geometry, first.1, first.2, &b, 0)
        && page::build(image, &geometry, second, first.2, &a, 0);
    if !done || *image == before {
        *image = before;
        return Outcome::Skipped;
    }
    Outcome::Mutated
}

#[cfg(test)]
#[path = "db_graft_tests.rs"]
mod tests;
