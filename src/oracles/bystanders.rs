//! Files that are not SQLite's business stay as they are.
//!
//! A journal may say that it belongs to a transaction over several files, and name the super-journal of that, which SQLite
//! deletes when it is no longer needed. The name comes from a file: until 3.53.2 SQLite deleted whatever was named. Now as
//! then, a file whose name is that of a super-journal goes.
//!
//! # Excuses
//! Files of databases that the case attached, opened, or vacuumed into.

use twox_hash::XxHash3_64;

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::engine::Observation;
use crate::testcase::{FileRole, FileSet, MAIN_DB, TestCase};

pub(super) struct Bystanders;

impl Oracle for Bystanders {
    fn check(&self, case: &TestCase, observation: &Observation, _: &mut Environment<'_>) -> Verdict {
        let mut bystanders = of(&case.files, &observation.attached).peekable();
        if bystanders.peek().is_none() {
            return Verdict::Skip(SkipReason::NoBystander);
        }
        let wrong = bystanders.find_map(|(name, content)| {
            let left = observation.trace.files.iter().find(|file| file.name == name);
            match left {
                None => Some(("deleted", name)),
                Some(left) if left.digest != XxHash3_64::oneshot(content) => Some(("changed", name)),
                Some(_) => None,
            }
        });
        wrong.map_or(Verdict::Pass, |(what, name)| {
            Verdict::Fail(Finding {
                signature: Signature::new("bystanders", what, "file"),
                message: format!("the file {name}, which belongs to no database of the case, was {what}"),
            })
        })
    }
}

/// The files that belong to no database that the case uses.
fn of<'f>(files: &'f FileSet, attached: &'f [String]) -> impl Iterator<Item = (&'f str, &'f [u8])> {
    let belongs = |file: &str, database: &str| {
        file.strip_prefix(database).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let all = files.iter().map(|(name, content)| (name.as_str(), content));
    all.filter(move |(name, _)| {
        let is_used = belongs(name, MAIN_DB) || attached.iter().any(|database| belongs(name, database));
        !is_used && FileRole::of_name(name.as_bytes()) == FileRole::Database
    })
}
