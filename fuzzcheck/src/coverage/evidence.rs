//! Evidence from statements: names of SQL functions and pragmas in those that ran, and result codes.
//!
//! A name counts if its statement ran to the end or returned a row. Whether the function was called is shown by the
//! coverage of its code; if several names share that code, only this is available.

use std::collections::BTreeSet;
use std::ops::Range;

use tandem::TestCase;
use tandem::engine::Code;
use tandem::engine::sqlite;
use tandem::sql::{TokenKind, tokenize};

use crate::replay::report::Done;

/// What the statements of cases show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// SQL functions, in lower case.
    pub functions: BTreeSet<String>,
    /// Pragmas, in lower case.
    pub pragmas: BTreeSet<String>,
    /// Extended result codes.
    pub codes: BTreeSet<i32>,
}

/// Functions that are called without parentheses.
const BARE_FUNCTIONS: [&str; 3] = ["current_date", "current_time", "current_timestamp"];
/// Operators that call the function of their name.
const OPERATOR_FUNCTIONS: [&str; 4] = ["like", "glob", "match", "regexp"];

impl Evidence {
    /// Adds what a case did.
    pub(crate) fn add(&mut self, done: &Done) {
        let Some(digest) = &done.outcome.result.digest else { return };
        let case = TestCase::decode(&done.body);
        for setting in sqlite::pragmas(&case.config) {
            self.add_statement(setting.as_bytes());
        }
        let mut has_own = false;
        for statement in &digest.statements {
            self.codes.insert(statement.code);
            if !Code(statement.code).is_success() && statement.rows == 0 {
                continue;
            }
            if statement.sql.is_empty() {
                has_own = true;
            } else if let Some(text) = part(case.sql.as_bytes(), &statement.sql) {
                self.add_statement(text);
            }
        }
        // Statements that the target made itself; which of them failed is not told.
        if has_own && let Some(script) = done.target.program.script(&case) {
            self.add_statement(script.as_bytes());
        }
    }

    /// Adds the names in a statement that ran.
    pub(crate) fn add_statement(&mut self, sql: &[u8]) {
        let text = |range: &Range<usize>| String::from_utf8_lossy(&sql[range.clone()]).to_lowercase();
        let tokens: Vec<_> = tokenize(sql).into_iter().filter(|token| !token.kind.is_blank()).collect();
        let mut is_pragma = false;
        for (i, token) in tokens.iter().enumerate() {
            let word = text(&token.range);
            let next = tokens.get(i + 1).map(|next| &sql[next.range.clone()]);
            match token.kind {
                TokenKind::Word | TokenKind::QuotedName => {
                    let name = word.trim_matches(['"', '`', '[', ']']);
                    if is_pragma && next != Some(b".") {
                        self.pragmas.insert(name.to_owned());
                        is_pragma = false;
                    } else if name == "pragma" {
                        is_pragma = true;
                    } else if next == Some(b"(")
                        || BARE_FUNCTIONS.contains(&name)
                        || OPERATOR_FUNCTIONS.contains(&name)
                    {
                        self.functions.insert(name.to_owned());
                    }
                    if let Some(pragma) = name.strip_prefix("pragma_") {
                        self.pragmas.insert(pragma.to_owned());
                    }
                }
                _ if word.starts_with("->") => {
                    self.functions.insert(word);
                }
                _ if word == ";" => is_pragma = false,
                _ => {}
            }
        }
    }
}

fn part<'t>(text: &'t [u8], range: &Range<usize>) -> Option<&'t [u8]> {
    text.get(range.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::protocol::Job;
    use crate::replay::worker::Runner;
    use crate::replay::{Options, Outcome};
    use tandem::targets::{DB_FILE, SQL, Target};

    fn evidence(target: &'static Target, text: &str) -> Evidence {
        let case = (SQL.decode)(text.as_bytes());
        let body = case.encode();
        let options = Options { has_digests: true, ..Options::default() };
        let job = Job { index: 1, target, heap_bytes: None, body: body.clone(), exploration: None };
        let result = Runner::isolated(&options).unwrap().run(&job, &mut Default::default());
        let mut evidence = Evidence::default();
        evidence.add(&Done {
            name: "case".to_owned(),
            target,
            body,
            heap_bytes: None,
            index: 1,
            provenance: None,
            outcome: Outcome { result, harness_error: None },
        });
        evidence
    }

    #[test]
    fn names_count_where_their_statement_ran() {
        let found = evidence(
            &SQL,
            "PRAGMA main.user_version; SELECT \"Abs\"(1), 'x' LIKE 'y', '{}' ->> 'a', current_time;
             SELECT upper(no_such_column); PRAGMA cache_size; SELECT * FROM pragma_table_list;
             SELECT abs(-9223372036854775808);",
        );
        assert_eq!(
            found.pragmas.into_iter().collect::<Vec<_>>(),
            ["cache_size", "table_list", "user_version"]
        );
        let functions: Vec<_> = found.functions.iter().map(String::as_str).collect();
        assert_eq!(functions, ["->>", "abs", "current_time", "like"]);
        // One of them failed in the parser or resolver, one in the virtual machine.
        assert_eq!(found.codes.into_iter().collect::<Vec<_>>(), [1, 101]);
    }

    #[test]
    fn statements_of_a_target_count_as_its_cases() {
        let found = evidence(&DB_FILE, "");
        assert!(found.pragmas.contains("integrity_check"), "{:?}", found.pragmas);
    }
}
