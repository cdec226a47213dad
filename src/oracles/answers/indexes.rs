//! Which indexes and statistics there are makes no difference.
//!
//! Within a savepoint, the query is asked again after `ANALYZE` (<https://sqlite.org/lang_analyze.html>), with statistics
//! that are made up, so that other plans seem cheap, after `REINDEX`, with another setting of `PRAGMA automatic_index`,
//! and with an index that the script has not made: on columns or an expression of the query, partial, descending or
//! with another collation. All that may only decide how rows are found. An agreement is telling if the programs differ.
//!
//! # When nothing is said
//! * Of virtual tables, whose own judgement of a constraint may differ from SQLite's, and of SQLite's own tables.
//! * If scans are reversed, as in [`super::plans`].
//! * If the script reads how much has been changed: made-up statistics are changes.

use super::query::{self, Query};
use super::rows::difference;
use super::{Check, Said, Statementwise, session};
use crate::engine::sqlite::{NoAnswer, Row, Session};
use crate::oracles::choice;
use crate::sql;
use crate::sql::tree::Kind;

pub(crate) const INDEXES: Statementwise = Statementwise { name: "indexes", check: Check::Queries(check) };

/// Ways that are tried for one query.
const TRIED: usize = 3;
/// Reads statistics again, which `ROLLBACK` alone does not do.
const RELOAD: &str = "PRAGMA writable_schema=RESET";
/// Whether there are virtual tables.
const VIRTUAL: &str =
    "SELECT 1 FROM (SELECT * FROM main.sqlite_master UNION ALL SELECT * FROM temp.sqlite_master)
    WHERE type = 'table' AND rootpage = 0 LIMIT 1";
/// Statistics as SQLite writes them: rows of the index, then those with the same first column, first two, and so on
/// (<https://sqlite.org/fileformat2.html#the_sqlite_stat1_table>).
const MADE_UP: [&str; 4] = [
    "1000000 1 1 1 1 1 1 1 1",
    "1000000 500000 500000 90000 9 9 9 9 9",
    "1000000 900000 2 1 1 1 1 1 1",
    "2 2 2 2 2 2 2 2 2",
];

/// A change that no answer may show.
#[derive(Debug, Default)]
struct Way {
    name: &'static str,
    statements: Vec<String>,
    /// What a rollback does not undo.
    undo: Vec<String>,
}

fn check(query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
    if let Some(reason) = query.why_open() {
        return Said::Nothing(reason);
    }
    if query::is_reversed(db) != Some(false) {
        return Said::Nothing("scans are reversed");
    }
    if session::reads_counters(db) {
        return Said::Nothing("counters of changes");
    }
    if query.facts.tables.iter().any(|(_, table)| table.to_ascii_lowercase().starts_with("sqlite_")) {
        return Said::Nothing("tables of SQLite's own");
    }
    let Some(ways) = ways(query, db) else {
        return Said::Nothing("no table of its own");
    };
    let (mut agreed, mut is_telling) = (Err("it fails when asked otherwise"), false);
    let first = choice(5, query.text.as_bytes());
    for at in 0..TRIED.min(ways.len()) {
        let way = &ways[(first + at) % ways.len()];
        let (rows, is_other_program) = match asked(query, way, db) {
            Ok(answer) => answer,
            Err(none) => {
                agreed = agreed.or(Err(query::why(none)));
                continue;
            }
        };
        if difference(&query.rows, &rows).is_some() {
            let how = format!("after `{}`", way.statements.join("; "));
            if let Err(said) = query.must_be(&rows, db, way.name, &how) {
                return said;
            }
        }
        agreed = Ok(());
        is_telling |= is_other_program && !rows.is_empty();
    }
    agreed.map_or_else(Said::Nothing, |()| Said::Agrees { is_telling })
}

/// The rows of the query with a change, and whether its program is another; the change is undone.
fn asked(query: &Query<'_>, way: &Way, db: &mut Session<'_, '_>) -> Result<(Vec<Row>, bool), NoAnswer> {
    db.rows("SAVEPOINT tandem_indexes")?;
    let answer =
        way.statements.iter().try_for_each(|statement| db.rows(statement).map(drop)).and_then(|()| {
            let rows = db.rows(query.text)?;
            let facts = db.facts(query.text, db.optimizations_off())?;
            Ok((rows, facts.program != query.facts.program))
        });
    db.rows("ROLLBACK TO tandem_indexes")?;
    db.rows("RELEASE tandem_indexes")?;
    for statement in &way.undo {
        db.rows(statement)?;
    }
    answer
}

/// The ways for a query; `None` if it reads no table.
fn ways(query: &Query<'_>, db: &mut Session<'_, '_>) -> Option<Vec<Way>> {
    let tables: Vec<&(String, String)> =
        query.facts.tables.iter().filter(|table| is_table(table, db)).collect();
    let seed = choice(11, query.text.as_bytes());
    let (schema, table) = *tables.get(seed % tables.len().max(1))?;
    let (schema, name) = (sql::quoted(schema, '"'), sql::quoted(table, '"'));
    let columns = columns(query, &format!("SELECT * FROM {schema}.{name}"), db);
    let statements = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let has_automatic = db.rows("PRAGMA automatic_index").ok()? != [[crate::engine::Value::Integer(0)]];
    let automatic = |is_on: bool| vec![format!("PRAGMA automatic_index={}", i32::from(is_on))];
    let made_up = format!("UPDATE {schema}.sqlite_stat1 SET stat='{}'", MADE_UP[seed / 3 % MADE_UP.len()]);
    let mut ways = vec![
        Way { name: "analyze", statements: statements(&["ANALYZE"]), undo: statements(&[RELOAD]) },
        Way {
            name: "statistics",
            statements: statements(&["ANALYZE", &made_up, RELOAD]),
            undo: statements(&[RELOAD]),
        },
        Way { name: "reindex", statements: statements(&["REINDEX"]), undo: Vec::new() },
        Way {
            name: "automatic-index",
            statements: automatic(!has_automatic),
            undo: automatic(has_automatic),
        },
    ];
    let mut index = |kind: &'static str, on: String| {
        let create = format!("CREATE INDEX {schema}.tandem_index ON {name}({on}");
        let undo = statements(&[RELOAD]);
        ways.push(Way { name: kind, statements: vec![create.clone()], undo: Vec::new() });
        ways.push(Way { name: kind, statements: vec![create, "ANALYZE".to_owned()], undo });
    };
    if let Some(first) = columns.first() {
        let second = columns.get(1).map(|column| format!(", {column}")).unwrap_or_default();
        index("index", format!("{first}{second})"));
        index("index-descending", format!("{first} DESC{second})"));
        let collation = ["BINARY", "NOCASE", "RTRIM"][seed / 5 % 3];
        index("index-collated", format!("{first} COLLATE {collation}{second})"));
        index("index-partial", format!("{first}) WHERE {first} IS NOT NULL"));
        if let Some(expression) = expression(query, seed / 7) {
            index("index-expression", format!("{expression}{second})"));
            index("index-partial", format!("{first}) WHERE {expression}"));
        }
    }
    // A virtual table may hold back, until a commit, what is lost with it: see [`crate::known::FTS3_RESET`].
    if db.rows(VIRTUAL).map_or(true, |rows| !rows.is_empty()) {
        ways.retain(|way| way.undo != [RELOAD]);
    }
    Some(ways)
}

/// True for what has a b-tree of rows.
fn is_table((schema, table): &(String, String), db: &mut Session<'_, '_>) -> bool {
    let text = format!(
        "SELECT 1 FROM {}.sqlite_master WHERE type='table' AND rootpage>0 AND name={} COLLATE NOCASE",
        sql::quoted(schema, '"'),
        sql::quoted(table, '\'')
    );
    db.rows(&text).is_ok_and(|rows| rows.len() == 1)
}

/// Columns of a table, quoted: in a different order for each query, and those first that the query names.
fn columns(query: &Query<'_>, all: &str, db: &Session<'_, '_>) -> Vec<String> {
    let mut named = Vec::new();
    for tree in &query.trees {
        tree.visit(&mut |node| {
            if node.kind == Kind::Column {
                let text = node.print();
                named.push(sql::bare(text.rsplit('.').next().unwrap_or_default()).to_ascii_lowercase());
            }
        });
    }
    let mut columns = db.column_names(all).unwrap_or_default();
    if !columns.is_empty() {
        let length = columns.len();
        columns.rotate_left(choice(13, query.text.as_bytes()) % length);
    }
    columns.sort_by_key(|column| !named.contains(&column.to_ascii_lowercase()));
    columns.iter().map(|column| sql::quoted(column, '"')).collect()
}

/// An expression of the query that may stand in an index. Whether it does is for SQLite to say.
fn expression(query: &Query<'_>, seed: usize) -> Option<String> {
    let mut found = Vec::new();
    query.tree.visit(&mut |node| {
        if node.kind == Kind::Expr && query::has(node, Kind::Column) && !query::has(node, Kind::Select) {
            let text = node.print();
            // A column alone is not meant, and one of another table cannot stand there.
            if !text.contains('.') && node.parts.len() > 1 {
                found.push(text);
            }
        }
    });
    (!found.is_empty()).then(|| found.swap_remove(seed % found.len()))
}
