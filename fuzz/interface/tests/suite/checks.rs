//! Every check finds the bug that is planted for it, and says what it is.

use tandem::interfaces::harness::Settings;
use tandem::interfaces::report::Minimized;
use tandem::interfaces::{Failure, Inconsistency, Unstructured};

use super::bag::{Bug, Model, fuzz_bag, fuzz_bag_with};
use super::{minimized, run, run_from};

#[track_caller]
fn found(bug: Bug) -> Box<Inconsistency> {
    run(&mut |entropy, ops| fuzz_bag(|limit| Model::with(limit, bug), entropy, ops)).expect_err("it is found")
}

#[test]
fn the_same_twice_is_consistent_and_rows_have_no_order() {
    for bug in [Bug::None, Bug::Order] {
        for seed in 0..20 {
            let ran =
                run_from(seed, &mut |entropy, ops| fuzz_bag(|limit| Model::with(limit, bug), entropy, ops));
            assert_eq!(ran.map_err(|report| report.to_string()), Ok(3_000), "{bug:?}");
        }
    }
}

#[test]
fn other_values_are_found_and_minimized() {
    let report = found(Bug::Value);
    assert_eq!((report.signature.operation, report.signature.kind), ("put", "value"));
    assert_eq!((report.reference.as_deref(), report.test.as_deref()), (Some("3"), Some("2")));
    assert!(report.operation.starts_with("put("), "{report}");
    assert_eq!(report.operations.last(), Some(&report.operation));
    let (operations, rust) = minimized(&report);
    assert!(operations == 3 && report.operations.len() > 3, "{report}");
    assert_eq!(rust.lines().count(), 2 + 2 * 2 + 1, "{rust}");
}

#[test]
fn an_order_that_counts_is_found() {
    let report = found(Bug::Reversed);
    assert_eq!((report.signature.operation, minimized(&report).0), ("in_order", 3), "{report}");
}

#[test]
fn a_side_that_fails_alone_is_found() {
    let report = found(Bug::Success);
    assert_eq!((report.signature.operation, report.signature.kind), ("put", "success"));
    assert!(report.reference.as_ref().is_some_and(|reference| reference.starts_with("Err(")), "{report}");
    assert!(report.test.as_ref().is_some_and(|test| test.starts_with("Ok(")), "{report}");
}

#[test]
fn another_code_is_found() {
    let report = found(Bug::Code);
    assert_eq!(report.signature.kind, "code");
    assert_eq!((report.reference.as_deref(), report.test.as_deref()), (Some("TooLarge"), Some("Full")));
    assert!(minimized(&report).1.ends_with(", code);\n"), "{report}");
}

#[test]
fn a_panic_of_the_test_object_is_found() {
    let report = found(Bug::Panic);
    assert_eq!((report.signature.operation, report.signature.kind), ("take", "test panicked"));
    assert!(report.signature.detail.contains("bag.rs:"), "{report}");
    assert!(report.what.contains("is not there"), "{report}");
    let (operations, rust) = minimized(&report);
    assert_eq!(operations, 1, "{report}");
    assert!(rust.lines().count() == 2 && rust.ends_with("; // panics\n"), "{rust}");
}

#[test]
fn a_panic_of_the_reference_alone_is_found_and_one_of_both_is_none() {
    // Reference and test object change places.
    let fuzz = |reference, test| {
        run(&mut |entropy, ops| fuzz_bag_with(Model::with(9, reference), Model::with(9, test), entropy, ops))
    };
    let report = fuzz(Bug::Panic, Bug::None).expect_err("it is found");
    assert_eq!(report.signature.kind, "reference panicked");
    assert!(
        report.minimized == Minimized::Given && report.to_string().contains("not minimized: "),
        "{report}"
    );
    assert!(fuzz(Bug::Panic, Bug::Panic).is_ok());
}

#[test]
fn arguments_of_constructors_go_to_both() {
    let report = found(Bug::Arguments);
    assert_eq!((report.signature.operation, report.signature.kind), ("put", "success"));
    assert!(report.arguments.is_some() && report.to_string().contains("arguments of the constructors: "));
    let report = found(Bug::Construction);
    assert_eq!((report.signature.operation, report.signature.kind), ("(construction)", "test panicked"));
    assert_eq!(report.arguments.as_deref(), Some("101"));
    assert_eq!(minimized(&report).0, 0);
}

#[test]
fn a_panic_at_the_end_is_found() {
    let report = found(Bug::Drop);
    assert_eq!((report.signature.operation, report.signature.kind), ("(drop)", "test panicked"));
    assert_eq!(minimized(&report).0, 2, "{report}");
}

/// A number that only grows.
#[tandem::interface(reference = Counter::zero, no_test)]
#[invariant(self.get() < 3)]
trait Count {
    fn add(&mut self);
    fn is_there(&self) -> bool {
        true
    }
    #[skip]
    fn get(&self) -> u8 {
        0
    }
}

struct Still;

impl Count for Still {
    fn add(&mut self) {}
}

struct Counter(u8);

impl Counter {
    fn zero() -> Self {
        Self(0)
    }
}

impl Count for Counter {
    fn add(&mut self) {
        self.0 = self.0.saturating_add(1);
    }
    fn get(&self) -> u8 {
        self.0
    }
}

#[test]
fn an_invariant_is_checked_after_each_operation_of_the_test_object_alone() {
    let still = run(&mut |entropy, ops| fuzz_count(|| Still, entropy, ops));
    assert!(still.is_ok(), "it does not hold for the reference: {still:?}");
    let report =
        run(&mut |entropy, ops| fuzz_count(Counter::zero, entropy, ops)).expect_err("it does not hold");
    assert_eq!((report.signature.operation, report.signature.kind), ("add", "invariant"));
    assert!(report.what.contains("`self.get() < 3`"), "{report}");
    let (operations, rust) = minimized(&report);
    assert_eq!(operations, 3, "{report}");
    assert!(rust.contains("    it.get() < 3\n") && !rust.contains("reference"), "{rust}");
}

#[test]
fn a_seed_is_repeated_to_the_byte() {
    let report = |seed| {
        let mut fuzz = |entropy: &mut Unstructured<'_>, ops| {
            fuzz_bag(|limit| Model::with(limit, Bug::Value), entropy, ops)
        };
        run_from(seed, &mut fuzz).expect_err("it is found").to_string()
    };
    for seed in 0..5 {
        assert_eq!(report(seed), report(seed));
    }
    assert_ne!(report(1), report(2));
}

#[test]
fn nothing_that_ran_is_no_pass() {
    let bytes = [7; 1000];
    for (bytes, ops) in [(&bytes[..], 0), (&[], 100)] {
        let ran = fuzz_bag(Model::new, &mut Unstructured::new(bytes), ops);
        assert!(matches!(ran, Err(Failure::NothingRan)), "{ran:?}");
    }
    let zero = Settings { seed: 0, ops: 0 }.run(&mut |entropy, ops| fuzz_bag(Model::new, entropy, ops));
    assert!(matches!(zero, Err(Failure::NothingRan)), "{zero:?}");
    // Neither is an object that cannot be made.
    let never = Settings::default().run(&mut |_, _| Err(Failure::NothingRan));
    assert!(matches!(never, Err(Failure::NothingRan)), "{never:?}");
    let ran = fuzz_bag(Model::new, &mut Unstructured::new(&[7; 1000]), 10);
    assert!(ran.is_ok_and(|ran| ran.operations == 10));
}

#[test]
fn what_does_not_show_again_is_said() {
    let mut made = 0;
    let report = run(&mut |entropy, ops| {
        let make = |limit| {
            made += 1;
            Model::with(limit, if made == 1 { Bug::Panic } else { Bug::None })
        };
        fuzz_bag(make, entropy, ops)
    });
    let report = report.expect_err("it is found");
    assert!(
        report.minimized == Minimized::Unrepeated && report.to_string().contains("something else decides")
    );
}

/// The Rust of reports as it was pasted: it compiles, and fails as the report says.
mod pasted {
    use super::*;
    use crate::bag::Bag;

    fn make_test(limit: u8) -> Model {
        Model::with(limit, BUG.get())
    }

    std::thread_local! {
        static BUG: std::cell::Cell<Bug> = const { std::cell::Cell::new(Bug::None) };
    }

    /// That is what the report says, and what fails with the bug alone.
    #[track_caller]
    fn check(bug: Bug, pasted: &str, run: fn()) {
        let report = found(bug);
        let (_, rust) = minimized(&report);
        assert_eq!(format!("{{\n{rust}}}\n"), pasted, "{report}");
        let is_red = |bug| {
            BUG.set(bug);
            tandem::interfaces::caught::catch(run).is_err()
        };
        assert!(is_red(bug) && !is_red(Bug::None));
    }

    #[test]
    fn a_value() {
        check(Bug::Value, include_str!("pasted/value.rs"), || include!("pasted/value.rs"));
    }

    #[test]
    fn an_error_code() {
        check(Bug::Code, include_str!("pasted/code.rs"), || include!("pasted/code.rs"));
    }

    #[test]
    fn a_panic_at_the_end() {
        check(Bug::Drop, include_str!("pasted/drop.rs"), || include!("pasted/drop.rs"));
    }

    #[test]
    fn a_panic_of_a_constructor() {
        check(Bug::Construction, include_str!("pasted/construction.rs"), || {
            include!("pasted/construction.rs")
        });
    }
}
