//! Values as source text, simpler values, values that are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use tandem::agree;
use tandem::engine::Value;
use tandem::interfaces::compare::Aspect;
use tandem::interfaces::{ErrorCode as _, Generate, Literal, Rows};

/// The source text of each value is the one with which it is written here.
macro_rules! written {
    ($($type:ty: $value:expr;)*) => {$({
        let value: $type = $value;
        let blank = |text: &str| text.replace([' ', '\n'], "");
        assert_eq!(blank(&value.literal()).replace(",)", ")"), blank(stringify!($value)).replace(",)", ")"));
    })*};
}

#[test]
fn the_source_text_of_a_value_is_an_expression_of_it() {
    written! {
        i8: -128;
        u64: 18446744073709551615;
        f64: 0.1;
        f64: -0.0;
        f64: 1e300;
        f64: f64::NAN;
        f32: f32::NEG_INFINITY;
        (): ();
        bool: true;
        char: '\'';
        String: String::new();
        String: "a\"\u{1}\n\\".to_owned();
        Vec<u8>: vec![];
        Vec<Vec<i16>>: vec![vec![1, -2], vec![]];
        [u8; 2]: [1, 2];
        Option<Box<u8>>: Some(Box::new(7));
        Option<u8>: None;
        (u8,): (1,);
        (u8, String): (1, "a".to_owned());
        BTreeSet<u8>: std::collections::BTreeSet::from([1, 2]);
        BTreeMap<u8, bool>: std::collections::BTreeMap::from([(1, true)]);
        Value: tandem::engine::Value::Text(vec![97]);
        Value: tandem::engine::Value::Null;
        rusqlite::types::Value: rusqlite::types::Value::Real(0.5);
    }
}

/// From any value, simpler ones are reached until there is none; none is the value itself.
#[track_caller]
fn ends<T: Generate + Debug>(value: T, last: &str) {
    let (mut value, mut steps) = (value, 0);
    // The last ones are the least different ones.
    while let Some(simpler) = value.simpler().pop() {
        assert_ne!(format!("{simpler:?}"), format!("{value:?}"));
        (value, steps) = (simpler, steps + 1);
        assert!(steps < 10_000, "it does not end: {value:?}");
    }
    assert_eq!(format!("{value:?}"), last);
}

#[test]
fn simpler_values_end_with_the_simplest() {
    ends(300_u16, "0");
    ends(i8::MIN, "0");
    ends(-3.75, "0.0");
    ends(f64::NAN, "0.0");
    ends("a long text".to_owned(), "\"\"");
    ends(vec![Some(3), None], "[]");
    ends((3_u8, [true, false], Box::new('x')), "(0, [false, false], 'a')");
    ends(BTreeMap::from([(3_u8, "b".to_owned())]), "{}");
    ends(Value::Integer(3), "Null");
    // The simplest come first.
    assert_eq!(1000_i32.simpler(), [0, 500, 999]);
    assert_eq!(0_u8.simpler(), [0; 0]);
}

#[test]
fn values_that_are_the_same() {
    #[derive(Debug, PartialEq)]
    struct Plain(u8);
    assert!(agree!(Plain(1), Plain(1)).is_ok() && agree!(Plain(1), Plain(2)).is_err());
    assert!(agree!(Some(Plain(1)), Some(Plain(1))).is_ok());
    assert!(agree!(f64::NAN, f64::NAN).is_ok() && agree!((1, vec![f64::NAN]), (1, vec![f64::NAN])).is_ok());
    assert!(agree!("a", "a").is_ok() && agree!(Some("a"), Some("b")).is_err());
    // Lists have an order, rows have none; a row has one, and each row is there as often.
    let rows = |numbers: &[[i64; 2]]| -> Vec<Vec<Value>> {
        numbers.iter().map(|row| row.iter().map(|number| Value::Integer(*number)).collect()).collect()
    };
    assert!(agree!(vec![1, 2], vec![2, 1]).is_err());
    assert!(agree!(rows(&[[1, 2], [3, 4]]), rows(&[[3, 4], [1, 2]])).is_ok());
    assert!(agree!(Some(rows(&[[1, 2], [3, 4]])), Some(rows(&[[3, 4], [1, 2]]))).is_ok());
    assert!(agree!(rows(&[[1, 2]]), rows(&[[2, 1]])).is_err());
    assert!(agree!(rows(&[[1, 2], [1, 2], [3, 4]]), rows(&[[1, 2], [3, 4], [3, 4]])).is_err());
    assert!(agree!(Rows(vec![Plain(1), Plain(2)]), Rows(vec![Plain(2), Plain(1)])).is_ok());
    assert!(agree!(Rows(vec![1]), Rows(vec![1, 1])).is_err());
    let cells = |real| vec![vec![rusqlite::types::Value::Real(real)], vec![rusqlite::types::Value::Null]];
    let mut other = cells(0.5);
    other.reverse();
    assert!(agree!(cells(0.5), other).is_ok() && agree!(cells(0.5), cells(0.25)).is_err());
}

#[test]
fn results_both_fail_or_neither() {
    /// An error that cannot be compared.
    #[derive(Debug)]
    struct Odd;
    let (good, bad, worse): (Result<u8, i32>, Result<u8, i32>, Result<u8, i32>) = (Ok(1), Err(1), Err(2));
    assert!(agree!(good, good).is_ok() && agree!(bad, worse).is_ok());
    assert_eq!(agree!(good, bad).unwrap_err().aspect, Aspect::Success);
    assert_eq!(agree!(good, Ok::<u8, i32>(2)).unwrap_err().aspect, Aspect::Value);
    assert_eq!(agree!(bad, worse, code).unwrap_err().aspect, Aspect::Code);
    assert!(agree!(bad, bad, code).is_ok());
    assert!(agree!(Err::<u8, Odd>(Odd), Err::<u8, i32>(1)).is_ok(), "errors of different types");
    // Inside of something else, too.
    assert!(agree!(vec![bad], vec![worse]).is_ok() && agree!(vec![bad], vec![good]).is_err());
    let (long, short) = (agree!("a".repeat(99_999), "").unwrap_err(), agree!("", "b").unwrap_err());
    assert!(long.reference.len() < 10_010 && short.test == "\"b\"");
}

#[test]
fn functions_compare_what_they_are_named_for() {
    let same_parity = |one: &u8, other: &u8| one % 2 == other % 2;
    let (one, three): (Result<u8, i32>, Result<u8, i32>) = (Ok(1), Ok(3));
    assert!(agree!(one, three, values = same_parity).is_ok() && agree!(one, three).is_err());
    assert!(agree!(one, three, code, values = same_parity).is_ok());
    let is_success = |one: &Result<u8, i32>, other: &Result<u8, i32>| one.is_ok() == other.is_ok();
    assert!(agree!(one, three, whole = is_success).is_ok());
    let failed = std::panic::catch_unwind(|| tandem::assert_agree!(1, 2));
    assert!(failed.unwrap_err().downcast_ref::<String>().unwrap().contains("reference: 1\n  test:      2"));
}

#[test]
fn errors_have_codes() {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    let code = |sql: &str| db.execute_batch(sql).unwrap_err().code();
    assert_eq!(code("SELECT"), "1");
    db.execute_batch("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)").unwrap();
    assert_eq!(code("INSERT INTO t VALUES(1)"), "2067");
    let none = db.query_row("SELECT a FROM t WHERE a = 7", [], |_| Ok(())).unwrap_err();
    assert_eq!(none.code(), "QueryReturnedNoRows");
    let missing = std::fs::read("/nowhere/at/all").unwrap_err();
    assert_eq!(missing.code(), "entity not found");
}
