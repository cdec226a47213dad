//! Numbers as text, and escaping of what cases contain.

use jiff::Timestamp;

/// A text that cannot hide or reorder the text beside it: control characters, direction marks and
/// zero-width characters are shown by code point. XML and HTML must not contain a NUL.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            _ if is_hidden(character) => {
                shown.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(character)));
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Controls, directions, separators, no width, and what XML 1.0 refuses.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// A path as a relative address: what is no plain character is encoded, so that it names no other scheme.
pub(crate) fn address(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    // Two slashes at the beginning would name another machine.
    let path =
        if path.starts_with('/') { format!("/{}", path.trim_start_matches('/')) } else { path.to_owned() };
    path.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number and what it counts: `1 case`, `2 cases`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A time span: `45 s`, `12 min 05 s`, `7 h 03 min`.
pub(crate) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0 if seconds > 0.0 => format!("{:.0} ms", seconds * 1e3),
        0..60 => format!("{whole} s"),
        60..3600 if whole.is_multiple_of(60) => format!("{} min", whole / 60),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ if (whole / 60).is_multiple_of(60) => format!("{} h", whole / 3600),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// A size: `512 B`, `16.0 KiB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// A moment, in UTC, to the minute.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M\u{a0}UTC").to_string()
}

/// A percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{share:.1} %")
}

/// How many per second; `None` if no time went by.
pub(crate) fn rate(number: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| number as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_be_seen_is_shown_by_name() {
        let named = |code: &str| format!("\u{27e8}U+{code}\u{27e9}");
        assert_eq!(visible("a\0b\x1b[2J\tc\n"), format!("a{}b{}[2J\tc\n", named("0000"), named("001B")));
        let all = ["202E", "007F", "FEFF", "009B", "000D", "FFFE"];
        assert_eq!(visible("\u{202e}\u{7f}\u{feff}\u{9b}\r\u{fffe}"), all.map(named).concat());
        assert_eq!(visible("é\u{5d0}"), "é\u{5d0}");
    }

    #[test]
    fn an_address_stays_where_it_is() {
        assert_eq!(address("findings/a b.md"), "findings/a%20b.md");
        assert_eq!(address("javascript:alert(1)"), "javascript%3Aalert%281%29");
        assert_eq!(address("//evil/x\"><"), "/evil/x%22%3E%3C");
    }

    #[test]
    fn figures_are_read_at_a_glance() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((counted(1, "case"), counted(2, "case")), ("1 case".to_owned(), "2 cases".to_owned()));
        let spans = [0.0, 0.25, 45.0, 60.0, 725.0, 3600.0, 25_380.0, -1.0].map(span);
        assert_eq!(spans, ["0 s", "250 ms", "45 s", "1 min", "12 min 05 s", "1 h", "7 h 03 min", "0 s"]);
        assert_eq!([512, 16_384, 3 << 30].map(size), ["512 B", "16.0 KiB", "3.0 GiB"]);
        assert_eq!((rate(10, 0.0), rate(10, 4.0)), (None, Some(2.5)));
        assert_eq!(moment("2026-11-21T22:01:59Z".parse().unwrap()), "2026-11-21 22:01\u{a0}UTC");
    }
}
