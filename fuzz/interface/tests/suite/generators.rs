//! Arguments: generators with and without a state, boundary values, what holds a type that has a generator.

use tandem::interfaces::{Generate as _, Literal as _, Seen, Unstructured, any, arbitrary, half_seen};

use super::{minimized, run};

/// An id; only its generator makes one.
#[derive(Debug, Clone, PartialEq)]
struct Id(u32);

/// A user.
#[derive(Debug, Clone, Copy, PartialEq)]
struct User(u8);

impl<'a> arbitrary::Arbitrary<'a> for User {
    fn arbitrary(entropy: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self(entropy.arbitrary()?))
    }
}

fn id(seen: &mut Seen<u32>, entropy: &mut Unstructured<'_>) -> arbitrary::Result<Id> {
    half_seen(seen, entropy).map(Id)
}

/// The same state gives the ids that [`id`] made.
fn old(seen: &mut Seen<u32>, entropy: &mut Unstructured<'_>) -> arbitrary::Result<u32> {
    match seen.values() {
        // A generator that has nothing yet.
        [] => Err(arbitrary::Error::IncorrectFormat),
        all => entropy.choose(all).copied(),
    }
}

#[tandem::interface(reference = Log::default, no_test)]
#[r#gen(Id = id, state = Seen<u32>)]
#[r#gen(u32 = old, state = Seen<u32>)]
#[r#gen(User = any)]
trait Users {
    fn put(&mut self, id: Id) -> bool;
    fn old(&mut self, id: u32) -> bool;
    fn all(&mut self, ids: Vec<Id>, one: Option<Id>, both: (Id, u8), boxed: Box<Id>);
    fn slice(&mut self, ids: &[Id], user: User, one: &Id, text: &str);
    fn own(&mut self, list: &[u8], set: std::collections::BTreeSet<i8>, array: [bool; 2]);
}

/// What it was called with.
#[derive(Default)]
struct Log {
    puts: Vec<u32>,
    old: Vec<u32>,
    slices: Vec<usize>,
    texts: Vec<String>,
}

impl Users for Log {
    fn put(&mut self, id: Id) -> bool {
        let is_new = !self.puts.contains(&id.0);
        self.puts.push(id.0);
        is_new
    }
    fn old(&mut self, id: u32) -> bool {
        self.old.push(id);
        true
    }
    fn all(&mut self, ids: Vec<Id>, one: Option<Id>, both: (Id, u8), boxed: Box<Id>) {
        self.puts.extend(ids.iter().chain(&one).chain([&both.0, &*boxed]).map(|id| id.0));
    }
    fn slice(&mut self, ids: &[Id], _: User, one: &Id, text: &str) {
        self.slices.push(ids.len());
        self.puts.extend(ids.iter().chain([one]).map(|id| id.0));
        self.texts.push(text.to_owned());
    }
    fn own(&mut self, _: &[u8], _: std::collections::BTreeSet<i8>, _: [bool; 2]) {}
}

/// A log that is looked at when it is dropped.
struct Watched<'l>(Log, &'l mut dyn FnMut(&Log));

impl Users for Watched<'_> {
    fn put(&mut self, id: Id) -> bool {
        self.0.put(id)
    }
    fn old(&mut self, id: u32) -> bool {
        self.0.old(id)
    }
    fn all(&mut self, ids: Vec<Id>, one: Option<Id>, both: (Id, u8), boxed: Box<Id>) {
        self.0.all(ids, one, both, boxed);
    }
    fn slice(&mut self, ids: &[Id], user: User, one: &Id, text: &str) {
        self.0.slice(ids, user, one, text);
    }
    fn own(&mut self, _: &[u8], _: std::collections::BTreeSet<i8>, _: [bool; 2]) {}
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        (self.1)(&self.0);
    }
}

#[test]
fn ids_are_half_new_and_half_seen_and_share_a_state() {
    let (mut new, mut seen, mut slices, mut texts, mut old) = (0_u32, 0_u32, Vec::new(), Vec::new(), 0);
    let ran = run(&mut |entropy, ops| {
        let mut look = |log: &Log| {
            let mut before = Vec::new();
            for id in &log.puts {
                let is_seen = before.contains(id);
                if is_seen {
                    seen += 1
                } else {
                    new += 1
                }
                before.push(*id);
            }
            slices.extend_from_slice(&log.slices);
            texts.extend_from_slice(&log.texts);
            // Most are what `put` had; some were only generated for a list whose operation came later.
            old += log.old.len();
        };
        fuzz_users_with(Log::default(), Watched(Log::default(), &mut look), entropy, ops)
    });
    assert!(ran.is_ok(), "{ran:?}");
    assert!(new > 1_000 && old > 100, "{new} {old}");
    assert!((new * 3 / 4..new * 5 / 4).contains(&seen), "{new} new, {seen} seen");
    assert!(
        [0, 1, 3].iter().all(|length| slices.contains(length)) && slices.iter().any(|length| *length > 8)
    );
    assert!(texts.iter().any(String::is_empty) && texts.iter().any(|text| text.contains('\'')));
}

/// A generated id stays what it was, and is written as `Debug` has it.
#[test]
fn generated_values_are_not_made_simpler_and_are_written() {
    struct Forgets(Log);
    impl Users for Forgets {
        fn put(&mut self, id: Id) -> bool {
            self.0.put(id) || self.0.puts.len() > 3
        }
        fn old(&mut self, _: u32) -> bool {
            true
        }
        fn all(&mut self, _: Vec<Id>, _: Option<Id>, _: (Id, u8), _: Box<Id>) {}
        fn slice(&mut self, _: &[Id], _: User, _: &Id, _: &str) {}
        fn own(&mut self, _: &[u8], _: std::collections::BTreeSet<i8>, _: [bool; 2]) {}
    }
    let report = run(&mut |entropy, ops| fuzz_users(|| Forgets(Log::default()), entropy, ops));
    let report = report.expect_err("it is found");
    let (operations, rust) = minimized(&report);
    assert!(operations <= 4 && rust.contains("Users::put(&mut reference, Id("), "{report}");
    let all = report.to_string();
    assert!(
        ["slice(&[", "User(", "all(vec![", "Box::new(Id("].iter().all(|part| all.contains(part)),
        "{all}"
    );
}

#[test]
fn numbers_are_at_boundaries_and_texts_are_odd() {
    let mut random = fastrand();
    let mut bytes = vec![0; 100_000];
    bytes.iter_mut().for_each(|byte| *byte = random());
    let mut entropy = Unstructured::new(&bytes);
    let numbers: Vec<i32> = (0..4_000).map(|_| i32::generate(&mut entropy).unwrap()).collect();
    for boundary in [i32::MIN, i32::MIN + 1, -1, 0, 1, i32::MAX / 2, i32::MAX / 2 + 1, i32::MAX - 1, i32::MAX]
    {
        let count = numbers.iter().filter(|number| **number == boundary).count();
        assert!(count > 20, "{boundary}: {count}");
    }
    assert!(numbers.iter().filter(|number| number.unsigned_abs() > 1 << 20).count() > 500);
    let mut entropy = Unstructured::new(&bytes);
    let reals: Vec<f64> = (0..2_000).map(|_| f64::generate(&mut entropy).unwrap()).collect();
    assert!(reals.iter().any(|real| real.is_nan()) && reals.contains(&f64::NEG_INFINITY));
    assert!(reals.iter().any(|real| *real == 0.0 && real.is_sign_negative()));
    let mut entropy = Unstructured::new(&bytes);
    let texts: Vec<String> = (0..500).map(|_| String::generate(&mut entropy).unwrap()).collect();
    for odd in ["\0", "'", "%", "\u{feff}", "🦀"] {
        assert!(texts.iter().any(|text| text.contains(odd)), "{odd:?}");
    }
    assert!(texts.iter().all(|text| text.chars().count() <= tandem::interfaces::values::LENGTH_MAX));
    // Where the entropy ends there are zeros, and no panic.
    assert_eq!(Vec::<u64>::generate(&mut Unstructured::new(&[])).unwrap().literal(), "vec![]");
}

/// A small generator of random bytes, the same each time.
fn fastrand() -> impl FnMut() -> u8 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    }
}
