//! The fields of the database header (`lockBtree` in SQLite's `btree.c`, `sqlite3InitOne` in `prepare.c`).

use super::problem::{Kind, Problems};
use crate::dbfile::header::{self, Field};
use crate::dbfile::{Geometry, MAGIC};

/// What a field should hold, if it does not.
struct Rule {
    field: Field,
    kind: Kind,
    is_right: bool,
    expected: &'static str,
}

fn rules(image: &[u8]) -> Vec<Rule> {
    let get = |field: Field| field.get(image);
    let rule = |field, kind, is_right, expected| Rule { field, kind, is_right, expected };
    let page_bytes = header::page_size(image);
    let reserved = get(header::RESERVED) as usize;
    let is_incremental = get(header::INCREMENTAL_VACUUM) != 0;
    let fractions = header::PAYLOAD_FRACTIONS.into_iter().zip([(64, "64"), (32, "32"), (32, "32")]);
    let mut rules: Vec<Rule> = fractions
        .map(|(field, (value, text))| rule(field, Kind::Header, get(field) == value, text))
        .collect();
    rules.extend([
        rule(
            header::PAGE_SIZE,
            Kind::Header,
            page_bytes.is_some(),
            "a power of two from 512 to 32768, or 1 for 65536",
        ),
        rule(
            header::RESERVED,
            Kind::Header,
            page_bytes.is_none_or(|bytes| bytes - reserved >= 480),
            "small enough to leave at least 480 usable bytes per page",
        ),
        rule(
            header::READ_VERSION,
            Kind::Header,
            get(header::READ_VERSION) <= 2,
            "1 or 2; SQLite refuses a file with a larger one",
        ),
        rule(
            header::WRITE_VERSION,
            Kind::OddHeader,
            get(header::WRITE_VERSION) <= 2,
            "1 or 2; SQLite only reads a file with a larger one",
        ),
        rule(
            header::WRITE_VERSION,
            Kind::OddHeader,
            get(header::WRITE_VERSION) == get(header::READ_VERSION) || get(header::WRITE_VERSION) > 2,
            "the same as the read version",
        ),
        rule(header::SCHEMA_FORMAT, Kind::Header, get(header::SCHEMA_FORMAT) <= 4, "at most 4"),
        rule(
            header::ENCODING,
            Kind::OddHeader,
            get(header::ENCODING) <= 3,
            "1, 2 or 3; SQLite takes the last two bits, and 0 for 1",
        ),
        rule(
            header::LARGEST_ROOT,
            Kind::Header,
            !is_incremental || get(header::LARGEST_ROOT) != 0,
            "nonzero if there is incremental vacuum",
        ),
        rule(
            header::VERSION_VALID_FOR,
            Kind::OddHeader,
            get(header::VERSION_VALID_FOR) == get(header::CHANGE_COUNTER),
            "the change counter; otherwise SQLite ignores the page count",
        ),
    ]);
    rules
}

/// Checks the fields that depend on nothing else.
pub(super) fn check(image: &[u8], problems: &mut Problems) {
    if !header::has_magic(image) {
        let differs = image.iter().zip(MAGIC).position(|(byte, magic)| byte != magic);
        let what = "the file does not begin with the magic text".to_owned();
        let expected = "`SQLite format 3` and a zero byte".to_owned();
        problems.add(Kind::Header, 1, differs.unwrap_or(image.len()), what, expected);
    }
    for Rule { field, kind, is_right, expected } in rules(image) {
        if !is_right {
            let what = format!("{} is {}", field.name, field.get(image));
            problems.add(kind, 1, field.at, what, expected.to_owned());
        }
    }
    let expansion = image.get(header::EXPANSION).unwrap_or_default();
    if let Some(at) = expansion.iter().position(|&byte| byte != 0) {
        let at = header::EXPANSION.start + at;
        let what = format!("a byte reserved for expansion is {}", image[at]);
        problems.add(Kind::OddHeader, 1, at, what, "0".to_owned());
    }
}

/// The number of pages that SQLite assumes: what the header claims, if that is valid. Checks it against the file.
pub(super) fn page_count(image: &[u8], geometry: &Geometry, problems: &mut Problems) -> u32 {
    let claimed = header::PAGE_COUNT.get(image);
    let has_claim = claimed != 0 && header::CHANGE_COUNTER.get(image) == header::VERSION_VALID_FOR.get(image);
    let pages = if has_claim { claimed } else { geometry.pages };
    let at = header::PAGE_COUNT.at;
    let expected = format!("{}: the file has {} bytes", geometry.pages, image.len());
    let what = format!("the header claims {claimed} pages");
    if pages > geometry.pages {
        problems.add(Kind::FileSize, 1, at, what, expected);
    } else if pages < geometry.pages {
        problems.add(Kind::PagesBehind, 1, at, what, expected);
    }
    let rest = image.len() % geometry.page_bytes;
    if rest != 0 && pages >= geometry.pages {
        let what = format!("the file ends after {rest} bytes of the page");
        problems.add(Kind::CutPage, geometry.pages, rest, what, format!("{} bytes", geometry.page_bytes));
    }
    pages.min(geometry.pages)
}
