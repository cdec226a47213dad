//! The corpora of SQLite's own fuzzcheck, `fuzzdataN.db`: read and written.
//!
//! ```sql
//! CREATE TABLE db(dbid INTEGER PRIMARY KEY, dbcontent BLOB);
//! CREATE TABLE xsql(sqlid INTEGER PRIMARY KEY, sqltext TEXT);
//! CREATE TABLE readme(msg TEXT);
//! CREATE TABLE config(name TEXT, value INTEGER);   -- may be missing
//! ```
//! A script in dbsqlfuzz form is a case of its own; any other runs against every database, or on an
//! empty one where there is none.

use std::path::Path;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::{CorpusError, open_to_read, replace_file};
use crate::engine::sqlite;
use crate::testcase::{FileName, TestCase, dbsqlfuzz, ossfuzz};

/// `PRAGMA page_size` of SQLite's files.
const PAGE_BYTES: u32 = 1024;

/// A row of `db` or `xsql`.
type Row = (i64, Vec<u8>);

/// The content of a `fuzzdataN.db`.
#[derive(Debug, Default)]
pub struct Fuzzdata {
    databases: Vec<Row>,
    scripts: Vec<Row>,
    is_ossfuzz: bool,
    /// Bytes that SQLite may hold, as the file's `limit-mem` has it.
    pub heap_bytes: Option<u64>,
    /// What the file says of itself.
    pub readme: String,
}

/// One case of a `fuzzdataN.db`.
pub struct FuzzdataCase {
    /// `sqlid=…` and `dbid=…`.
    pub name: String,
    /// The name of the target that it runs on.
    pub target: &'static str,
    /// The case.
    pub case: TestCase,
}

/// True if the database at `path` has the tables of a fuzzdata file.
///
/// # Errors
/// [`CorpusError`] where it is no readable database.
pub fn is_fuzzdata(path: &Path) -> Result<bool, CorpusError> {
    let _shared = sqlite::shared();
    let connection = open_to_read(path)?;
    let count = "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name IN ('db','xsql')";
    let tables: u32 = connection.query_row(count, (), |row| row.get(0)).map_err(CorpusError::sqlite(path))?;
    Ok(tables == 2)
}

impl Fuzzdata {
    /// Reads the file whole and closes it.
    ///
    /// # Errors
    /// [`CorpusError`], naming the file.
    pub fn load(path: &Path) -> Result<Self, CorpusError> {
        let _shared = sqlite::shared();
        let connection = open_to_read(path)?;
        let read = || -> rusqlite::Result<Self> {
            let has = "SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?";
            let has = |name: &str| connection.query_row(has, [name], |_| Ok(())).optional();
            let config = |name: &str| -> rusqlite::Result<Option<i64>> {
                if has("config")?.is_none() {
                    return Ok(None);
                }
                let query = "SELECT CAST(value AS INTEGER) FROM config WHERE name=?";
                connection.query_row(query, [name], |row| row.get(0)).optional()
            };
            let readme = match has("readme")? {
                Some(()) => connection
                    .query_row("SELECT CAST(msg AS TEXT) FROM readme", (), |row| row.get(0))
                    .optional()?,
                None => None,
            };
            Ok(Self {
                databases: rows(&connection, "SELECT dbid, dbcontent FROM db ORDER BY dbid")?,
                scripts: rows(&connection, "SELECT sqlid, sqltext FROM xsql ORDER BY sqlid")?,
                is_ossfuzz: config("oss-fuzz")?.is_some_and(|value| value != 0),
                heap_bytes: config("limit-mem")?
                    .and_then(|bytes| u64::try_from(bytes).ok())
                    .filter(|&n| n > 0),
                readme: readme.unwrap_or_default(),
            })
        };
        read().map_err(CorpusError::sqlite(path))
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        if self.scripts.is_empty() {
            return self.databases.len();
        }
        self.scripts.iter().map(|(_, text)| self.runs_of(text)).sum()
    }

    /// True without cases.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_own_case(&self, script: &[u8]) -> bool {
        !self.is_ossfuzz && dbsqlfuzz::looks_like(script)
    }

    /// The cases: every script against every database.
    pub fn into_cases(self) -> impl Iterator<Item = FuzzdataCase> + Send {
        let data = Arc::new(self);
        let alone = if data.scripts.is_empty() { data.databases.len() } else { 0 };
        let databases = (0..alone).map({
            let data = Arc::clone(&data);
            move |i| {
                let (id, content) = &data.databases[i];
                let case = TestCase::from_database(content.clone());
                FuzzdataCase { name: format!("dbid={id}"), target: "db_file", case }
            }
        });
        let scripts = data.scripts.len();
        let pairs = (0..scripts).flat_map({
            let data = Arc::clone(&data);
            move |script| {
                let runs = data.runs_of(&data.scripts[script].1);
                (0..runs).map(move |database| (script, database))
            }
        });
        databases.chain(pairs.map(move |(script, database)| data.pair(script, database)))
    }

    /// How often a script runs.
    fn runs_of(&self, script: &[u8]) -> usize {
        if self.is_own_case(script) { 1 } else { self.databases.len().max(1) }
    }

    /// A script on the database at an index; on none if there is none, or it brings its own.
    fn pair(&self, script: usize, database: usize) -> FuzzdataCase {
        let (id, text) = &self.scripts[script];
        let name = format!("sqlid={id}");
        if self.is_own_case(text) {
            return FuzzdataCase { name, target: "db_sql", case: TestCase::decode(text) };
        }
        let mut case = if self.is_ossfuzz { ossfuzz::decode(text) } else { TestCase::from_sql(text.clone()) };
        match self.databases.get(database) {
            None => FuzzdataCase { name, target: "sql", case },
            Some((dbid, content)) => {
                case.files.insert(FileName::main(), content.clone());
                FuzzdataCase { name: format!("{name},dbid={dbid}"), target: "db_sql", case }
            }
        }
    }
}

fn rows(connection: &Connection, query: &str) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map((), |row| {
        let content = match row.get_ref(1)? {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        };
        Ok((row.get(0)?, content))
    })?;
    rows.collect()
}

/// Writes cases as a fuzzdata file that SQLite's fuzzcheck reads: each a script of its own, in dbsqlfuzz
/// form where it has a database or settings. Returns, per case, what that form could not carry.
///
/// # Errors
/// [`CorpusError`], naming the file; the old one is then unchanged.
pub fn write<'a>(
    path: &Path,
    cases: impl IntoIterator<Item = &'a TestCase>,
) -> Result<Vec<Vec<&'static str>>, CorpusError> {
    let _shared = sqlite::shared();
    let written: Vec<dbsqlfuzz::Written> = cases.into_iter().map(dbsqlfuzz::write).collect();
    replace_file(path, |temporary| {
        let write = || -> rusqlite::Result<()> {
            let connection = Connection::open(temporary)?;
            connection.execute_batch(&format!(
                "PRAGMA page_size={PAGE_BYTES}; BEGIN;
                 CREATE TABLE db(dbid INTEGER PRIMARY KEY, dbcontent BLOB);
                 CREATE TABLE xsql(sqlid INTEGER PRIMARY KEY, sqltext TEXT);
                 CREATE TABLE readme(msg TEXT);
                 INSERT INTO readme VALUES('Written by Tandem');"
            ))?;
            for case in &written {
                // Readers take the value for text or blob alike; a blob keeps bytes that are no UTF-8.
                connection.execute("INSERT INTO xsql(sqltext) VALUES(?)", params![case.text])?;
            }
            connection.execute_batch("COMMIT; VACUUM;")?;
            connection.close().map_err(|(_, error)| error)
        };
        write().map_err(CorpusError::sqlite(temporary))
    })?;
    Ok(written.into_iter().map(|case| case.losses).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testcase::{Script, Setting};

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("tandem-fuzzdata-{name}-{}.db", std::process::id()))
    }

    #[test]
    fn every_script_runs_against_every_database_and_dbsqlfuzz_cases_alone() {
        let path = path("read");
        std::fs::remove_file(&path).ok();
        execute(
            &path,
            "CREATE TABLE db(dbid INTEGER PRIMARY KEY, dbcontent BLOB);
             CREATE TABLE xsql(sqlid INTEGER PRIMARY KEY, sqltext TEXT);
             CREATE TABLE readme(msg TEXT); INSERT INTO readme VALUES('hello');
             INSERT INTO db VALUES(3, x'0102'),(5, x'03');
             INSERT INTO xsql VALUES(1, 'SELECT 1;'),
              (4, CAST('53514c69'||char(10)||'--'||char(10)||'SELECT 2' AS BLOB));",
        );
        assert!(is_fuzzdata(&path).unwrap());
        let data = Fuzzdata::load(&path).unwrap();
        assert_eq!((data.len(), data.readme.as_str(), data.heap_bytes), (3, "hello", None));
        let names: Vec<String> =
            data.into_cases().map(|case| format!("{} {}", case.target, case.name)).collect();
        assert_eq!(names, ["db_sql sqlid=1,dbid=3", "db_sql sqlid=1,dbid=5", "db_sql sqlid=4"]);

        execute(
            &path,
            "DELETE FROM db; CREATE TABLE config(name, value);
             INSERT INTO config VALUES('oss-fuzz',1),('limit-mem',5000);
             UPDATE xsql SET sqltext=CAST(x'090A'||'SELECT 3' AS BLOB)",
        );
        let data = Fuzzdata::load(&path).unwrap();
        let (total, heap_bytes) = (data.len(), data.heap_bytes);
        let cases: Vec<FuzzdataCase> = data.into_cases().collect();
        assert_eq!((total, cases.len(), heap_bytes), (2, 2, Some(5000)));
        assert_eq!(cases[0].case.sql.as_bytes(), b"SELECT 3");
        assert_eq!(cases[0].case.config.get(Setting::RowsMax), 4);
        std::fs::remove_file(path).unwrap();
    }

    fn execute(path: &Path, sql: &str) {
        let _shared = sqlite::shared();
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    #[test]
    fn written_files_read_back() {
        let path = path("write");
        let mut image = vec![0; 4096];
        image[..16].copy_from_slice(crate::dbfile::MAGIC);
        let mut case = TestCase::from_database(image);
        case.sql = Script::new("SELECT 1");
        let losses = write(&path, [&case, &TestCase::from_sql("SELECT 2")]).unwrap();
        assert!(losses.iter().all(Vec::is_empty), "{losses:?}");
        let data = Fuzzdata::load(&path).unwrap();
        let read: Vec<TestCase> = data.into_cases().map(|case| case.case).collect();
        assert_eq!(read, [case, TestCase::from_sql("SELECT 2")]);
        std::fs::remove_file(path).unwrap();
    }
}
