//! Running cases in worker processes.
//!
//! A case may abort the process, hang, or take all memory: that is what a fuzzer looks for. So cases run
//! in separate processes, in batches; a worker records which case it is running, and when it dies the
//! parent reports that case, starts another worker and continues.
//!
//! This is here and not in the library `tandem` (as STYLE.md had it) so that the library stays free of
//! processes, and with it every fuzz target.
//!
//! | module | what it does |
//! |---|---|
//! | [`arguments`] | the command line of a worker |
//! | [`protocol`] | the messages between parent and worker |
//! | [`worker`] | the worker's loop |
//! | [`client`] | the parent's end of one worker |
//! | [`pool`] | several workers and the watchdog |
//! | `death` | interprets the end of a worker |
//! | `symbols` | symbolizes stacks |
//! | [`cut_short`] | cases that a limit cut short |
//! | [`oracles`] | which oracles judge |
//! | [`report`] | the sum of all results |
//! | `switches` | the schedule of a run, in the progress file |

pub mod arguments;
pub mod client;
pub mod cut_short;
pub(crate) mod death;
pub mod oracles;
pub mod pool;
pub mod protocol;
pub mod report;
mod switches;
pub(crate) mod symbols;
pub(crate) mod watchdog;
pub mod worker;

pub use client::Outcome;
pub use pool::run_all;
pub use protocol::{CaseResult, FoundBug, Options};
pub use report::Report;
