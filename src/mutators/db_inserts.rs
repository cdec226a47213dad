//! Inserts rows, with their index entries if the indexes are simple: columns by name, in order, and nothing else.

use super::db_cells::like;
use super::db_header::image_mutator;
use super::db_rows::{atomically, new_rowid, pick_row, trees};
use super::{Context, Outcome};
use crate::dbfile::record::{self, Value};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::{index, rows};
use crate::sql::{self, Names, TokenKind};

/// Indexes that get an entry at most.
const INDEXES_MAX: usize = 16;
image_mutator! {
    /// Inserts a copy of another row under a new rowid, with or without its index entries.
    RowInsert => insert
}

pub(super) fn insert(image: &mut Vec<u8>, context: &mut Context<'_>) -> Outcome {
    atomically(image, context, |space, context| {
        let trees = trees(space.image);
        let tables: Vec<&(SchemaRow, u32)> = trees.iter().filter(|(row, _)| !row.is_index_btree()).collect();
        let &&(ref table, root) = context.pick(&tables)?;
        let row = pick_row(space.image, root, context)?;
        row.rowid?;
        let payload = row.read(space.image, &space.geometry);
        (payload.len() <= context.room()).then_some(())?;
        let rowid = new_rowid(space.image, root, context);
        let mut values = record::values(&payload);
        if context.chance(30)
            && let Some(index) = context.range(values.len(), 1)
        {
            values[index.start] = like(&values[index.start], context);
        }
        rows::insert(space, root, rowid, &record::encode(&values))?;
        if context.chance(15) {
            return Some(());
        }
        let indexes = schema::rows(space.image).into_iter();
        let indexes: Vec<SchemaRow> = indexes
            .filter(|index| index.kind == "index" && index.table == table.name)
            .take(INDEXES_MAX)
            .collect();
        for row in indexes {
            if let (Some(entry), Some(root)) =
                (entry(table, &row, &values, rowid), row.root_page(&space.geometry))
            {
                index::insert(space, root, &entry)?;
            }
        }
        Some(())
    })
}

/// A row's entry in an index; `None` if the index is not simple.
fn entry(table: &SchemaRow, index: &SchemaRow, values: &[Value], rowid: i64) -> Option<Vec<Value>> {
    let declaration = table.sql.to_ascii_uppercase();
    let is_odd =
        ["COLLATE", " AS ", "AS(", "GENERATED", "WITHOUT"].iter().any(|word| declaration.contains(word));
    if is_odd {
        return None;
    }
    let columns = Names::of(table.sql.as_bytes()).tables.into_iter().next()?.columns;
    let text = index.sql.as_bytes();
    let tokens: Vec<sql::Token> =
        sql::tokenize(text).into_iter().filter(|token| !token.kind.is_blank()).collect();
    let is = |i: usize, what: &[u8]| tokens.get(i).is_some_and(|token| &text[token.range.clone()] == what);
    let mut at = (0..tokens.len()).find(|&i| is(i, b"("))? + 1;
    let mut entry = Vec::new();
    loop {
        let name =
            tokens.get(at).filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedName))?;
        let name = &index.sql[name.range.clone()];
        let column = columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        let is_rowid = declaration.contains(&format!("{} INTEGER PRIMARY KEY", name.to_ascii_uppercase()));
        entry.push(if is_rowid { Value::Integer(rowid) } else { values.get(column)?.clone() });
        at += 2;
        if is(at - 1, b")") && at == tokens.len() {
            break;
        }
        is(at - 1, b",").then_some(())?;
    }
    entry.push(Value::Integer(rowid));
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sqlite::{Executor, Moment};
    use crate::mutators::tests::with_context;
    use crate::testcase::{OpenConfig, TestCase};

    /// Inserted rows are in the indexes, too. The exceptions are rows inserted without entries on purpose, and values
    /// that the type of a column forbids.
    #[test]
    fn inserts_with_indexes_leave_the_database_sound() {
        let executor = Executor::shared();
        for settings in [
            "PRAGMA page_size=512;",
            "PRAGMA page_size=1024; PRAGMA auto_vacuum=FULL; PRAGMA encoding='UTF-16le';",
        ] {
            let sql = format!(
                "{settings} CREATE TABLE t1(a INTEGER PRIMARY KEY, k, b, c); CREATE INDEX i1 ON t1(k, a); CREATE INDEX i2 ON t1(b); CREATE INDEX i3 ON t1(c, k, b);
                 WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<200) INSERT INTO t1 SELECT i*3, i%9, hex(zeroblob(i%90)), i*0.5 FROM c;"
            );
            let files = executor.files_after(&OpenConfig::default(), &sql, Moment::Closed).unwrap();
            let original = files.main().unwrap().to_vec();
            let (mut inserted, mut sound) = (0, 0);
            for seed in 0..200 {
                let mut image = original.clone();
                if with_context(seed, 4096, |context| insert(&mut image, context)) == Outcome::Skipped {
                    continue;
                }
                inserted += 1;
                sound += u32::from(executor.is_healthy(&TestCase::from_database(image)));
            }
            println!("{inserted} inserted, {sound} sound");
            assert!(inserted > 30 && sound * 10 >= inserted * 7, "{sound} of {inserted}");
        }
    }
}
