//! A bag of numbers, and one like it with a bug.

use tandem::engine::Value;
use tandem::interfaces::{Rows, Unstructured, arbitrary};

/// Why a number was not put.
#[derive(Debug)]
pub enum Full {
    /// There is no room.
    Full,
    /// There is no room for so large a number.
    TooLarge,
}

impl tandem::interfaces::ErrorCode for Full {
    fn code(&self) -> String {
        format!("{self:?}")
    }
}

#[tandem::interface(reference = Model::new(u8), no_test, error = code)]
#[r#gen(u8 = number)]
pub trait Bag {
    /// Puts a number; how many of it there are.
    fn put(&mut self, number: u8) -> Result<usize, Full>;
    /// Takes a number out.
    fn take(&mut self, number: u8) -> bool;
    /// The numbers and their squares, in any order.
    fn rows(&self) -> Vec<Vec<Value>>;
    /// The numbers, in any order.
    fn numbers(&self) -> Rows<u8>;
    /// The numbers, in the order in which they came.
    fn in_order(&self) -> &[u8];
}

/// Few, so that they meet; and limits of bags.
fn number(entropy: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    entropy.choose(&[0, 1, 2, 3, 12, 101]).copied()
}

/// What is wrong with a bag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    None,
    /// Rows are reversed.
    Order,
    /// So are numbers whose order counts.
    Reversed,
    /// The third of a number counts as the second.
    Value,
    /// It takes one more than it may.
    Success,
    /// Another error.
    Code,
    /// It panics on a number that is not there.
    Panic,
    /// It does not care how many it may hold.
    Arguments,
    /// It is not made for more than 100.
    Construction,
    /// It is dropped with two numbers.
    Drop,
}

pub struct Model {
    numbers: Vec<u8>,
    rows: Vec<u8>,
    limit: u8,
    bug: Bug,
}

impl Model {
    pub fn new(limit: u8) -> Self {
        Self::with(limit, Bug::None)
    }

    pub fn with(limit: u8, bug: Bug) -> Self {
        assert!(bug != Bug::Construction || limit <= 100, "too many");
        let limit = if bug == Bug::Arguments { 200 } else { limit };
        Self { numbers: Vec::new(), rows: Vec::new(), limit, bug }
    }

    fn changed(&mut self) {
        self.rows = self.numbers.clone();
        if matches!(self.bug, Bug::Order | Bug::Reversed) {
            self.rows.reverse();
        }
    }
}

impl Bag for Model {
    fn put(&mut self, number: u8) -> Result<usize, Full> {
        let room = usize::from(self.limit) + usize::from(self.bug == Bug::Success);
        if self.numbers.len() >= room {
            let is_large = number > 9 && self.bug != Bug::Code;
            return Err(if is_large { Full::TooLarge } else { Full::Full });
        }
        self.numbers.push(number);
        self.changed();
        let count = self.numbers.iter().filter(|own| **own == number).count();
        Ok(if self.bug == Bug::Value && count == 3 { 2 } else { count })
    }

    fn take(&mut self, number: u8) -> bool {
        let at = self.numbers.iter().position(|own| *own == number);
        assert!(self.bug != Bug::Panic || at.is_some(), "{number} is not there");
        at.map(|at| self.numbers.remove(at)).inspect(|_| self.changed()).is_some()
    }

    fn rows(&self) -> Vec<Vec<Value>> {
        let row =
            |number: &u8| vec![Value::Integer((*number).into()), Value::Integer(i64::from(*number).pow(2))];
        self.rows.iter().map(row).collect()
    }

    fn numbers(&self) -> Rows<u8> {
        Rows(self.rows.clone())
    }

    fn in_order(&self) -> &[u8] {
        if self.bug == Bug::Reversed { &self.rows } else { &self.numbers }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        assert!(self.bug != Bug::Drop || self.numbers.len() < 2, "two are left");
    }
}
