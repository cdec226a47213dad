//! Scripts of several connections as text.

use super::operations::{CONNECTIONS_MAX, OPERATIONS_MAX, Operation, Operations};
use super::{Script, TestCase};
use crate::sql;

impl TestCase {
    /// The case of a script of several connections. Each line is statements, and begins with the number of the connection that
    /// runs them and a colon; lines without a number come first, on connection 0, before the others begin.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn from_turns(text: &str) -> Result<Self, String> {
        let (mut setup, mut others) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            let numbered = line
                .split_once(':')
                .and_then(|(connection, rest)| Some((connection.trim().parse::<u8>().ok()?, rest)));
            let (list, connection, sql) = match numbered {
                Some((connection, rest)) if connection < CONNECTIONS_MAX => (&mut others, connection, rest),
                Some((connection, _)) => {
                    let last = CONNECTIONS_MAX - 1;
                    return Err(format!("line {number}: no connection {connection}: there are 0 to {last}"));
                }
                None => (&mut setup, 0, line),
            };
            for range in sql::statements(sql.as_bytes()) {
                let statement = sql[range].trim().trim_end_matches(';').trim_end();
                if !statement.is_empty() {
                    list.push((connection, statement));
                }
            }
        }
        if others.is_empty() {
            return Err("no line begins with the number of a connection, such as `1: SELECT 1`".to_owned());
        }
        let run = |&(connection, _): &(u8, &str)| Operation::Run { connection };
        let mut operations: Vec<Operation> = setup.iter().map(run).collect();
        operations.extend((!setup.is_empty()).then_some(Operation::Meet));
        operations.extend(others.iter().map(run));
        if operations.len() > OPERATIONS_MAX {
            let count = operations.len();
            return Err(format!("{count} statements: a case has at most {OPERATIONS_MAX} operations"));
        }
        let script: String = setup.iter().chain(&others).map(|(_, sql)| format!("{sql};\n")).collect();
        let operations = Operations::new(operations);
        Ok(Self { sql: Script::new(script), operations, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_numbers_are_those_of_connections() {
        let case =
            TestCase::from_turns("CREATE TABLE t(a);\n0: BEGIN; SELECT ':'\n1:DELETE FROM t;").unwrap();
        assert_eq!(case.sql.as_bytes(), b"CREATE TABLE t(a);\nBEGIN;\nSELECT ':';\nDELETE FROM t;\n");
        let run = |connection| Operation::Run { connection };
        assert_eq!(case.operations.list(), [run(0), Operation::Meet, run(0), run(0), run(1)]);
        let wrong = |text: &str| TestCase::from_turns(text).unwrap_err();
        assert!(wrong("SELECT 1").contains("no line begins"));
        assert!(wrong("0: SELECT 1\n4: SELECT 1").contains("line 2: no connection 4"));
        assert!(wrong(&format!("1: {}", "SELECT 1;".repeat(300))).contains("300 statements"));
    }
}
