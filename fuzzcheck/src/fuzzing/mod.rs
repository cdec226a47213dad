//! `fuzzcheck fuzz`: from a machine with Rust to a running fuzzer, and from its output to findings.
//!
//! [`crate::tools`] sees to what the build needs, [`plan`] builds, [`session`] keeps libFuzzer going and restarts it
//! after a crash, [`log`] reads what libFuzzer prints, [`follower`] runs what is new in slower builds,
//! [`checks`] is what it does there, `cpu` what all of it costs.

pub(crate) mod checks;
mod cpu;
pub(crate) mod follower;
pub(crate) mod log;
pub(crate) mod plan;
mod restart;
pub(crate) mod session;
