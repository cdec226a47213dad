//! After the connection is closed SQLite has no file open.
//!
//! Applies always; there is no excuse.

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
                message: format!("{count} files are open after sqlite3_close()"),
            }),
        }
    }
}
