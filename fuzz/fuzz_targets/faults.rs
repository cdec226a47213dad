//! Target `faults`: scripts in which memory, files, locks and power fail.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::FAULTS);
