//! Codes of errors.

use std::convert::Infallible;

use crate::engine;

/// Errors with a code, for `error = code`.
#[diagnostic::on_unimplemented(
    message = "errors of the type `{Self}` have no code",
    note = "`error = code` compares codes: implement `tandem::interfaces::ErrorCode` for `{Self}`"
)]
pub trait ErrorCode {
    /// Its code: of SQLite the extended result code, otherwise the name of its kind.
    fn code(&self) -> String;
}

impl ErrorCode for Infallible {
    fn code(&self) -> String {
        match *self {}
    }
}

impl ErrorCode for rusqlite::Error {
    fn code(&self) -> String {
        match self.sqlite_error() {
            Some(error) => error.extended_code.to_string(),
            // The name of the variant, which is what rusqlite has instead.
            None => format!("{self:?}")
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl ErrorCode for engine::Code {
    fn code(&self) -> String {
        self.0.to_string()
    }
}

impl ErrorCode for i32 {
    fn code(&self) -> String {
        self.to_string()
    }
}

impl ErrorCode for std::io::Error {
    fn code(&self) -> String {
        self.kind().to_string()
    }
}
