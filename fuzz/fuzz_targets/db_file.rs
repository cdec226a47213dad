//! Database bytes against a fixed battery of statements.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::DB_FILE);
