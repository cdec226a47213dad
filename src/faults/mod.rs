//! The simulated machine under SQLite: disk and memory.
//!
//! # Fault model
//! What may break is planned in the case ([`crate::testcase::FaultPlan`]) and injected here, below SQLite, in the two
//! places through which everything passes: [`disk`] and [`alloc`]. So far both only *count and limit*: a full disk and
//! a reached heap limit are the only faults. Data stays intact; a fault layer wraps these types and can be switched
//! off.
//!
//! | module | what it is |
//! |---|---|
//! | [`disk`] | files, locks and shared memory of one machine: pure, with its laws as tests |
//! | [`vfs`] | the `sqlite3_vfs` over a [`disk::Disk`] |
//! | [`alloc`] | the `sqlite3_mem_methods`, which know every live allocation |
//! | `fresh` | what is in memory that was never written |

pub mod alloc;
pub mod disk;
pub(crate) mod fresh;
mod shm;
pub mod vfs;
