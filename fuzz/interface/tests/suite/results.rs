//! What `#[compare]` names, wherever it is in what is returned.

use super::{minimized, run};

/// A number of which only the last digit counts, and which cannot be compared.
#[derive(Debug)]
pub struct Digit(u32);

/// The last digits are the same.
pub fn same_digit(one: &Digit, other: &Digit) -> bool {
    one.0 % 10 == other.0 % 10
}

/// A whole result.
pub fn same_length(one: &Result<String, Digit>, other: &Result<String, Digit>) -> bool {
    matches!((one, other), (Ok(one), Ok(other)) if one.len() == other.len())
}

#[tandem::interface(reference = Numbers::new, test = Numbers::shifted)]
#[compare(Digit = same_digit)]
#[compare(Result<String, Digit> = same_length)]
trait Digits {
    fn plain(&self, n: u8) -> Digit;
    fn maybe(&self, n: u8) -> Option<Digit>;
    fn fallible(&self, n: u8) -> Result<Vec<Digit>, Digit>;
    fn nested(&self, n: u8) -> Result<Option<(Digit, u8, Box<Digit>)>, ()>;
    fn whole(&self, n: u8) -> Result<String, Digit>;
}

struct Numbers {
    shift: u32,
    text: &'static str,
}

impl Numbers {
    fn new() -> Self {
        Self { shift: 0, text: "abc" }
    }
    fn shifted() -> Self {
        Self { shift: 20, text: "xyz" }
    }
}

impl Digits for Numbers {
    fn plain(&self, n: u8) -> Digit {
        Digit(u32::from(n) + self.shift)
    }
    fn maybe(&self, n: u8) -> Option<Digit> {
        (n > 7).then(|| self.plain(n))
    }
    fn fallible(&self, n: u8) -> Result<Vec<Digit>, Digit> {
        if n > 100 { Err(Digit(self.shift / 7)) } else { Ok((0..n % 5).map(|n| self.plain(n)).collect()) }
    }
    fn nested(&self, n: u8) -> Result<Option<(Digit, u8, Box<Digit>)>, ()> {
        Ok(Some((self.plain(n), n, Box::new(self.plain(n)))))
    }
    fn whole(&self, _: u8) -> Result<String, Digit> {
        Ok(self.text.to_owned())
    }
}

#[test]
fn each_place_is_compared_with_the_function() {
    for (shift, text, operations) in
        [(21, "abc", &["plain", "maybe", "fallible", "nested"][..]), (20, "ab", &["whole"])]
    {
        let mut found = Vec::new();
        for seed in 0..60 {
            let report = super::run_from(seed, &mut |entropy, ops| {
                fuzz_digits(|| Numbers { shift, text }, entropy, ops)
            });
            let report = report.expect_err("it is found");
            assert_eq!((report.signature.kind, minimized(&report).0), ("value", 1), "{report}");
            found.push(report.signature.operation);
        }
        assert!(operations.iter().all(|operation| found.contains(operation)), "{found:?}");
        assert!(found.iter().all(|operation| operations.contains(operation)), "{found:?}");
    }
}

/// The functions are in the Rust of the report.
#[test]
fn the_rust_of_a_report_compares_with_them_too() {
    let report = run(&mut |entropy, ops| fuzz_digits(|| Numbers { shift: 1, text: "abc" }, entropy, ops));
    let report = report.expect_err("it is found");
    let rust = minimized(&report).1;
    let (_, rules) = rust.split_once("test, ").expect("the last line");
    println!("{rules}");
    assert!(rules.contains("same_digit"), "{rust}");
    // As the report has them.
    let (reference, test) = (Numbers::new(), Numbers::shifted());
    tandem::assert_agree!(Digits::plain(&reference, 0), Digits::plain(&test, 0), values = same_digit);
    tandem::assert_agree!(
        Digits::maybe(&reference, 8),
        Digits::maybe(&test, 8),
        values = |a0, b0| tandem::interfaces::compare::options(a0, b0, same_digit)
    );
    tandem::assert_agree!(Digits::whole(&reference, 0), Digits::whole(&test, 0), whole = same_length);
}
