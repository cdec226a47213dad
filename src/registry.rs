//! Targets and oracles that are not Tandem's own.
//!
//! A program has one registry. Tandem's programs have that of Tandem; a crate of one's own hands another to
//! `fuzzcheck::main` and to [`crate::libfuzzer_target!`], and has all of Tandem with its targets and oracles in it:
//!
//! ```
//! use tandem::engine::Observation;
//! use tandem::oracles::{Environment, Finding, Oracle, Signature, Verdict};
//! use tandem::targets::{DB_SQL, Target};
//! use tandem::{Registry, TestCase};
//!
//! static MINE: Target = Target { name: "mine", about: "what no one else fuzzes", ..DB_SQL };
//!
//! struct FewRows;
//!
//! impl Oracle for FewRows {
//!     fn check(&self, _: &TestCase, run: &Observation, _: &mut Environment<'_>) -> Verdict {
//!         match run.trace.statements.iter().any(|statement| statement.rows > 1_000) {
//!             false => Verdict::Pass,
//!             true => Verdict::Fail(Finding {
//!                 signature: Signature::new("few_rows", "rows", "-"),
//!                 message: "more than a thousand rows".to_owned(),
//!             }),
//!         }
//!     }
//! }
//!
//! let registry = Registry::default().target(&MINE).oracle(tandem::oracle!(few_rows => FewRows));
//! assert_eq!(registry.targets().last().unwrap().name, "mine");
//! ```
//!
//! A target brings its own generators: how bytes become a case, the program that runs on it, and the seeds from which
//! fuzzing begins.

use crate::oracles::{self, Entry};
use crate::targets::{self, Target};

/// See the module.
pub struct Registry {
    targets: Vec<&'static Target>,
    oracles: Vec<&'static Entry>,
}

impl Default for Registry {
    /// What Tandem has of its own.
    fn default() -> Self {
        Self { targets: targets::TARGETS.to_vec(), oracles: oracles::ORACLES.iter().collect() }
    }
}

impl Registry {
    /// With a target of one's own.
    ///
    /// # Panics
    /// Its name is taken, or holds something else than `[a-z0-9_]`: it is that of a file, too.
    #[must_use]
    pub fn target(mut self, target: &'static Target) -> Self {
        check(target.name, self.targets.iter().map(|known| known.name));
        self.targets.push(target);
        self
    }

    /// With an oracle of one's own, which judges every case of every target after those that are there:
    /// [`crate::oracle!`] makes one.
    ///
    /// # Panics
    /// As for [`Registry::target`].
    #[must_use]
    pub fn oracle(mut self, oracle: &'static Entry) -> Self {
        check(oracle.name, self.oracles.iter().map(|known| known.name));
        self.oracles.push(oracle);
        self
    }

    /// Its targets.
    pub fn targets(&self) -> &[&'static Target] {
        &self.targets
    }

    /// Its oracles.
    pub fn oracles(&self) -> &[&'static Entry] {
        &self.oracles
    }

    /// Makes it that of this process.
    ///
    /// # Panics
    /// The process has one, or has asked for a target or an oracle before.
    pub fn install(self) {
        let is_first = targets::set_all(self.targets) && oracles::set_all(self.oracles);
        assert!(is_first, "a process has one registry, from its beginning");
    }
}

fn check(name: &str, mut known: impl Iterator<Item = &'static str>) {
    let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(!name.is_empty() && name.bytes().all(is_of_name), "`{name}` is not of [a-z0-9_]");
    assert!(known.all(|other| other != name), "the name `{name}` is taken");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_once() {
        static TWICE: Target = Target { name: "sql", ..targets::SQL };
        static ODD: Target = Target { name: "a/b", ..targets::SQL };
        for target in [&TWICE, &ODD] {
            let named = std::panic::AssertUnwindSafe(|| Registry::default().target(target));
            assert!(std::panic::catch_unwind(named).is_err());
        }
        let own = Registry::default();
        assert_eq!(
            (own.targets().len(), own.oracles().len()),
            (targets::TARGETS.len(), oracles::ORACLES.len())
        );
    }
}
