//! The file that SQLite leaves is well-formed according to our own check of the format
//! (<https://sqlite.org/fileformat2.html>).
//!
//! `PRAGMA integrity_check` asks SQLite about itself, on a connection with a warm cache, and skips the freelist for
//! some schemas (see [`crate::dbfile::damage`]). This oracle checks the bytes after the connection was closed. It
//! applies if the database at the start was empty or entirely sound according to the same check.
//! Refuted as described in [`super`].

use super::{Environment, Finding, Oracle, Signature, SkipReason, Verdict};
use crate::dbfile::damage::Assessment;
use crate::engine::Observation;
use crate::testcase::TestCase;

pub(super) struct Format;

impl Oracle for Format {
    fn check(&self, _case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        let has_written = observation.trace.statements.iter().any(|statement| !statement.is_read_only);
        if !has_written {
            return Verdict::Skip(SkipReason::NothingWritten);
        }
        let damage = match &observation.left {
            None => return Verdict::Skip(SkipReason::StartNotSound),
            Some(Assessment::Sound) => return Verdict::Pass,
            // What was checked is sound, but that is not the whole file.
            Some(Assessment::Unknown) => return Verdict::Skip(SkipReason::PartlyChecked),
            Some(Assessment::Damaged(damage)) => damage,
        };
        if let Some(taint) = observation.taint.first_name() {
            return Verdict::Skip(SkipReason::Tainted(taint));
        }
        if !ask.is_healthy_at_start() {
            return Verdict::Skip(SkipReason::DamagedAtStart);
        }
        Verdict::Fail(Finding {
            signature: Signature::new("format", &damage.what().replace([' ', ','], "-"), "after-close"),
            message: format!("the file is damaged after sqlite3_close(): {damage}"),
        })
    }
}
