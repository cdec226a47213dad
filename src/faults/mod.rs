//! The simulated machine under SQLite: disk and memory, and how they fail.
//!
//! # Fault model
//! What may break is planned in the case ([`crate::testcase::FaultPlan`]). A fault is armed only while the script of the
//! case runs, or, in the phase of recovery, while SQLite opens what a power loss left; what Tandem itself asks SQLite for
//! is never disturbed. A case without a plan has no fault layer in the path but for two flags that are false.
//!
//! | What | Where | What SQLite promises (<https://sqlite.org/atomiccommit.html>, <https://sqlite.org/malloc.html>) |
//! |---|---|---|
//! | An allocation fails, by ordinal, by call site, or at random | [`alloc`] | the statement fails, or does without; nothing leaks; the database stays as it was before or is as it should be after |
//! | A file operation fails, in the ways that [`crate::testcase::IoError`] says | [`vfs`] | the same |
//! | A statement is interrupted | the progress handler | the same |
//! | A read is short without being at the end of the file, a bit on the disk flips | [`vfs`], [`machine`] | nothing but that it does not crash |
//! | Power is lost | [`crash`], from the log of a run ([`disk::log`]) | depends on journal mode and `synchronous`: [`crate::oracles`] has the table |
//!
//! Failing *releases* are no fault: neither unlocking nor closing fails.
//!
//! | module | what it is |
//! |---|---|
//! | [`disk`] | files, locks and shared memory of one machine: pure, with its laws as tests |
//! | [`crash`] | the disks that a power loss may leave: pure, independent of [`disk`], with its laws as tests |
//! | [`machine`] | a disk, a clock, random numbers, and the file operations that fail |
//! | [`vfs`] | the `sqlite3_vfs` over a [`machine::Machine`] |
//! | [`alloc`] | the `sqlite3_mem_methods`, which know every live allocation, and those that fail |
//! | [`rules`] | which of many operations fail |
//! | [`order`] | whether SQLite makes durable what it must, in the right order |
//! | `fresh` | what is in memory that was never written |

pub mod alloc;
pub mod crash;
pub mod disk;
pub(crate) mod fresh;
pub mod machine;
pub mod order;
pub mod rules;
pub mod vfs;
