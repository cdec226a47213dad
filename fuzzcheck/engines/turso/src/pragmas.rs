//! Pragmas that SQLite has and Turso has not.
//!
//! Both take any pragma that they do not know for an empty statement. Where only Turso does so, later results
//! differ without a word: `case_sensitive_like` is an example. Such a pragma is one that Turso does not support.

use std::collections::BTreeSet;

use tandem::engine::sqlite::Executor;
use tandem::sql::{self, TokenKind};
use tandem::testcase::FileSet;
use turso_core::{LimboError, Value};

use crate::disk::Disk;

/// Pragmas of SQLite that change nothing of what a later statement gives or leaves.
const NOT_MISSED: [&str; 14] = [
    "analysis_limit",
    "automatic_index",
    "cell_size_check",
    "checkpoint_fullfsync",
    "fullfsync",
    "journal_size_limit",
    "mmap_size",
    "optimize",
    "read_uncommitted",
    "reverse_unordered_selects",
    "secure_delete",
    "shrink_memory",
    "threads",
    "wal_autocheckpoint",
];

/// Pragmas that SQLite knows and Turso does not, in lower case.
pub(crate) struct Pragmas(BTreeSet<String>);

impl Pragmas {
    /// Asks both.
    pub(crate) fn new(sqlite: &Executor) -> Self {
        let known = known_to_turso().expect("Turso lists its pragmas on an empty database");
        let names = sqlite.vocabulary().pragmas.into_iter().map(|name| name.to_ascii_lowercase());
        let is_missed = |name: &String| !known.contains(name) && !NOT_MISSED.contains(&name.as_str());
        Self(names.filter(is_missed).collect())
    }

    /// The pragma of a statement that Turso would ignore, if it is one.
    pub(crate) fn ignored(&self, text: &str) -> Option<&str> {
        let name = pragma(text)?;
        self.0.get(&name).map(String::as_str)
    }
}

fn known_to_turso() -> Result<BTreeSet<String>, LimboError> {
    let connection = crate::connect(&Disk::new(&FileSet::default(), 1)?, &Default::default())?;
    let rows = connection.prepare("PRAGMA pragma_list")?.run_collect_rows()?;
    let text = |row: Vec<Value>| match row.into_iter().next() {
        Some(Value::Text(name)) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    };
    let known: BTreeSet<String> = rows.into_iter().filter_map(text).collect();
    connection.close()?;
    Ok(known)
}

/// The name behind `PRAGMA` and, if there is one, the schema.
fn pragma(text: &str) -> Option<String> {
    let tokens = sql::tokenize(text.as_bytes());
    let mut tokens = tokens.iter().filter(|token| !token.kind.is_blank());
    let is_pragma = |token: &&sql::Token| text[token.range.clone()].eq_ignore_ascii_case("pragma");
    tokens.next().filter(is_pragma)?;
    let mut name = None;
    while let Some(token) = tokens.next() {
        if !matches!(token.kind, TokenKind::Word | TokenKind::QuotedName) {
            break;
        }
        name = Some(sql::bare(&text[token.range.clone()]).to_ascii_lowercase());
        if tokens.next().is_none_or(|next| &text[next.range.clone()] != ".") {
            break;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_pragma_is_found() {
        assert_eq!(pragma("PRAGMA Cache_Size=3").as_deref(), Some("cache_size"));
        assert_eq!(pragma(" /**/ pragma main . \"user_version\";").as_deref(), Some("user_version"));
        assert_eq!(pragma("PRAGMA table_info(t)").as_deref(), Some("table_info"));
        assert_eq!(pragma("SELECT pragma FROM x"), None);
        assert_eq!(pragma("PRAGMA"), None);
    }

    #[test]
    fn what_only_turso_ignores_is_known() {
        let pragmas = Pragmas::new(&Executor::shared());
        assert_eq!(pragmas.ignored("PRAGMA case_sensitive_like=ON"), Some("case_sensitive_like"));
        assert_eq!(pragmas.ignored("PRAGMA user_version=1"), None, "both have it");
        assert_eq!(pragmas.ignored("PRAGMA threads=2"), None, "it changes nothing");
        assert_eq!(pragmas.ignored("PRAGMA nonsense"), None, "neither has it");
    }
}
