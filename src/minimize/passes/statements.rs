//! Statements of the script.

use std::ops::Range;

use super::{Part, Pass, with_sql};
use crate::sql;
use crate::testcase::TestCase;

pub(super) struct Statements;

impl Pass for Statements {
    fn name(&self) -> &'static str {
        "statements"
    }

    fn part(&self) -> Part {
        Part::Sql
    }

    fn count(&self, case: &TestCase) -> usize {
        sql::statements(case.sql.as_bytes()).count()
    }

    fn without(&self, case: &TestCase, places: Range<usize>) -> Option<TestCase> {
        let text = case.sql.as_bytes();
        let kept = sql::statements(text).enumerate().filter(|(at, _)| !places.contains(at));
        Some(with_sql(case, kept.flat_map(|(_, range)| text[range].to_vec()).collect()))
    }
}
