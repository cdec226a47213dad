//! Running cases in worker processes.
//!
//! A case may abort the process, hang, or take all memory: that is what a fuzzer looks for. So cases run
//! in processes of their own, in batches; a worker writes down which case it is at, and when it dies the
//! parent names that case, starts another worker and goes on.
//!
//! This lives here and not in the library `tandem` (as STYLE.md had it) so that the library stays free of
//! processes, and with it every fuzz target.
//!
//! | module | what it does |
//! |---|---|
//! | [`arguments`] | what a worker is told on its command line |
//! | [`protocol`] | what parent and worker say to each other |
//! | [`worker`] | the worker's loop |
//! | [`client`] | the parent's end of one worker |
//! | [`pool`] | several workers and the watchdog |
//! | `death` | what the end of a worker means |
//! | `symbols` | addresses of a stack into functions |
//! | [`cut_short`] | what a limit kept from being seen |
//! | [`report`] | what all of it adds up to |

pub mod arguments;
pub mod client;
pub mod cut_short;
pub(crate) mod death;
pub mod pool;
pub mod protocol;
pub mod report;
pub(crate) mod symbols;
pub(crate) mod watchdog;
pub mod worker;

pub use client::Outcome;
pub use pool::run_all;
pub use protocol::{CaseResult, FoundBug, Options};
pub use report::Report;
