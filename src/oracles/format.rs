//! The file that SQLite leaves is well-formed according to our own check of the format
//! (<https://sqlite.org/fileformat2.html>).
//!
//! `PRAGMA integrity_check` asks SQLite about itself, on a connection with a warm cache, and skips the freelist for
//! some schemas (see [`crate::dbfile::damage`]). This oracle checks the bytes after the connection was closed. It
//! applies to each database file, attached ones too, that was absent, empty or entirely sound according to the same check.
//! Refuted as described in [`super`].

use super::excuse::{self, Symptom};
use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::dbfile::damage::Assessment;
use crate::engine::Observation;
use crate::testcase::TestCase;

pub(super) struct Format;

impl Oracle for Format {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let has_written = observation.trace.statements.iter().any(|statement| !statement.is_read_only);
        if !has_written {
            return Verdict::Skip(SkipReason::NothingWritten);
        }
        if observation.left.is_empty() {
            return Verdict::Skip(SkipReason::StartNotSound);
        }
        let mut verdict = Verdict::Pass;
        for (name, assessment) in &observation.left {
            let damage = match assessment {
                Assessment::Sound => continue,
                // What was checked is sound, but that is not the whole file.
                Assessment::Unknown => {
                    verdict = Verdict::Skip(SkipReason::PartlyChecked);
                    continue;
                }
                Assessment::Damaged(damage) => damage,
            };
            match excuse(name, case, observation, ask) {
                Some(reason) => verdict = Verdict::Skip(reason),
                None => {
                    let what = damage.what().replace([' ', ','], "-");
                    return Verdict::Fail(Finding {
                        signature: Signature::new("format", &what, "after-close"),
                        message: format!("the file {name} is damaged after sqlite3_close(): {damage}"),
                    });
                }
            }
        }
        verdict
    }
}

fn excuse(
    file: &str,
    case: &TestCase,
    observation: &Observation,
    ask: &mut Environment<'_>,
) -> Option<SkipReason> {
    if let Some(reason) = excuse::by_taint(Symptom::Structure, case, observation) {
        return Some(reason);
    }
    if !ask.is_healthy_at_start_in(file) {
        return Some(SkipReason::DamagedAtStart);
    }
    ask.may_have_copied_damage().then_some(SkipReason::Tainted("attached-file"))
}
