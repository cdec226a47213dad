//! The schema in the file: the rows of `sqlite_schema`
//! (<https://sqlite.org/fileformat2.html#storage_of_the_sql_database_schema>).

use super::record::{self, Value};
use super::{Geometry, header, tree};

/// A row of `sqlite_schema`, with the position of its cell.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaRow {
    /// Page of the cell.
    pub page: u32,
    /// Offset of the cell in that page.
    pub offset: usize,
    /// Key of the row.
    pub rowid: i64,
    /// `table`, `index`, `view` or `trigger`; anything in a damaged file.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// The table it belongs to.
    pub table: String,
    /// Root page; 0 for objects without one.
    pub root: i64,
    /// The statement that creates it; empty for automatic indexes.
    pub sql: String,
    /// Every column has the type that SQLite gives it. A blob is read as text, but does not compare like one.
    pub is_typed: bool,
}

impl SchemaRow {
    /// The root page, if the row has one that is a page of the image.
    pub fn root_page(&self, geometry: &Geometry) -> Option<u32> {
        let root = u32::try_from(self.root).ok()?;
        (root >= 1 && root <= geometry.pages).then_some(root)
    }

    /// Whether SQLite treats the root page as that of a b-tree, which depends on the SQL alone and not on
    /// [`SchemaRow::kind`]. Rows without SQL belong to automatic indexes. `None` if that is not obvious.
    pub fn has_btree(&self) -> Option<bool> {
        let sql = self.sql.to_ascii_uppercase();
        let begins = |beginnings: &[&str]| beginnings.iter().any(|words| sql.starts_with(words));
        if sql.is_empty() || begins(&["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "]) {
            Some(self.root != 0)
        } else {
            begins(&["CREATE VIEW ", "CREATE TRIGGER ", "CREATE VIRTUAL TABLE "]).then_some(false)
        }
    }

    /// True if the b-tree of the row has keys and no rowids: an index, or a table WITHOUT ROWID.
    pub fn is_index_btree(&self) -> bool {
        let sql = self.sql.to_ascii_uppercase();
        !self.is_table() || sql.contains("WITHOUT") && sql.contains("ROWID")
    }

    /// True if type, name and table of the row agree with its SQL, as in every row that SQLite writes. It does not
    /// check them, and relies on them when it drops or alters the object.
    pub fn is_consistent(&self) -> bool {
        let sql = self.sql.to_ascii_uppercase();
        if !self.is_typed {
            return false;
        }
        if sql.is_empty() {
            return self.kind == "index"
                && self.name.starts_with(&format!("sqlite_autoindex_{}_", self.table));
        }
        let kinds =
            [("table", "TABLE "), ("table", "VIRTUAL TABLE "), ("view", "VIEW "), ("trigger", "TRIGGER ")];
        let indexes = [("index", "INDEX "), ("index", "UNIQUE INDEX ")];
        let is_kind = |(kind, words): &(&str, &str)| {
            let rest = sql.strip_prefix("CREATE ");
            self.kind == *kind && rest.is_some_and(|rest| rest.starts_with(words))
        };
        let names = |name: &str| !name.is_empty() && sql.contains(&name.to_ascii_uppercase());
        let is_own_table = !matches!(self.kind.as_str(), "table" | "view") || self.table == self.name;
        kinds.iter().chain(&indexes).any(is_kind) && names(&self.name) && names(&self.table) && is_own_table
    }

    /// True for an ordinary or virtual table.
    pub fn is_table(&self) -> bool {
        self.kind == "table"
    }

    /// True for a table without a b-tree of its own.
    pub fn is_virtual(&self) -> bool {
        self.is_table() && self.root == 0
    }
}

/// Columns of `sqlite_schema`.
const COLUMNS: usize = 5;

/// The rows of `sqlite_schema`, as far as they can be read. Text that is invalid in the encoding of the database is
/// replaced. On a page whose cells overlap, thousands may share the same bytes: no more is read than the image could
/// hold otherwise.
pub fn rows(image: &[u8]) -> Vec<SchemaRow> {
    use Value::Text;
    let geometry = Geometry::of(image);
    let encoding = header::ENCODING.get(image);
    let mut rows = Vec::new();
    let mut bytes_left = image.len();
    for (page, offset, cell) in tree::leaf_cells(image, &geometry, 1) {
        let Some(payload) = cell.payload else {
            continue;
        };
        let bytes = tree::payload(image, &geometry, page, offset, &payload);
        bytes_left = match bytes_left.checked_sub(bytes.len()) {
            Some(left) => left,
            None => break,
        };
        let columns = record::leading_columns(&bytes, COLUMNS);
        let values: Vec<Value> = columns.iter().map(|column| record::value(&bytes, column)).collect();
        let text = |i: usize| match values.get(i) {
            Some(Value::Text(text) | Value::Blob(text)) => decode(text, encoding),
            _ => String::new(),
        };
        let root = match values.get(3) {
            Some(Value::Integer(root)) => *root,
            _ => 0,
        };
        rows.push(SchemaRow {
            page,
            offset,
            rowid: cell.rowid.unwrap_or(0),
            kind: text(0),
            name: text(1),
            table: text(2),
            root,
            sql: text(4),
            is_typed: matches!(
                values[..],
                [Text(_), Text(_), Text(_), Value::Integer(_) | Value::Null, Text(_) | Value::Null]
            ),
        });
    }
    rows
}

/// Decodes text in the encoding of header field [`header::ENCODING`].
pub fn decode(text: &[u8], encoding: u32) -> String {
    let unit = match encoding {
        2 => u16::from_le_bytes,
        3 => u16::from_be_bytes,
        _ => return String::from_utf8_lossy(text).into_owned(),
    };
    let units = text.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Encodes text in the encoding of header field [`header::ENCODING`].
pub fn encode(text: &str, encoding: u32) -> Vec<u8> {
    match encoding {
        2 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        3 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => text.as_bytes().to_vec(),
    }
}
