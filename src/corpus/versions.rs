//! Versions of SQLite, and ranges of them.

use std::fmt;
use std::str::FromStr;

/// A version of SQLite: `3.45.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u16; 3]);

/// Versions from one on, up to another: `3.31.1..3.44.0`, `..3.45.0`, `3.50.0..`.
///
/// The first is within, the last is not: a bug was seen from the first on, and fixed in the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    from: Option<Version>,
    until: Option<Version>,
}

/// A text that is no version, or no range of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not three numbers.
    #[error("`{0}` is not a version of SQLite: expected three numbers, such as 3.45.0")]
    NotAVersion(String),
    /// No two dots, or nothing on both sides of them.
    #[error(
        "`{0}` is not a range of versions, such as 3.31.1..3.44.0, ..3.45.0 or 3.50.0.. (the last one excluded)"
    )]
    NotARange(String),
    /// It ends before it begins.
    #[error("no version is in the range {0}: it ends where it begins or before that")]
    Empty(String),
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError::NotAVersion(text.to_owned());
        // `parse` takes a sign, too.
        let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok());
        let numbers: Option<Vec<u16>> = text.split('.').map(|word| number(word).flatten()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl VersionRange {
    /// True if the version is within.
    pub fn contains(&self, version: Version) -> bool {
        self.from.is_none_or(|from| from <= version) && self.until.is_none_or(|until| version < until)
    }
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (from, until) = text.split_once("..").ok_or_else(|| VersionError::NotARange(text.to_owned()))?;
        let end = |word: &str| if word.is_empty() { Ok(None) } else { word.parse().map(Some) };
        match (end(from)?, end(until)?) {
            (None, None) => Err(VersionError::NotARange(text.to_owned())),
            (Some(from), Some(until)) if until <= from => Err(VersionError::Empty(text.to_owned())),
            (from, until) => Ok(Self { from, until }),
        }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.from.iter().try_for_each(|from| write!(f, "{from}"))?;
        f.write_str("..")?;
        self.until.iter().try_for_each(|until| write!(f, "{until}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_is_within_and_the_last_is_not() {
        let within = |range: &str, version: &str| {
            let range: VersionRange = range.parse().unwrap();
            assert_eq!(range.to_string().parse(), Ok(range));
            range.contains(version.parse().unwrap())
        };
        assert!(within("3.31.1..3.44.0", "3.31.1") && within("3.31.1..3.44.0", "3.43.12"));
        assert!(!within("3.31.1..3.44.0", "3.44.0") && !within("3.31.1..3.44.0", "3.9.2"));
        assert!(within("..3.45.0", "3.0.0") && !within("..3.45.0", "3.45.0"));
        assert!(within("3.50.0..", "3.50.0") && !within("3.50.0..", "3.49.9"));
    }

    #[test]
    fn what_is_no_range_is_said() {
        let error = |text: &str| text.parse::<VersionRange>().unwrap_err().to_string();
        for (text, word) in [
            ("3.45.0", "not a range"),
            ("..", "not a range"),
            ("", "not a range"),
            ("3.45..", "`3.45` is not a version"),
            ("3.+4.0..", "`3.+4.0` is not a version"),
            ("3.1.2.3..", "is not a version"),
            ("3..4", "`3` is not a version"),
            ("3.99999.0..", "is not a version"),
            ("3.45.0..3.45.0", "no version is in"),
            ("3.45.0..3.44.0", "no version is in"),
        ] {
            assert!(error(text).contains(word), "{text}: {}", error(text));
        }
    }
}
