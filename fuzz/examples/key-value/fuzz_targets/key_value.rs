//! A key-value store on SQLite against a model.
#![no_main]
tandem::libfuzzer_target!(key_value::KEY_VALUE, key_value::registry());
