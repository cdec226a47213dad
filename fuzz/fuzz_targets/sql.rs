//! SQL text on an empty or a rich schema.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::SQL);
