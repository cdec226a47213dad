//! A key-value store on SQLite against a map.
#![no_main]
tandem::interface_target!(interfaces::fuzz_kv_bytes);
