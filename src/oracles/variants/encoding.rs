//! The encoding of text makes no difference (<https://sqlite.org/pragma.html#pragma_encoding>).
//!
//! It does for what looks at the bytes of a text, for text that is made of bytes or code points, and for the order of
//! characters beyond ASCII: scripts with any of that are left alone, and so are virtual tables.

use super::{Keeps, Scriptwise, Variant, by_name, script, starts_empty};
use crate::engine::Observation;
use crate::sql::{self, TokenKind};
use crate::testcase::TestCase;

pub(crate) const ENCODING: Scriptwise =
    Scriptwise { name: "encoding", keeps: Keeps::Programs, variants, examine: by_name };

/// What turns text into bytes or the other way round, or makes characters beyond ASCII.
const OF_BYTES: [&str; 26] = [
    "cast",
    "hex",
    "unhex",
    "octet_length",
    "zeroblob",
    "char",
    "unistr",
    "unistr_quote",
    "base64",
    "base85",
    "ieee754_from_blob",
    "ieee754_to_blob",
    "ieee754",
    "uuid_blob",
    "uuid_str",
    "sha1",
    "sha1b",
    "sha3",
    "sha3_agg",
    "md5",
    "md5b",
    "virtual",
    "attach",
    "analyze",
    "usleep",
    "edit",
];

fn variants(case: &TestCase, own: &Observation) -> Result<Vec<Variant>, &'static str> {
    if !starts_empty(case) {
        return Err("it brings a database, which has an encoding");
    }
    let sql = case.sql.as_bytes();
    // JSON has escapes for characters.
    let is_plain = |byte: &u8| byte.is_ascii() && *byte != 0 && *byte != b'\\';
    let has_blobs = || sql::tokenize(sql).iter().any(|token| token.kind == TokenKind::Blob);
    if !sql.iter().all(is_plain) || has_blobs() {
        return Err("characters beyond ASCII, or blobs");
    }
    let of_bytes = |word: &String| {
        OF_BYTES.contains(&word.as_str()) || word.starts_with("jsonb") || word.starts_with("sha")
    };
    if script::words(sql).iter().any(of_bytes) || script::mentions(case, own, &["virtual"]) {
        return Err("what looks at the bytes of a text");
    }
    Ok(vec![
        Variant::new("utf-16le", &[("encoding", "'UTF-16le'")]),
        Variant::new("utf-8", &[("encoding", "'UTF-8'")]),
        Variant::new("utf-16be", &[("encoding", "'UTF-16be'")]),
    ])
}
