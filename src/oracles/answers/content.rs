//! All that the databases of a connection hold: their schemas and the rows of their tables.

use std::collections::{BTreeMap, BTreeSet};

use super::{query, rows};
use crate::engine::Value;
use crate::engine::sqlite::{NoAnswer, Row, Session};
use crate::known;
use crate::sql::{self, VirtualTable};

/// Virtual tables that keep everything in tables of their own, and so take back what is taken back.
const TRANSACTIONAL_MODULES: [&str; 7] =
    ["fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly", "fts3tokenize"];

/// What the databases of a connection hold.
pub(super) struct Content {
    /// Rows of the schemas, after the name of theirs.
    pub schema: Vec<Row>,
    /// Rows by schema and table; absent for what cannot be read whole.
    tables: BTreeMap<(String, String), Option<Vec<Row>>>,
}

impl Content {
    /// What they hold now. Tables of virtual tables are left out: a virtual table may write there when it likes, as long
    /// as it shows the same rows.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn of(db: &mut Session<'_, '_>) -> Result<Self, &'static str> {
        let mut content = Self { schema: Vec::new(), tables: BTreeMap::new() };
        for schema in schemas(db)? {
            let quoted = sql::quoted(&schema, '"');
            let text = format!("SELECT type, name, tbl_name, sql FROM {quoted}.sqlite_master");
            let objects = db.rows(&text).map_err(query::why)?;
            // A definition need not be UTF-8.
            let definition = |row: &Row| match row.get(3)? {
                Value::Text(sql) => VirtualTable::of(sql),
                _ => None,
            };
            let virtual_tables = objects.iter().filter_map(definition).map(|table| table.name);
            let virtual_tables: BTreeSet<Vec<u8>> = virtual_tables.collect();
            for mut row in objects {
                if let [Value::Text(kind), Value::Text(name), _, definition] = &row[..]
                    && kind == b"table"
                    && let Ok(name) = std::str::from_utf8(name)
                    && is_read(name, definition, &virtual_tables)
                {
                    let rows = rows_of(&format!("{quoted}.{}", sql::quoted(name, '"')), db)?;
                    content.tables.insert((schema.clone(), name.to_owned()), rows);
                }
                row.insert(0, Value::Text(schema.clone().into_bytes()));
                content.schema.push(row);
            }
        }
        Ok(content)
    }

    /// True if there is a table with rows.
    pub(super) fn has_rows(&self) -> bool {
        self.tables.values().flatten().any(|rows| !rows.is_empty())
    }

    /// What is otherwise in another one, in words; `None` if nothing is.
    pub(super) fn difference(&self, other: &Self) -> Option<(&'static str, String)> {
        if let Some(difference) = rows::exact_difference(&self.schema, &other.schema) {
            return Some(("schema", difference));
        }
        let mut pairs =
            self.tables.iter().filter_map(|(name, rows)| Some((name, rows.as_ref()?, other.rows(name)?)));
        pairs.find_map(|((schema, table), rows, others)| {
            let difference = rows::exact_difference(rows, others)?;
            Some(("rows", format!("table {schema}.{table}: {difference}")))
        })
    }

    fn rows(&self, name: &(String, String)) -> Option<&Vec<Row>> {
        self.tables.get(name)?.as_ref()
    }
}

/// The names of the databases.
pub(super) fn schemas(db: &mut Session<'_, '_>) -> Result<Vec<String>, &'static str> {
    let rows = db.rows("PRAGMA database_list").map_err(query::why)?;
    Ok(rows.iter().filter_map(|row| text(row.get(1)?)).collect())
}

/// A text as such.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => String::from_utf8(text.clone()).ok(),
        _ => None,
    }
}

/// The module of a virtual table, by its definition; `None` for other tables.
pub(super) fn module(definition: &str) -> Option<String> {
    let mut words =
        definition.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let is_virtual = words.nth(1).is_some_and(|word| word.eq_ignore_ascii_case("virtual"));
    let mut rest = words.skip_while(|word| !word.eq_ignore_ascii_case("using"));
    is_virtual.then(|| rest.nth(1).unwrap_or_default().to_ascii_lowercase())
}

fn is_read(name: &str, definition: &Value, virtual_tables: &BTreeSet<Vec<u8>>) -> bool {
    let module = match definition {
        Value::Text(definition) => module(&String::from_utf8_lossy(definition)),
        _ => None,
    };
    module.map_or(!known::is_shadow_table(name.as_bytes(), virtual_tables), |module| {
        TRANSACTIONAL_MODULES.contains(&module.as_str())
    })
}

/// The rows of a table, with their rowids if it has them; `None` if they are too many or cannot be read.
fn rows_of(table: &str, db: &mut Session<'_, '_>) -> Result<Option<Vec<Row>>, &'static str> {
    // Without indexes, which could have another opinion.
    for columns in ["rowid, *", "*"] {
        match db.rows(&format!("SELECT {columns} FROM {table} NOT INDEXED")) {
            Ok(rows) => return Ok(Some(rows)),
            Err(NoAnswer::TooMuch) if db.ticks_left() == 0 => return Err("oracle's budget used up"),
            Err(NoAnswer::TooMuch) => return Ok(None),
            Err(NoAnswer::Error(_)) => {}
        }
    }
    Ok(None)
}
