//! Changes the declaration of a table in the image but not its rows; then statements of the script read or write it.

use super::db_header::has_main;
use super::joint::append;
use super::sql_tokens::splice;
use super::{Context, Mutator, Outcome, db_schema, sql_templates};
use crate::dbfile::schema::{self, SchemaRow};
use crate::sql::{self, Names, Token, TokenKind};
use crate::testcase::{FileName, TestCase};

/// What may follow the name of a column.
const CONSTRAINTS: [&str; 20] = [
    "INT",
    "TEXT",
    "REAL",
    "BLOB",
    "NUMERIC",
    "ANY",
    "INTEGER PRIMARY KEY",
    "INTEGER PRIMARY KEY DESC",
    "PRIMARY KEY",
    "UNIQUE",
    "NOT NULL",
    "NOT NULL DEFAULT 7",
    "DEFAULT (1+1)",
    "COLLATE NOCASE",
    "COLLATE RTRIM",
    "CHECK(typeof(1)='text')",
    "AS (1)",
    "AS (rowid) STORED",
    "GENERATED ALWAYS AS ('x'||1) VIRTUAL",
    "REFERENCES sqlite_schema(name)",
];
/// Columns and constraints to add at the end.
const COLUMNS: [&str; 7] = [
    ", zz",
    ", zz INT NOT NULL DEFAULT 5",
    ", zz TEXT DEFAULT 'late'",
    ", zz AS (1) STORED",
    ", zz AS (2) VIRTUAL",
    ", UNIQUE(rowid)",
    ", CHECK(0)",
];
/// What may follow the closing parenthesis.
const OPTIONS: [&str; 4] = [" WITHOUT ROWID", " STRICT", " STRICT, WITHOUT ROWID", ""];
/// Statements that then use the table.
const USES: [&str; 8] = [
    "INSERT INTO $T($C) VALUES($L); SELECT * FROM $T;",
    "INSERT INTO $T($C, $C) VALUES($L, $L) RETURNING *;",
    "SELECT $C, typeof($C) FROM $T WHERE $C = $L ORDER BY $C;",
    "UPDATE $T SET $C = $C, $C = $L;",
    "DELETE FROM $T WHERE $C IS NOT NULL; INSERT INTO $T DEFAULT VALUES;",
    "SELECT * FROM $T AS a JOIN $T AS b USING($C); REINDEX;",
    "ALTER TABLE $T ADD COLUMN $N; SELECT * FROM $T;",
    "ALTER TABLE $T DROP COLUMN $C; VACUUM; SELECT * FROM $T;",
];

/// Changes a declaration.
pub(super) struct Declaration;

impl Mutator for Declaration {
    fn can_mutate(&self, case: &TestCase) -> bool {
        has_main(case)
    }

    fn mutate(&self, case: &mut TestCase, context: &mut Context<'_>) -> Outcome {
        let rows = schema::rows(case.files.main().unwrap_or_default());
        let is_own = |row: &&SchemaRow| row.is_table() && row.root != 0 && !row.name.starts_with("sqlite_");
        let tables: Vec<&SchemaRow> = rows.iter().filter(is_own).collect();
        let Some(table) = context.pick(&tables) else {
            return Outcome::Skipped;
        };
        let Some(sql) = redeclare(&table.sql, context) else {
            return Outcome::Skipped;
        };
        let mut outcome = Outcome::Skipped;
        let set = |image: &mut Vec<u8>| outcome = db_schema::set_sql(image, table, &sql, context);
        case.files.edit(&FileName::main(), set);
        if outcome == Outcome::Mutated {
            let names = Names::of(sql.as_bytes());
            let template = USES[context.rng.usize(0..USES.len())];
            let statements = sql_templates::fill(template, &names, context);
            append(case, &statements, context);
        }
        outcome
    }
}

/// Changes a column, a constraint or an option of a CREATE TABLE.
fn redeclare(sql: &str, context: &mut Context<'_>) -> Option<String> {
    let bytes = sql.as_bytes();
    let tokens: Vec<Token> =
        sql::tokenize(bytes).into_iter().filter(|token| !token.kind.is_blank()).collect();
    let is = |token: &Token, text: &[u8]| &bytes[token.range.clone()] == text;
    let open = tokens.iter().position(|token| is(token, b"("))?;
    let close = tokens.iter().rposition(|token| is(token, b")")).filter(|&close| close > open)?;
    // The commas between columns, and the start of each part.
    let mut depth = 0;
    let mut starts = vec![open + 1];
    for (i, token) in tokens.iter().enumerate().take(close).skip(open) {
        depth += i32::from(is(token, b"(")) - i32::from(is(token, b")"));
        if depth == 1 && is(token, b",") {
            starts.push(i + 1);
        }
    }
    let at = |token: usize| tokens[token].range.clone();
    let new = match context.rng.u8(0..8) {
        0 => splice(
            bytes,
            at(close).start..at(close).start,
            COLUMNS[context.rng.usize(0..COLUMNS.len())].as_bytes(),
        ),
        1 => {
            let options = OPTIONS[context.rng.usize(0..OPTIONS.len())];
            splice(bytes, at(close).end..bytes.len(), options.as_bytes())
        }
        2 if starts.len() > 1 => {
            // Drops the last part.
            let comma = starts.last()? - 1;
            splice(bytes, at(comma).start..at(close).start, b"")
        }
        3 if starts.len() > 1 => {
            // Swaps the names of two columns.
            let (a, b) = (context.pick(&starts).copied()?, context.pick(&starts).copied()?);
            let (a, b) = (a.min(b), a.max(b));
            let (first, second) = (at(a), at(b));
            (second.start >= first.end).then_some(())?;
            let exchanged = splice(bytes, second.clone(), &bytes[first.clone()]);
            splice(&exchanged, first, &bytes[second])
        }
        _ => {
            let name = context.pick(&starts).copied().filter(|&start| start < close)?;
            let is_name = matches!(tokens[name].kind, TokenKind::Word | TokenKind::QuotedName);
            is_name.then_some(())?;
            let constraint = CONSTRAINTS[context.rng.usize(0..CONSTRAINTS.len())];
            // Replaces the type, if it is a single word, or follows the name.
            let next = at(name + 1);
            let replaces = tokens[name + 1].kind == TokenKind::Word && context.chance(60);
            let range = if replaces { next } else { at(name).end..at(name).end };
            splice(bytes, range, format!(" {constraint} ").as_bytes())
        }
    };
    Some(String::from_utf8_lossy(&new).into_owned()).filter(|new| new != sql)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Code;
    use crate::engine::sqlite::{Budget, Executor, ScriptProgram};
    use crate::generators::seeds;
    use crate::mutators::tests::with_context;

    /// Some of the results run; the rest meet a schema that SQLite refuses.
    #[test]
    fn statements_go_through_the_new_declaration() {
        let mut executor = Executor::shared();
        let cases: Vec<TestCase> =
            seeds::db_file().iter().map(|seed| seed.build(&executor).unwrap()).collect();
        let (mut edited, mut run, mut refused) = (0, 0, 0);
        for seed in 0..300_usize {
            let mut case = cases[seed % cases.len()].clone();
            if with_context(seed as u64, 4096, |context| Declaration.mutate(&mut case, context))
                == Outcome::Skipped
            {
                continue;
            }
            edited += 1;
            let trace = executor.run(&case, &ScriptProgram, &Budget::UNLIMITED).trace;
            let is_good = |code: Code| code == Code::DONE || code == Code::ROW;
            run += u32::from(trace.statements.iter().any(|statement| is_good(statement.code())));
            refused += u32::from(trace.statements.iter().any(|statement| !is_good(statement.code())));
        }
        println!("{edited} edited, {run} run, {refused} refused");
        assert!(edited > 200 && run * 4 > edited && refused * 10 > edited, "{run}, {refused} of {edited}");
    }

    #[test]
    fn any_text_is_survived() {
        for sql in [
            "",
            "(",
            ")(",
            "CREATE TABLE t(",
            "CREATE TABLE t()",
            "t(,)",
            "t(a,(b),",
            "\u{e9}(\u{e9} \u{e9})",
        ] {
            for seed in 0..200 {
                with_context(seed, 100, |context| redeclare(sql, context));
            }
        }
    }
}
