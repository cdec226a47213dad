//! Target `answers`: SQL text whose answers are asked for in several ways.
#![no_main]
tandem::libfuzzer_target!(tandem::targets::ANSWERS);
