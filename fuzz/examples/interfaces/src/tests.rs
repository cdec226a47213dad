//! The examples find the bugs that can be planted in them, and are in the guide as they are here.

use std::path::Path;
use std::process::{Command, Output};

/// Lines of an example, at most.
const LINES_MAX: usize = 40;

const EXAMPLES: [(&str, &str); 3] = [
    ("kv", include_str!("kv.rs")),
    ("versions", include_str!("versions.rs")),
    ("ledger", include_str!("ledger.rs")),
];

/// Runs tests of this program in another process.
fn run(test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    for name in ["TANDEM_PLANT", "FUZZ_SEED", "FUZZ_OPS"] {
        command.env_remove(name);
    }
    command.args(["--exact", test]).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(text.contains("running 1 test"), "there is no {test}: {text}");
    (status.success(), text)
}

/// The test of an example fails with its bug, says so, and is green without.
#[track_caller]
fn finds(test: &str, plant: &str, says: &[&str], minimized: &str) {
    let (is_green, text) = run(test, &[]);
    assert!(is_green, "{text}");
    let (is_green, text) = run(test, &[("TANDEM_PLANT", plant)]);
    assert!(!is_green, "the planted bug is not found: {text}");
    for says in says {
        assert!(text.contains(says), "{says:?} is not in {text}");
    }
    let statements = minimized.lines().filter(|line| line.starts_with("    "));
    for line in statements {
        assert!(text.lines().any(|own| own == line), "{line:?} is not in {text}");
    }
}

/// What the report says, as it was pasted: red with the bug, green without.
mod pasted {
    #[test]
    fn kv() {
        use std::collections::BTreeMap;

        use crate::kv::{Store, open};
        include!("tests/kv.rs")
    }

    #[test]
    fn versions() {
        use crate::versions::{Words, first, same, second};
        include!("tests/versions.rs")
    }

    #[test]
    fn ledger() {
        use crate::ledger::{Ledger, open};
        include!("tests/ledger.rs")
    }
}

#[test]
fn a_store_that_leaves_a_key_behind() {
    let says = [
        "Store: both sides return different values",
        "minimized to 2 of ",
        "repeat it with FUZZ_SEED=0 FUZZ_OPS=1000",
    ];
    finds("kv::fuzz_kv_test", "kv", &says, include_str!("tests/kv.rs"));
    assert!(!run("tests::pasted::kv", &[("TANDEM_PLANT", "kv")]).0);
}

#[test]
fn a_version_that_forgets_the_order() {
    let says = ["Words: both sides return different values", "minimized to 3 of "];
    finds("versions::fuzz_words_test", "words", &says, include_str!("tests/versions.rs"));
    assert!(!run("tests::pasted::versions", &[("TANDEM_PLANT", "words")]).0);
}

#[test]
fn a_bank_that_loses_money() {
    let says =
        ["Ledger: the invariant `self.balance(0) + self.balance(1) == self.balance(-1)` does not hold"];
    finds("ledger::fuzz_ledger_test", "ledger", &says, include_str!("tests/ledger.rs"));
    assert!(!run("tests::pasted::ledger", &[("TANDEM_PLANT", "ledger")]).0);
}

/// Each known fix is a difference that is there, and that nothing else explains.
#[test]
fn each_known_fix_is_still_one() {
    use crate::versions::{FIXED, Words, first, second};

    let page = |mut version: crate::versions::Version, words: &[&str], length| {
        words.iter().for_each(|word| assert_eq!(version.add(word).unwrap(), 1));
        version.page(length).unwrap()
    };
    for (nth, (words, length)) in [(&["a"][..], 0), (&["", "a"], 1)].into_iter().enumerate() {
        let (old, new) = (page(first(), words, length), page(second(), words, length));
        assert_ne!(old.1, new.1);
        let explain = FIXED.iter().map(|(_, explains)| explains(&old, &new));
        assert_eq!(explain.collect::<Vec<_>>(), [nth == 0, nth == 1]);
    }
}

/// The report of the store with its bug.
fn report(variables: &[(&str, &str)]) -> String {
    let (is_green, text) = run("kv::fuzz_kv_test", &[&[("TANDEM_PLANT", "kv")], variables].concat());
    assert!(!is_green, "{text}");
    let report: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Store: ")).collect();
    let end = report.iter().position(|line| line.starts_with("repeat it with FUZZ_SEED=")).expect("an end");
    report[..=end].join("\n")
}

#[test]
fn a_seed_is_repeated_to_the_byte() {
    let report = |seed| report(&[("FUZZ_SEED", seed)]);
    assert_eq!(report("7"), report("7"));
    assert_ne!(report("7"), report("8"));
}

#[test]
fn no_operations_are_no_pass_and_a_setting_is_a_number() {
    for (variable, says) in [
        (("FUZZ_OPS", "0"), "not a single operation was run"),
        (("FUZZ_OPS", "many"), "FUZZ_OPS=many: it must be a whole number"),
        (("FUZZ_SEED", "-1"), "FUZZ_SEED=-1: it must be a whole number"),
    ] {
        let (is_green, text) = run("kv::fuzz_kv_test", &[variable]);
        assert!(!is_green && text.contains(says), "{variable:?}: {text}");
    }
}

#[test]
fn the_guide_shows_the_examples_and_what_they_report() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../src/guide/interface.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    for (name, source) in EXAMPLES {
        assert!(source.lines().count() <= LINES_MAX, "{name} has more than {LINES_MAX} lines");
        assert!(
            guide.contains(&format!("```rust,ignore\n{source}```\n")),
            "{name} is not in the guide as it is here"
        );
    }
    let report = report(&[]).replace("\n\n", "\n");
    assert!(
        guide.contains(&format!("```console\n{report}\n```\n")),
        "the guide shows another report: {report}"
    );
}
