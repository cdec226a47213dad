//! Two implementations of a trait, run with the same random operations: what `#[tandem::interface]` expands to. How to
//! use it is in the [guide](crate::guide::interface).
//!
//! # Strategy
//! Entropy becomes a [case](driver): arguments for the constructors, then a list of operations, each a method with its
//! arguments; in every other case some methods are left out, so that the rest come more often. All of it is run on a
//! reference and on the object that is tested. They must return the same, both fail or both succeed, both panic or
//! neither; and the invariants must hold for the object that is tested. The first inconsistency ends a case, and is made
//! smaller: operations go ([`crate::cuts`]), and their arguments become simpler.
//!
//! # Invariants
//! * The same entropy gives the same case, and the same report to the byte.
//! * A smaller case is accepted only with the same [`Signature`]: the same kind of inconsistency in the same operation.
//! * A run without a single operation is an error, and no pass.
//! * Values that a generator of your own made are never changed: only the generator knows which ones are possible.
//! * No clock, no ambient randomness. The environment is read by [`run_test`] alone.
//!
//! # Files
//! | | |
//! |---|---|
//! | [`values`] | random values, boundary values, simpler values |
//! | [`literals`] | values as source text |
//! | [`compare`] | when two values are the same |
//! | [`codes`] | codes of errors |
//! | [`agree`] | `agree!`, by which what is returned is compared |
//! | [`seen`] | generators that remember: ids, half new and half seen before |
//! | [`plan`] | what the macro writes for a trait |
//! | [`driver`] | generates and runs |
//! | `shrink` | makes smaller |
//! | [`report`] | the inconsistency, for people and as Rust |
//! | [`caught`] | panics as values |
//! | [`harness`] | the `#[test]` and the libFuzzer target |

pub mod agree;
pub mod caught;
pub mod codes;
pub mod compare;
pub mod driver;
pub mod harness;
pub mod literals;
pub mod plan;
pub mod report;
pub mod seen;
mod shrink;
pub mod values;

pub use arbitrary::{self, Unstructured};
pub use codes::ErrorCode;
pub use compare::{Agree, Rows};
pub use driver::{Failure, Makers, Ran, Signature, fuzz};
pub use harness::{run_bytes, run_test};
pub use literals::Literal;
pub use plan::{Call, Plan, Source, Step, alone, step};
pub use report::Inconsistency;
pub use seen::{Seen, half_seen};
pub use values::{Generate, Value, any};
