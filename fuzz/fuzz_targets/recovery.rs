//! Target `recovery`: hot journals and WALs, and the files that they name.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::RECOVERY);
