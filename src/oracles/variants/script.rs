//! Which statements of a script have an answer that no set-up may change.

use super::Keeps;
use super::plans;
use crate::dbfile::schema;
use crate::engine::{Observation, StatementTrace};
use crate::sql::{self, TokenKind};
use crate::testcase::{RICH_SCHEMA, Setting, TestCase};

/// Functions and tables that show random numbers, or how SQLite does its work. Dates are not among them: the clock of
/// the simulated machine stands still.
const REVEALING: [&str; 19] = [
    "random",
    "randomblob",
    "sqlite_offset",
    "sqlite_dbpage",
    "dbstat",
    "sqlite_stmt",
    "bytecode",
    "tables_used",
    "sqlite_stat4",
    "sqlite_stat3",
    "max_page_count",
    "sqlite_dbdata",
    "sqlite_dbptr",
    "sqlite_memstat",
    // They say on which page a table begins.
    "sqlite_schema",
    "sqlite_master",
    "sqlite_temp_schema",
    "sqlite_temp_master",
    "rootpage",
];
/// Statements that are about the set-up.
const ABOUT_SETUP: [&str; 4] = ["PRAGMA", "EXPLAIN", "ATTACH", "DETACH"];

/// For each statement of a run whether its rows and its success are compared.
///
/// # Errors
/// If what is stored may differ: why.
pub(super) fn compared(case: &TestCase, own: &Observation, keeps: Keeps) -> Result<Vec<bool>, &'static str> {
    let sql = case.sql.as_bytes();
    let brought = schema_text(case, own);
    if hazard(&words(brought.as_bytes()), keeps).is_some() {
        return Err("a schema with what another set-up may change");
    }
    if keeps == Keeps::Answers && plans::is_open(brought.as_bytes()) {
        return Err("a schema in which the order of rows decides");
    }
    let about = plans::About::of(sql, &brought);
    let is_compared = |statement: &StatementTrace| {
        let text = sql.get(statement.sql.clone()).unwrap_or_default();
        let mut reason = hazard(&words(text), keeps);
        let is_about_setup = ABOUT_SETUP.contains(&statement.verb);
        if keeps == Keeps::Answers && reason.is_none() && !is_about_setup {
            reason = about.hazard(text, statement);
        }
        let is_query = ["SELECT", "VALUES", "WITH"].contains(&statement.verb) && statement.is_read_only;
        match reason {
            None => Ok(!is_about_setup),
            Some(_) if is_query || statement.verb == "EXPLAIN" => Ok(false),
            Some(reason) => Err(reason),
        }
    };
    own.trace.statements.iter().map(is_compared).collect()
}

/// The SQL of the schema before and after the script, as far as it is known: what the script itself creates is in both
/// the script and this.
fn schema_text(case: &TestCase, own: &Observation) -> String {
    let mut text = String::new();
    let images = case.files.main().into_iter();
    images.flat_map(schema::rows).for_each(|row| text += &format!("{};\n", row.sql));
    own.end.iter().flat_map(|end| &end.schema).for_each(|[.., sql]| text += &format!("{sql};\n"));
    if case.config.is_on(Setting::RichSchema) && case.files.main().is_none() {
        text += RICH_SCHEMA;
    }
    text
}

/// Names, keywords and texts in lower case, without quotes: a text may be a name, too.
pub(super) fn words(text: &[u8]) -> Vec<String> {
    let named =
        |token: &sql::Token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedName | TokenKind::Text);
    let tokens = sql::tokenize(text).into_iter().filter(named);
    let bare = |token: sql::Token| {
        sql::bare(&String::from_utf8_lossy(&text[token.range])).trim_matches('\'').to_ascii_lowercase()
    };
    tokens.map(bare).collect()
}

fn hazard(words: &[String], keeps: Keeps) -> Option<&'static str> {
    let reveals = |word: &String| REVEALING.contains(&word.as_str()) || word.starts_with("pragma_");
    if words.iter().any(reveals) {
        return Some("what shows random numbers or the set-up");
    }
    (keeps == Keeps::Answers).then(|| plans::hazard_of_words(words)).flatten()
}

/// True if any of these words is in the script, or in the schema.
pub(super) fn mentions(case: &TestCase, own: &Observation, names: &[&str]) -> bool {
    let has = |text: &[u8]| words(text).iter().any(|word| names.contains(&word.as_str()));
    has(case.sql.as_bytes()) || has(schema_text(case, own).as_bytes())
}

/// The script with the values of these pragmas, wherever it sets them. The number of its statements stays the same.
pub(super) fn with_pragmas(sql: &[u8], pragmas: &[(&'static str, &'static str)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(sql.len() + 64);
    for range in sql::statements(sql) {
        let text = &sql[range];
        match replaced(text, pragmas) {
            Some(pragma) => out.extend(pragma.into_bytes()),
            None => out.extend_from_slice(text),
        }
    }
    out
}

/// `PRAGMA [schema.]name=…` with another value; `None` for another statement, or a pragma without a value.
fn replaced(text: &[u8], pragmas: &[(&'static str, &'static str)]) -> Option<String> {
    let tokens = sql::tokenize(text).into_iter().filter(|token| !token.kind.is_blank());
    let tokens: Vec<&str> =
        tokens.map(|token| std::str::from_utf8(&text[token.range])).collect::<Result<_, _>>().ok()?;
    let (schema, name, rest) = match &tokens[..] {
        [pragma, schema, ".", name, rest @ ..] if pragma.eq_ignore_ascii_case("pragma") => {
            (format!("{schema}."), *name, rest)
        }
        [pragma, name, rest @ ..] if pragma.eq_ignore_ascii_case("pragma") => (String::new(), *name, rest),
        _ => return None,
    };
    let (name, value) = pragmas.iter().find(|(known, _)| known.eq_ignore_ascii_case(sql::bare(name)))?;
    matches!(rest.first(), Some(&("=" | "("))).then(|| format!("\nPRAGMA {schema}{name}={value};"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pragmas_of_the_script_are_replaced_where_they_set_something() {
        let replaced = |sql: &str| {
            let changed = with_pragmas(sql.as_bytes(), &[("journal_mode", "WAL"), ("cache_size", "1")]);
            String::from_utf8(changed).unwrap().replace('\n', "")
        };
        assert_eq!(replaced("SELECT 1; pragma Journal_Mode = off; x"), "SELECT 1;PRAGMA journal_mode=WAL; x");
        assert_eq!(
            replaced("PRAGMA main.cache_size(7); PRAGMA cache_size;"),
            "PRAGMA main.cache_size=1; PRAGMA cache_size;"
        );
        assert_eq!(
            replaced("PRAGMA synchronous=1; SELECT 'PRAGMA cache_size=1'"),
            "PRAGMA synchronous=1; SELECT 'PRAGMA cache_size=1'"
        );
    }
}
