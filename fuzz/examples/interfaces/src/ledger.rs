//! Accounts on SQLite, checked by assertions alone.
use rusqlite::{Connection, DropBehavior, Result};
use tandem::interfaces::{Unstructured, arbitrary};
/// The bank has two accounts; money neither comes nor goes.
#[tandem::interface(invariant_only, test = open(u16))]
#[invariant(self.balance(0) >= 0 && self.balance(1) >= 0)]
#[invariant(self.balance(0) + self.balance(1) == self.balance(-1))]
#[r#gen(u8 = account)]
pub trait Ledger {
    fn transfer(&mut self, from: u8, to: u8, amount: u16) -> Result<()>;
    #[skip]
    fn balance(&self, account: i8) -> i64;
}
/// One of the two, or one that does not exist.
pub fn account(entropy: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    entropy.int_in_range(0..=2)
}
pub fn open(each: u16) -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    let table = "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT CHECK (balance >= 0))";
    db.execute_batch(table).expect("a table");
    db.execute("INSERT INTO account VALUES(-1, 2 * ?1), (0, ?1), (1, ?1)", [each]).expect("rows");
    db
}
impl Ledger for Connection {
    fn transfer(&mut self, from: u8, to: u8, amount: u16) -> Result<()> {
        let change = "UPDATE account SET balance = balance + ?2 WHERE id = ?1 RETURNING id";
        let mut both = self.transaction()?;
        if crate::planted("ledger") {
            both.set_drop_behavior(DropBehavior::Commit);
        }
        both.query_row(change, (from, -i64::from(amount)), |_| Ok(()))?;
        both.query_row(change, (to, amount), |_| Ok(()))?;
        both.commit()
    }
    fn balance(&self, account: i8) -> i64 {
        self.query_row("SELECT balance FROM account WHERE id = ?1", [account], |row| row.get(0))
            .expect("a row")
    }
}
