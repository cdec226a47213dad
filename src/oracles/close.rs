//! The connection can be opened and closed: every statement was finalized, so `sqlite3_close()` must succeed.
//!
//! Always applies; there are no excuses.

use super::{Environment, Finding, Oracle, Signature, Verdict};
use crate::engine::{Code, Observation};
use crate::testcase::TestCase;

pub(super) struct Close;

impl Oracle for Close {
    fn check(&self, _case: &TestCase, observation: &Observation, _ask: &mut Environment<'_>) -> Verdict {
        match observation.close {
            Some(Code::OK) => Verdict::Pass,
            other => {
                let name = other.map_or("nothing", Code::name);
                Verdict::Fail(Finding {
                    signature: Signature::new("close", name, "close"),
                    message: format!("opening or closing the connection returned {name}"),
                })
            }
        }
    }
}
