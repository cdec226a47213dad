//! Dictionaries of libFuzzer (<https://llvm.org/docs/LibFuzzer.html#dictionaries>): one quoted word per line.

use std::collections::BTreeSet;
use std::fmt::Write;

/// A dictionary.
#[derive(Debug)]
pub(crate) struct Dictionary {
    /// The file.
    pub text: String,
    /// How many words are in it.
    pub words: usize,
}

/// A dictionary of these words, each once, sorted.
pub(crate) fn write<'a>(words: impl Iterator<Item = &'a str>) -> Dictionary {
    let words: BTreeSet<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut text =
        String::from("# Written by `fuzzcheck oss-fuzz dictionary`: the words of this build of SQLite.\n");
    for word in &words {
        text.push('"');
        for byte in word.bytes() {
            match byte {
                b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
                b' '..=b'~' => text.push(char::from(byte)),
                _ => write!(text, "\\x{byte:02x}").expect("a string has room"),
            }
        }
        text.push_str("\"\n");
    }
    Dictionary { text, words: words.len() }
}

/// How many words a dictionary has.
///
/// # Errors
/// The number of the first line that libFuzzer would refuse, from 1, and what it is.
pub(crate) fn count(text: &str) -> Result<usize, (usize, String)> {
    let mut words = 0;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_word(line) {
            return Err((i + 1, line.to_owned()));
        }
        words += 1;
    }
    Ok(words)
}

/// True for `"word"` and `name="word"` with the escapes `\\`, `\"` and `\xAB`, and at least one byte.
fn is_word(line: &str) -> bool {
    let Some(start) = line.find('"') else {
        return false;
    };
    let Some(inner) = line[start + 1..].strip_suffix('"') else {
        return false;
    };
    let mut bytes = inner.bytes();
    let mut count = 0;
    while let Some(byte) = bytes.next() {
        let is_fine = match byte {
            b'"' => false,
            b'\\' => match bytes.next() {
                Some(b'"' | b'\\') => true,
                Some(b'x') => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
                _ => false,
            },
            byte => byte.is_ascii_graphic() || byte == b' ',
        };
        if !is_fine {
            return false;
        }
        count += 1;
    }
    count > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_counts() {
        let dictionary = write(["->>", "\"q\\", "é", "abs", "abs", ""].into_iter());
        assert_eq!(dictionary.words, 4);
        assert!(dictionary.text.contains("\n\"\\\"q\\\\\"\n"), "{}", dictionary.text);
        assert!(dictionary.text.contains("\n\"\\xc3\\xa9\"\n"), "{}", dictionary.text);
        assert_eq!(count(&dictionary.text), Ok(4));
    }

    #[test]
    fn a_line_that_libfuzzer_refuses_is_named() {
        for bad in ["abs", "\"abs", "\"\"", "\"\\q\"", "\"\\x4\"", "\"a\"b\"", "\"\u{e9}\""] {
            assert_eq!(count(&format!("# words\nkw1=\"x\"\n{bad}\n")), Err((3, bad.to_owned())));
        }
        assert_eq!(count("# nothing\n\n"), Ok(0));
    }
}
