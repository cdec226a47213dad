//! The SQLite linked into this process: rusqlite's bundled one, or whatever replaces it.
//!
//! [`Executor`] runs a case: a fresh connection on a fresh simulated disk, statement by statement,
//! within a [`Budget`] of VM steps and bytes. Nothing depends on the clock, the host's files, its time
//! zone, or the case before.
//!
//! # Processes
//! * [`isolate`]d (fuzz targets, fuzzcheck's workers): the process runs cases and nothing else. SQLite
//!   has no mutexes and no VFS that reaches the host.
//! * otherwise (tests, `--in-process`): corpus databases are opened alongside. [`exclusive`] keeps the
//!   two apart, because some of SQLite's settings are global: a case holds it exclusively, users of ordinary
//!   connections share it.

mod arming;
mod end;
mod execution;
mod executor;
mod ffi;
mod health;
pub mod instrumentation;
mod limits;
mod operations;
mod policy;
mod recovery;
mod session;
mod settings;
mod view;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use arming::can_inject;
pub use execution::Execution;
pub use executor::{Budget, Executor, Moment, Program, ScriptProgram};
pub use ffi::process::{compile_options, initialize, is_complete, isolate, keywords, source_id, version};
pub use operations::OnSwitch;
pub use recovery::{DiskTimes, Disturbed, Recovered};
pub use session::{Facts, NoAnswer, Recorded, Row, Session};
pub use settings::{limits, pragmas, switches};

static USE: RwLock<()> = RwLock::new(());

/// That cases run, and nothing else in this process uses SQLite.
pub type Exclusive = RwLockWriteGuard<'static, ()>;

/// Held while cases run; see the module documentation.
pub fn exclusive() -> Exclusive {
    USE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Held while ordinary connections are open; see the module documentation.
pub fn shared() -> RwLockReadGuard<'static, ()> {
    initialize();
    USE.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod address_tests;
#[cfg(test)]
mod tests;
