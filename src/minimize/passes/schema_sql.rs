//! Reduces the SQL of the schema as [`super::syntax`] reduces the script.

use std::ops::Range;

use super::{Part, Pass, syntax, with_main};
use crate::dbfile::record::{self, Value};
use crate::dbfile::schema::{self, SchemaRow};
use crate::dbfile::space::Space;
use crate::dbfile::{Geometry, header, rows};
use crate::sql::tree;
use crate::testcase::TestCase;

/// The column of `sqlite_schema` that holds the SQL.
const SQL: usize = 4;

pub(super) struct SchemaSql;

/// The rows of the schema, each with the possible reductions of its SQL.
fn places(case: &TestCase) -> Vec<(SchemaRow, String)> {
    let mut places = Vec::new();
    for row in schema::rows(case.files.main().unwrap_or_default()) {
        if let Some(tree) = tree::parse(row.sql.as_bytes()) {
            let texts = syntax::edits(&tree).into_iter().filter_map(|edit| match edit {
                // The object would become a query.
                syntax::Edit::Query(_) => None,
                edit => syntax::edited(&tree, edit),
            });
            places.extend(texts.map(|text| (row.clone(), text)));
        }
    }
    places
}

impl Pass for SchemaSql {
    fn name(&self) -> &'static str {
        "SQL of the schema"
    }

    fn part(&self) -> Part {
        Part::Db
    }

    fn count(&self, case: &TestCase) -> usize {
        places(case).len()
    }

    fn without(&self, case: &TestCase, at: Range<usize>) -> Option<TestCase> {
        let (row, sql) = places(case).into_iter().nth(at.start)?;
        with_main(case, |image| {
            let geometry = Geometry::of(image);
            let found = rows::of(image, &geometry, 1, usize::MAX)
                .into_iter()
                .find(|found| (found.page, found.offset) == (row.page, row.offset))?;
            let mut values = record::values(&found.read(image, &geometry));
            *values.get_mut(SQL)? = Value::Text(schema::encode(&sql, header::ENCODING.get(image)));
            rows::replace(&mut Space::new(image, 0), &found, Some(row.rowid), &record::encode(&values))
        })
    }

    fn is_divisible(&self) -> bool {
        false
    }
}
