//! Target `api`: several connections that take turns, and calls of SQLite's interface.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::API);
