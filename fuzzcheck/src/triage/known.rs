//! Which signatures are known: those of cases that corpora keep for a bug that is not fixed, and of the bugs that runs
//! steer around ([`tandem::known`]).

use std::collections::BTreeMap;

use anyhow::Result;
use tandem::known::KNOWN;

use crate::source;

/// What is known of a signature, in words, by signature; those that end with `/` stand for all that begin so.
pub(crate) struct Known(BTreeMap<String, String>);

impl Known {
    /// All that these corpora know; and the library, whose bugs are those of the bundled SQLite.
    ///
    /// # Errors
    /// Where a corpus cannot be read.
    pub(crate) fn all(corpora: &[std::path::PathBuf], is_bundled: bool) -> Result<Self> {
        let of_library = KNOWN.iter().filter(|_| is_bundled);
        let mut known: BTreeMap<String, String> = of_library
            .map(|bug| (bug.signature.to_owned(), format!("{}, seen in {}", bug.name, bug.seen_in)))
            .collect();
        for case in source::open(corpora, None)?.cases {
            if let Some(signature) = case.known() {
                known.entry(signature).or_insert(case.name);
            }
        }
        Ok(Self(known))
    }

    /// What is known of a signature.
    pub(crate) fn get(&self, signature: &str) -> Option<&str> {
        let of_a_kind =
            || self.0.iter().find(|(known, _)| known.ends_with('/') && signature.starts_with(*known));
        self.0.get_key_value(signature).or_else(of_a_kind).map(|(_, what)| what.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_known_by_itself_or_by_its_beginning() {
        let known = Known(BTreeMap::from([
            ("crash/stack-overflow/".to_owned(), "x".to_owned()),
            ("a/b/c".to_owned(), "y".to_owned()),
        ]));
        assert_eq!(known.get("a/b/c"), Some("y"));
        assert_eq!(known.get("crash/stack-overflow/f"), Some("x"));
        assert_eq!(known.get("a/b/cd"), None);
    }
}
