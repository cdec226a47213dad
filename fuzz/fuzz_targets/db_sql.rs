//! Target `db_sql`: database files and SQL text mutated together.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::DB_SQL);
