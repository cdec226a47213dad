//! `fuzzcheck fuzz`: from a machine with Rust to a running fuzzer, and from its output to findings.
//!
//! [`crate::tools`] checks what the build needs, [`plan`] builds, [`session`] keeps libFuzzer running and restarts it
//! after a crash, [`log`] reads its output, [`follower`] reruns new cases in slower builds,
//! [`checks`] are what it does there, and `cpu` measures the cost.

pub(crate) mod checks;
mod cpu;
pub(crate) mod follower;
pub(crate) mod log;
pub(crate) mod plan;
mod restart;
pub(crate) mod session;
