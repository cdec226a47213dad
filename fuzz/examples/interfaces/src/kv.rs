//! A key-value store on SQLite against a map.
use rusqlite::{Connection, Result};
use std::collections::BTreeMap;
#[tandem::interface(reference = BTreeMap::new(), test = open, name = kv)]
pub trait Store {
    fn put(&mut self, key: u8, value: &str) -> Result<()>;
    fn cut(&mut self, from: u8) -> Result<usize>;
    fn pairs(&self) -> Result<Vec<(u8, String)>>;
}
impl Store for BTreeMap<u8, String> {
    fn put(&mut self, key: u8, value: &str) -> Result<()> {
        self.insert(key, value.to_owned());
        Ok(())
    }
    fn cut(&mut self, from: u8) -> Result<usize> {
        Ok(self.split_off(&from).len())
    }
    fn pairs(&self) -> Result<Vec<(u8, String)>> {
        Ok(self.clone().into_iter().collect())
    }
}
pub fn open() -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    db.execute_batch("CREATE TABLE kv(key INTEGER PRIMARY KEY, value TEXT)").expect("a table");
    db
}
impl Store for Connection {
    fn put(&mut self, key: u8, value: &str) -> Result<()> {
        self.execute("INSERT OR REPLACE INTO kv VALUES(?1, ?2)", (key, value)).map(drop)
    }
    fn cut(&mut self, from: u8) -> Result<usize> {
        let least = if crate::planted("kv") { "key > ?1" } else { "key >= ?1" };
        self.execute(&format!("DELETE FROM kv WHERE {least}"), [from])
    }
    fn pairs(&self) -> Result<Vec<(u8, String)>> {
        let mut query = self.prepare("SELECT key, value FROM kv ORDER BY key")?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }
}
