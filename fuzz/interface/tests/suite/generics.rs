//! Generic traits, several in a crate, types of the trait, tests and targets that are generated.

use std::collections::VecDeque;
use std::fmt::Debug;

use super::{minimized, run};

/// A queue of anything. Its `#[test]`s are in this program.
#[tandem::interface(reference = VecDeque::new(), test = Ring::new, types = (u8, 3))]
pub trait Queue<T, const N: usize>
where
    T: Clone + Debug,
    Self: Sized,
{
    /// Puts one in.
    fn push(&mut self, item: T);
    /// Takes one out.
    fn pop(&mut self) -> Option<T>;
    /// Looks at all.
    fn all(&self) -> Vec<&T>;
}

impl<T: Clone + Debug, const N: usize> Queue<T, N> for VecDeque<T> {
    fn push(&mut self, item: T) {
        if self.len() < N {
            self.push_back(item);
        }
    }
    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }
    fn all(&self) -> Vec<&T> {
        self.iter().collect()
    }
}

/// One with a fixed number of places.
pub struct Ring<T, const N: usize> {
    places: [Option<T>; N],
    is_broken: bool,
}

impl<T: Clone, const N: usize> Ring<T, N> {
    fn new() -> Self {
        Self { places: [const { None }; N], is_broken: false }
    }

    fn broken() -> Self {
        Self { is_broken: true, ..Self::new() }
    }
}

impl<T: Clone + Debug, const N: usize> Queue<T, N> for Ring<T, N> {
    fn push(&mut self, item: T) {
        let free = self.places.iter_mut().find(|place| place.is_none());
        if let Some(free) = free {
            *free = Some(item);
        } else if self.is_broken {
            self.places[0] = Some(item);
        }
    }
    fn pop(&mut self) -> Option<T> {
        let first = self.places.first_mut()?.take();
        self.places.rotate_left(1);
        first
    }
    fn all(&self) -> Vec<&T> {
        self.places.iter().flatten().collect()
    }
}

#[test]
fn functions_are_as_generic_as_the_trait() {
    assert!(run(&mut |entropy, ops| fuzz_queue::<String, 2, _>(Ring::new, entropy, ops)).is_ok());
    assert!(run(&mut |entropy, ops| fuzz_queue::<f64, 2, _>(Ring::new, entropy, ops)).is_ok());
    let report =
        run(&mut |entropy, ops| fuzz_queue::<u64, 2, _>(Ring::broken, entropy, ops)).expect_err("found");
    let (operations, rust) = minimized(&report);
    assert!(operations == 4 && rust.starts_with("let mut reference = VecDeque::new();\n"), "{report}");
}

/// Types of the trait in what is returned: those of the two sides may be different ones.
#[tandem::interface(reference = Always::default, test = Never::default, error = code, name = parser)]
trait Parse {
    /// Why it failed.
    type Error: Debug + tandem::interfaces::ErrorCode;

    fn parse(&self, text: &str) -> Result<bool, Self::Error>;
    /// Consumes it, which no operation does.
    #[skip]
    #[allow(dead_code)]
    fn finish(self) -> u8
    where
        Self: Sized,
    {
        0
    }
}

#[derive(Default)]
struct Always;

impl Parse for Always {
    type Error = i32;
    fn parse(&self, text: &str) -> Result<bool, i32> {
        text.parse().map_err(|_| 5)
    }
}

#[derive(Default)]
struct Never;

/// An error of its own.
#[derive(Debug)]
struct Odd;

impl tandem::interfaces::ErrorCode for Odd {
    fn code(&self) -> String {
        "5".to_owned()
    }
}

impl Parse for Never {
    type Error = Odd;
    fn parse(&self, text: &str) -> Result<bool, Odd> {
        if text == "true" { Ok(true) } else { Err(Odd) }
    }
}

/// Names of methods that are keywords; no reference.
#[tandem::interface(invariant_only, test = Moved::at(i8, &str), no_test)]
#[invariant({
    let limit = 3;
    self.at() < limit
})]
trait Move {
    fn r#move(&mut self, by: i8) -> Option<&str>;
    #[skip]
    fn at(&self) -> i32;
}

struct Moved(i32, String);

impl Moved {
    fn at(start: i8, name: &str) -> Self {
        Self(i32::from(start.min(0)), name.to_owned())
    }
}

impl Move for Moved {
    fn r#move(&mut self, by: i8) -> Option<&str> {
        self.0 += i32::from(by);
        Some(&self.1)
    }
    fn at(&self) -> i32 {
        self.0
    }
}

#[test]
fn a_block_is_an_invariant_and_a_keyword_a_name() {
    let report = run(&mut |entropy, ops| fuzz_move(Moved::at, entropy, ops)).expect_err("it is found");
    let (operations, rust) = minimized(&report);
    assert_eq!(operations, 1, "{report}");
    assert_eq!(
        rust,
        "let mut test = make_test(0, \"\");\nlet _ = Move::r#move(&mut test, 3);\nfn holds(it: &mut impl Move) -> bool {\n    \
         { let limit = 3; it.at() < limit }\n}\nassert!(holds(&mut test));\n"
    );
    let given = run(&mut |entropy, ops| fuzz_move_with(Moved(-9999, String::new()), entropy, ops));
    assert!(given.is_ok(), "{given:?}");
}

#[test]
fn the_function_of_a_target_keeps_what_ran_and_panics_with_the_report() {
    assert!(!fuzz_queue_bytes(&[]) && !fuzz_parser_bytes(&[]));
    assert!(fuzz_queue_bytes(&[3; 100]) && fuzz_parser_bytes(&[3; 100]));
    let found = std::panic::catch_unwind(|| (0..=255).for_each(|byte| _ = fuzz_move_bytes(&[byte; 100])));
    let report = found.unwrap_err().downcast::<String>().unwrap();
    assert!(
        report.starts_with("Move: the invariant `{ let limit = 3; self.at() < limit }` does not hold"),
        "{report}"
    );
}
