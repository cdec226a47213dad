//! Bytes as text for scripts.

use std::fmt::Write as _;
use std::ops::Range;

use tandem::testcase::nonzero_runs;

/// Maximum number of characters per line.
const LINE_CHARS: usize = 76;
/// Number of bytes per line of digits.
const LINE_BYTES: usize = 32;
/// Size of the blocks of a file that are written or left out as a whole.
pub(super) const BLOCK_BYTES: usize = 512;

/// True for text that every viewer and compiler handles: UTF-8 without control characters, and
/// without those that change the direction of text.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_odd = |c: char| c.is_control() && c != '\n' && c != '\t' || turns(c);
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(is_odd))
}

/// Lines of hexadecimal digits, with `*N` for N zero bytes. Ends with a line end.
pub(super) fn hex(content: &[u8]) -> String {
    let mut text = String::new();
    let mut put = |line: std::fmt::Arguments<'_>| {
        text.write_fmt(line).expect("writing to a String does not fail");
    };
    let mut at = 0;
    for run in nonzero_runs(content) {
        if run.start > at {
            put(format_args!("*{}\n", run.start - at));
        }
        for line in content[run.clone()].chunks(LINE_BYTES) {
            line.iter().for_each(|byte| put(format_args!("{byte:02x}")));
            put(format_args!("\n"));
        }
        at = run.end;
    }
    if at < content.len() {
        put(format_args!("*{}\n", content.len() - at));
    }
    text
}

/// The blocks that are not all zeros, as few ranges of whole blocks as possible.
pub(super) fn blocks(content: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for run in nonzero_runs(content) {
        let start = run.start / BLOCK_BYTES * BLOCK_BYTES;
        let end = run.end.next_multiple_of(BLOCK_BYTES).min(content.len());
        match ranges.last_mut().filter(|last| start <= last.end) {
            Some(last) => last.end = end,
            None => ranges.push(start..end),
        }
    }
    ranges
}

/// Lines of Base64 (RFC 4648). Ends with a line end unless it is empty.
pub(super) fn base64(content: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for line in content.chunks(LINE_CHARS / 4 * 3) {
        for group in line.chunks(3) {
            let bytes = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
            let number = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
            for place in 0..4 {
                let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize];
                text.push(if place <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()).trim(), text);
        }
        assert!(base64(&[255; 1000]).lines().all(|line| line.len() <= LINE_CHARS));
    }

    #[test]
    fn runs_of_zeros_are_left_out() {
        let mut content = vec![0; 2000];
        (content[5], content[1200]) = (1, 2);
        assert_eq!(hex(&content), "*5\n01\n*1194\n02\n*799\n");
        assert_eq!(blocks(&content), [0..512, 1024..1536]);
        content[512] = 1;
        content[1999] = 1;
        assert_eq!((blocks(&content).len(), &blocks(&content)[0]), (1, &(0..2000)));
        assert_eq!((hex(&[]).as_str(), blocks(&[0; 9]).len()), ("", 0));
    }

    #[test]
    fn what_a_terminal_or_a_compiler_stumbles_over_is_not_plain() {
        assert!(is_plain("SELECT 'é\t';\n".as_bytes()));
        for odd in [b"\xff".as_slice(), b"a\rb", b"\x1b", "\u{202e}".as_bytes()] {
            assert!(!is_plain(odd), "{odd:?}");
        }
    }
}
