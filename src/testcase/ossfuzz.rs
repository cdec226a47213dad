//! Inputs of SQLite's OSS-Fuzz target (`test/ossfuzz.c`): SQL text, preceded by settings.
//!
//! If the second byte is a line end, the first holds settings: bit 0 enables foreign keys, bits
//! 1 to 7 limit the number of rows a statement returns.

use super::{Form, Setting, TestCase};

/// Reads any bytes: SQL text with or without the settings, or any other form of a case.
pub fn decode(bytes: &[u8]) -> TestCase {
    match bytes {
        [selector, b'\n', sql @ ..] if Form::of(bytes) == Form::Sql => {
            let mut case = TestCase::from_sql(sql);
            case.config.set(Setting::Toggles, u32::from(selector & 1));
            case.config.set(Setting::RowsMax, u32::from(selector >> 1));
            case
        }
        _ => TestCase::decode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selector_becomes_settings() {
        let case = decode(b"\xfd\nSELECT 1");
        assert_eq!(case.sql.as_bytes(), b"SELECT 1");
        assert_eq!((case.config.get(Setting::Toggles), case.config.get(Setting::RowsMax)), (1, 126));
        assert_eq!(decode(b"SELECT 1"), TestCase::from_sql("SELECT 1"));
        assert_eq!(decode(b"\n--\nSELECT 1").sql.as_bytes(), b"SELECT 1");
        assert_eq!(decode(&case.encode()), case);
    }
}
