//! Target `sql`: SQL text on an empty or a rich schema; accepts inputs of SQLite's ossfuzz.c.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::SQL);
