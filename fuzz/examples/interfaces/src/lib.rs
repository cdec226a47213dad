//! Examples of `#[tandem::interface]`, which the page `interface` of Tandem's guide shows: a layer against a map, against its
//! last version, and by assertions alone.
//!
//! For each there is a bug that can be planted, so that its test is seen to fail:
//! ```sh
//! TANDEM_PLANT=kv cargo test -p interfaces kv
//! ```

mod kv;
mod ledger;
mod versions;

#[cfg(test)]
mod tests;

pub use kv::fuzz_kv_bytes;

/// Whether this bug is planted.
fn planted(bug: &str) -> bool {
    std::env::var_os("TANDEM_PLANT").is_some_and(|planted| planted == bug)
}
