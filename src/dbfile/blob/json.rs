//! JSON text as elements of JSONB.

use super::jsonb::{Content, Element, kind};

/// Nesting that is parsed at most.
const DEPTH_MAX: usize = 60;
/// Longest text that is parsed, in bytes.
const BYTES_MAX: usize = 100_000;

/// Parses `text` as JSON (RFC 8259, and words for numbers as in JSON5), if it is that.
pub fn parse(text: &[u8]) -> Option<Element> {
    let mut reader = Reader { text: text.get(..text.len().min(BYTES_MAX))?, at: 0 };
    let element = reader.element(DEPTH_MAX)?;
    reader.skip_blanks();
    (reader.at == text.len()).then_some(element)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Consumes `byte`, if it is next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let is_next = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn element(&mut self, depth: usize) -> Option<Element> {
        let depth = depth.checked_sub(1)?;
        if self.take(b'[') {
            return Some(Element::new(kind::ARRAY, Content::Elements(self.members(b']', false, depth)?)));
        }
        if self.take(b'{') {
            return Some(Element::new(kind::OBJECT, Content::Elements(self.members(b'}', true, depth)?)));
        }
        self.scalar()
    }

    fn members(&mut self, close: u8, has_labels: bool, depth: usize) -> Option<Vec<Element>> {
        let mut members = Vec::new();
        if self.take(close) {
            return Some(members);
        }
        loop {
            if has_labels {
                members.push(self.scalar()?);
                self.take(b':').then_some(())?;
            }
            members.push(self.element(depth)?);
            if self.take(close) {
                return Some(members);
            }
            self.take(b',').then_some(())?;
        }
    }

    fn scalar(&mut self) -> Option<Element> {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        if rest.first() == Some(&b'"') {
            let mut end = 1;
            while *rest.get(end)? != b'"' {
                end += if rest[end] == b'\\' { 2 } else { 1 };
            }
            let inner = rest[1..end].to_vec();
            let kind = if inner.contains(&b'\\') { kind::TEXTJ } else { kind::TEXT };
            self.at += end + 1;
            return Some(Element::new(kind, Content::Bytes(inner)));
        }
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len());
        let word = rest.get(..length).filter(|word| !word.is_empty())?;
        self.at += length;
        let is_digits = |word: &[u8]| word.iter().skip(usize::from(word[0] == b'-')).all(u8::is_ascii_digit);
        let (kind, bytes) = match word {
            b"null" => (kind::NULL, &[][..]),
            b"true" => (kind::TRUE, &[][..]),
            b"false" => (kind::FALSE, &[][..]),
            _ if is_digits(word) => (kind::INT, word),
            [b'0', b'x' | b'X', ..] => (kind::INT5, word),
            [b'0'..=b'9' | b'-', ..] => (kind::FLOAT, word),
            _ => (kind::FLOAT5, word),
        };
        Some(Element::new(kind, Content::Bytes(bytes.to_vec())))
    }
}
