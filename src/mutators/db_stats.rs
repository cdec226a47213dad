//! Rows of `sqlite_stat1`, `sqlite_stat4` and `sqlite_sequence`: statistics that mislead the planner, samples that are
//! not records, rowids that are used up.

use super::db_cells::like;
use super::db_header::image_mutator;
use super::db_rows::{atomically, new_rowid, pick_row, text};
use super::{Context, Outcome};
use crate::dbfile::blob::Field;
use crate::dbfile::record::{self, Value};
use crate::dbfile::rows;
use crate::dbfile::schema::{self, SchemaRow};

/// Tables, each with the number of its leading columns that hold names.
const TABLES: [(&str, usize); 3] = [("sqlite_stat1", 2), ("sqlite_stat4", 2), ("sqlite_sequence", 1)];
/// Words after the numbers of `sqlite_stat1`.
const WORDS: [&str; 7] =
    ["unordered", "sz=1", "sz=1000000000", "noskipscan", "sz=-1", "unordered noskipscan", "costmult=3"];
/// Row counts.
const NUMBERS: [&str; 10] =
    ["0", "1", "2", "10", "1000000", "4294967296", "9223372036854775807", "99999999999999999999", "-1", "x"];

image_mutator! {
    /// Edits statistics.
    StatisticsRows => edit
}

pub(super) fn edit(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    let schema = schema::rows(image);
    let tables: Vec<(&SchemaRow, usize)> = schema
        .iter()
        .filter_map(|row| {
            let (_, names) = TABLES.iter().find(|(name, _)| row.name.eq_ignore_ascii_case(name))?;
            Some((row, *names))
        })
        .collect();
    let Some(&(table, names)) = context.pick(&tables) else {
        return Outcome::Skipped;
    };
    atomically(image, context, |space, context| {
        let root = table.root_page(&space.geometry)?;
        let row = pick_row(space.image, root, context)?;
        let mut values = record::values(&row.read(space.image, &space.geometry));
        let last = values.len().checked_sub(1)?;
        if context.chance(15) {
            // The name of another table or index.
            let other = context.pick(&schema)?;
            values[context.rng.usize(0..names.min(last + 1))] = text(space.image, &other.name);
        } else {
            let index = context.rng.usize(names.min(last)..=last);
            values[index] = match (&values[index], names) {
                (Value::Text(_), 2) => text(space.image, &numbers(table.name.len() == 12, context)),
                (Value::Blob(sample), 2) => Value::Blob(sample_record(sample, context)),
                (old, _) => like(old, context),
            };
        }
        let record = record::encode(&values);
        if context.chance(20) {
            let rowid = new_rowid(space.image, root, context);
            return rows::insert(space, root, rowid, &record);
        }
        rows::replace(space, &row, row.rowid, &record)
    })
}

/// A list of numbers, followed by a word where the planner reads one.
fn numbers(has_words: bool, context: &mut Context<'_>) -> String {
    let count = context.rng.usize(0..5);
    let mut list: Vec<&str> = (0..count).map(|_| NUMBERS[context.rng.usize(0..NUMBERS.len())]).collect();
    if has_words && context.chance(40) {
        list.push(WORDS[context.rng.usize(0..WORDS.len())]);
    }
    list.join(" ")
}

/// A sample of `sqlite_stat4` is a record: it gets another value, a wrong header, or a truncation.
fn sample_record(old: &[u8], context: &mut Context<'_>) -> Vec<u8> {
    let mut new = old.to_vec();
    match context.rng.u8(0..5) {
        0 => new.truncate(context.rng.usize(0..=old.len())),
        1 => {
            let mut values = record::values(old);
            if let Some(range) = context.range(values.len(), 1) {
                values[range.start] = like(&values[range.start], context);
            }
            new = record::encode(&values);
        }
        2 => {
            let columns = record::columns(old);
            if let Some(column) = context.pick(&columns) {
                let at = Field::fixed(column.type_at.start, column.type_at.len());
                at.set(&mut new, context.number(column.serial_type, 1));
            }
        }
        3 => {
            Field::fixed(0, 1).set(&mut new, context.number(u64::from(old.first().copied().unwrap_or(0)), 1))
        }
        _ => context.mutate_bytes(&mut new, 16),
    }
    new
}
