//! The guide: details beyond the README. CI runs its commands, in this order, as it runs those of the README.

#[doc = include_str!("your_sqlite.md")]
pub mod your_sqlite {}
#[doc = include_str!("interface.md")]
pub mod interface {}
#[doc = include_str!("mutation.md")]
pub mod mutation {}
#[doc = include_str!("replay.md")]
pub mod replay {}
#[doc = include_str!("answers.md")]
pub mod answers {}
#[doc = include_str!("faults.md")]
pub mod faults {}
#[doc = include_str!("turns.md")]
pub mod turns {}
#[doc = include_str!("comparison.md")]
pub mod comparison {}
#[doc = include_str!("simulate.md")]
pub mod simulate {}
#[doc = include_str!("findings.md")]
pub mod findings {}
#[doc = include_str!("nights.md")]
pub mod nights {}
#[doc = include_str!("coverage.md")]
pub mod coverage {}
#[doc = include_str!("services.md")]
pub mod services {}
