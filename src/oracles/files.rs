//! After the connection is closed, SQLite has no open files.
//!
//! Always applies; there are no excuses.

use super::{Environment, Finding, Oracle, Signature, Verdict};
use crate::engine::Observation;
use crate::testcase::TestCase;

pub(super) struct Files;

impl Oracle for Files {
    fn check(&self, _case: &TestCase, observation: &Observation, _ask: &mut Environment<'_>) -> Verdict {
        match observation.open_files {
            0 => Verdict::Pass,
            count => Verdict::Fail(Finding {
                signature: Signature::new("files", "open", "after-close"),
                message: format!("{count} files are still open after sqlite3_close()"),
            }),
        }
    }
}
