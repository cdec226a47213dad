//! Target `db_file`: database bytes against statements that read and rewrite everything.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::DB_FILE);
