//! SQLite's C interface as safe Rust: the only `unsafe` code of the engine.
//!
//! # Invariants of the unsafe code
//! * A [`Connection`] is used and closed on one thread; it is neither `Send` nor `Sync`.
//! * A [`Statement`] borrows its connection, a [`Column`] its statement: none outlives what it needs.
//! * Callbacks get a pointer to the [`Watch`], or the callbacks, that their connection keeps, and lets go after it is closed;
//!   they use shared references and cells only.
//! * A panic in a callback aborts at the `extern "C"` boundary.
#![allow(unsafe_code)]

mod applying;
mod asking;
mod asking_statements;
mod callbacks;
mod changesets;
mod collations;
mod connection;
pub(super) mod fiber;
mod functions;
pub(super) mod held;
mod hooks;
mod images;
mod nested;
mod opening;
mod page_cache;
mod plants;
pub(super) mod process;
mod sessions;
mod statement;
mod streams;
mod supplying;
mod utf16;
mod watch;

pub(super) use applying::Applied;
pub(super) use changesets::Changes;
pub(super) use connection::Connection;
pub(super) use statement::Statement;
pub(super) use watch::{Phase, Uses, Watch};
