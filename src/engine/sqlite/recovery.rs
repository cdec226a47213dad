//! What SQLite makes of the files that a power loss left, in this process.

use std::ffi::CString;
use std::rc::Rc;

use super::execution::query;
use super::executor::{Budget, Executor, MAIN_PATH};
use super::ffi::{Connection, Watch};
use super::{health, view};
use crate::engine::Code;
use crate::engine::timing::timed;
use crate::faults::alloc;
use crate::faults::crash::Files;
use crate::faults::disk::log::Log;
use crate::faults::machine::Machine;
use crate::faults::rules::{self, Hits};
use crate::testcase::{FaultPlan, MAIN_DB, OpenConfig, Phase};

/// A database after recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Its file.
    pub file: String,
    /// A number that stands for schema and content, as in [`crate::engine::DatabaseView::digest`].
    pub digest: Result<u64, Code>,
    /// What `PRAGMA integrity_check` says; `None` if it does not run to its end.
    pub problems: Option<Vec<String>>,
}

/// CPU time of this thread in nanoseconds, for disks that a power loss left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskTimes {
    /// To make them.
    pub image_ns: u64,
    /// To open the databases, which recovers them, and to close them.
    pub recovery_ns: u64,
    /// To check them and to read what is in them.
    pub check_ns: u64,
}

impl DiskTimes {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.image_ns += other.image_ns;
        self.recovery_ns += other.recovery_ns;
        self.check_ns += other.check_ns;
    }
}

/// A recovery in the middle of which something failed.
#[derive(Debug, Clone)]
pub struct Disturbed {
    /// The files that it left.
    pub files: Files,
    /// What was done to the disk.
    pub log: Log,
    /// What failed.
    pub hits: Hits,
    /// Bytes and allocations that were not given back.
    pub leaked: (i64, i64),
}

impl Executor {
    /// Opens each database of a disk, undisturbed, the main database first, as the next process would.
    pub fn recover(&self, config: &OpenConfig, files: &Files) -> (Vec<Recovered>, DiskTimes) {
        let exclusive = super::exclusive();
        let mut check_ns = 0;
        let (recovered, all_ns) = timed(|| {
            self.prepare_disk(&exclusive, files, config);
            let recovered = databases(files).map(|name| self.recovered(&name, &mut check_ns)).collect();
            self.vfs.install(Machine::new(0));
            recovered
        });
        (recovered, DiskTimes { image_ns: 0, recovery_ns: all_ns - check_ns, check_ns })
    }

    fn recovered(&self, name: &str, check_ns: &mut u64) -> Recovered {
        let path = CString::new(name).expect("a file name has no NUL");
        let file = name.to_owned();
        let connection = match Connection::open(&self.vfs, &path) {
            Ok(connection) => connection,
            Err(code) => return Recovered { file, digest: Err(code), problems: None },
        };
        connection.know_plain_functions();
        // What reads the database first recovers it.
        query(&connection, "PRAGMA schema_version");
        let ((problems, digest), ns) = timed(|| {
            // A check that does not run to its end, for a virtual table that is not as its module expects, says nothing.
            let problems = health::integrity(&connection, b"main").map(|checked| checked.problems);
            (problems, view::digest(&connection, "main"))
        });
        *check_ns += ns;
        connection.close();
        Recovered { file, digest, problems }
    }

    /// Opens the main database of a disk, reads from it and closes it, with the faults of a plan for that phase.
    pub fn disturb_recovery(&self, config: &OpenConfig, files: &Files, plan: &FaultPlan) -> Disturbed {
        let exclusive = super::exclusive();
        self.prepare_disk(&exclusive, files, config);
        let before = alloc::counts();
        let watch = Rc::new(Watch::new());
        self.set_faults(plan, Phase::Recovery, &watch);
        self.vfs.machine().disk.start_log();
        for name in databases(files) {
            let path = CString::new(name).expect("a file name has no NUL");
            let path = if path.as_bytes() == MAIN_DB.as_bytes() { MAIN_PATH } else { &path };
            let connection = self.armed(&watch, || {
                let connection = Connection::open_sharing(&self.vfs, path, false, Rc::clone(&watch)).ok()?;
                query(&connection, "SELECT count(*) FROM sqlite_master");
                Some(connection)
            });
            // Closing may write, too: a checkpoint.
            drop(connection);
        }
        self.clear_faults(plan);
        let after = alloc::counts();
        let mut machine = self.vfs.install(Machine::new(0));
        let mut hits = std::mem::take(&mut machine.hits);
        let failed = after.failed - before.failed;
        hits.extend((failed > 0).then_some((rules::Hit::Allocation, failed)));
        let log = machine.disk.take_log().unwrap_or_default();
        let files = machine.disk.named_files().into_iter();
        Disturbed {
            files: files.map(|(name, content)| (name.to_vec(), content.to_vec())).collect(),
            log,
            hits,
            leaked: (after.live_bytes - before.live_bytes, after.live - before.live),
        }
    }

    fn prepare_disk(&self, exclusive: &super::Exclusive, files: &Files, config: &OpenConfig) {
        let files: Vec<(&[u8], &[u8])> =
            files.iter().map(|(name, content)| (name.as_slice(), content.as_slice())).collect();
        self.prepare_files(exclusive, &files, config, &Budget::UNLIMITED);
    }
}

/// The names of the databases among these files, the main one first, which is there or will be.
fn databases(files: &Files) -> impl Iterator<Item = String> {
    let others = files.iter().filter_map(|(name, _)| {
        let name = str::from_utf8(name).ok()?;
        (name != MAIN_DB && !name.contains('-')).then(|| name.to_owned())
    });
    std::iter::once(MAIN_DB.to_owned()).chain(others)
}
