//! Two versions of a layer, which must do the same but for what the new one fixes.
use rusqlite::{Connection, Result};
pub type Page = (u8, Vec<String>);
pub type Fix = (&'static str, fn(&Page, &Page) -> bool);
/// What is fixed, and whether a difference follows from it.
pub const FIXED: [Fix; 2] = [
    ("issue 7: a page of 0 words held all of them", |_, new| new.0 == 0 && new.1.is_empty()),
    ("issue 9: the empty word was left out", |_, new| new.1.first().is_some_and(|word| word.is_empty())),
];
pub fn same(old: &Page, new: &Page) -> bool {
    old.1 == new.1 || FIXED.iter().any(|(_, explains)| explains(old, new))
}
#[tandem::interface(reference = first, test = second)]
#[compare(Page = same)]
pub trait Words {
    fn add(&mut self, word: &str) -> Result<usize>;
    fn page(&self, length: u8) -> Result<Page>;
}
pub fn first() -> Version {
    open("SELECT word FROM words WHERE word <> '' ORDER BY word LIMIT iif(?1, ?1, -1)")
}
pub fn second() -> Version {
    let order = if crate::planted("words") { "rowid" } else { "word" };
    open(&format!("SELECT word FROM words ORDER BY {order} LIMIT ?1"))
}
pub struct Version(Connection, String);
fn open(query: &str) -> Version {
    let db = Connection::open_in_memory().expect("memory");
    db.execute_batch("CREATE TABLE words(word TEXT)").expect("a table");
    Version(db, query.to_owned())
}
impl Words for Version {
    fn add(&mut self, word: &str) -> Result<usize> {
        self.0.execute("INSERT INTO words VALUES(?1)", [word])
    }
    fn page(&self, length: u8) -> Result<Page> {
        let words = self.0.prepare(&self.1)?.query_map([length], |row| row.get(0))?.collect::<Result<_>>();
        Ok((length, words?))
    }
}
