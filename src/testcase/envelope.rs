//! The binary form of a case: compact, versioned, and readable even when damaged.
//!
//! ```text
//! envelope := MAGIC version:u8 section*
//! section  := tag:u8 length:LEB128 payload[length]
//!   'C'  settings:    (key:LEB128 value:LEB128)*        see `OpenConfig`
//!   'F'  faults:      Fault*, postcard                  see `FaultPlan`
//!   'O'  operations:  Operation*, postcard              see `Operations`
//!   'W'  schedule:    Switch*, postcard                 see `Schedule`
//!   'D'  one file:    name-length:u8 name, then its content without runs of zeros
//!   'S'  SQL text
//! ```
//! Sections come in this order, files sorted by name; a part that is empty or has its default value is omitted.
//! *postcard* is the format of that name (<https://postcard.jamesmunns.com>): it numbers enum variants in declaration
//! order. So new variants are added at the end, and a variant's fields never change.
//!
//! # Versions
//! Version 2 has no schedule ('P' were seeds of schedules, which nothing followed), and version 1 no operations either; its
//! faults, which nothing ever injected, are (kind, value, value, value) in
//! LEB128. An envelope uses the lowest version that can express its content, so a case keeps the bytes, and hence the
//! identity, it had before version 2 existed.
//!
//! The lenient reader takes sections in any order, skips unknown ones and truncates those that run past the
//! end: libFuzzer's own mutations and other engines produce such bytes, and rejecting the case would waste
//! a run.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CASE_BYTES_MAX, DecodeError, FaultPlan, FileName, OpenConfig, Script, TestCase};
use super::{Operations, Schedule};
use super::{sparse, sparse::write_varint};

/// First bytes of an envelope. Not valid UTF-8, so no SQL text begins this way.
pub const MAGIC: [u8; 4] = *b"\x89TDM";
/// The latest version.
pub const VERSION: u8 = 3;

const TAG_CONFIG: u8 = b'C';
const TAG_FAULTS: u8 = b'F';
const TAG_OPERATIONS: u8 = b'O';
const TAG_SCHEDULE: u8 = b'W';
const TAG_FILE: u8 = b'D';
const TAG_SQL: u8 = b'S';

pub(super) fn write(case: &TestCase) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + case.sql.len() + case.files.total_bytes() / 2);
    out.extend_from_slice(&MAGIC);
    let has_plan = !case.faults.is_empty() || !case.operations.is_empty();
    out.push(match () {
        () if !case.schedule.is_empty() => VERSION,
        () if has_plan => 2,
        () => 1,
    });
    let mut payload = Vec::new();
    if case.config != OpenConfig::default() {
        case.config.write(&mut payload);
        write_section(TAG_CONFIG, &mut payload, &mut out);
    }
    if !case.faults.is_empty() {
        case.faults.write(&mut payload);
        write_section(TAG_FAULTS, &mut payload, &mut out);
    }
    if !case.operations.is_empty() {
        case.operations.write(&mut payload);
        write_section(TAG_OPERATIONS, &mut payload, &mut out);
    }
    if !case.schedule.is_empty() {
        case.schedule.write(&mut payload);
        write_section(TAG_SCHEDULE, &mut payload, &mut out);
    }
    for (name, content) in case.files.iter() {
        let name = name.as_str().as_bytes();
        payload.push(u8::try_from(name.len()).expect("FileName has at most 64 bytes"));
        payload.extend_from_slice(name);
        sparse::write(content, &mut payload);
        write_section(TAG_FILE, &mut payload, &mut out);
    }
    if !case.sql.is_empty() {
        payload.extend_from_slice(case.sql.as_bytes());
        write_section(TAG_SQL, &mut payload, &mut out);
    }
    out
}

fn write_section(tag: u8, payload: &mut Vec<u8>, out: &mut Vec<u8>) {
    out.push(tag);
    write_varint(payload.len() as u64, out);
    out.append(payload);
}

/// Appends a list item to a section.
pub(super) fn write_item(item: &impl Serialize, out: &mut Vec<u8>) {
    out.extend(postcard::to_allocvec(item).expect("plain data serializes"));
}

pub(super) fn read_strict(bytes: &[u8]) -> Result<TestCase, DecodeError> {
    read(bytes, Mode::Strict)
}

pub(super) fn read_lenient(bytes: &[u8]) -> TestCase {
    read(bytes, Mode::Lenient).unwrap_or_default()
}

fn read(bytes: &[u8], mode: Mode) -> Result<TestCase, DecodeError> {
    let mut reader = Reader { bytes, at: MAGIC.len(), mode };
    let version = reader.byte("version")?;
    if version > VERSION && mode == Mode::Strict {
        return Err(DecodeError::UnsupportedVersion { found: version });
    }
    let mut case = TestCase::default();
    while !reader.is_empty() {
        let tag = reader.byte("tag of a section")?;
        let length = reader.varint("length of a section")?;
        let start = reader.at;
        let payload = reader.take(length, "payload of a section")?;
        let mut section = Reader { bytes: &bytes[..start + payload.len()], at: start, mode };
        match tag {
            TAG_CONFIG => case.config = OpenConfig::read(&mut section)?,
            TAG_FAULTS if version == 1 => case.faults = FaultPlan::read_version_1(&mut section)?,
            TAG_FAULTS => case.faults = FaultPlan::read(&mut section)?,
            TAG_OPERATIONS if version > 1 => case.operations = Operations::read(&mut section)?,
            TAG_SCHEDULE if version > 2 => case.schedule = Schedule::read(&mut section)?,
            TAG_FILE => read_file(&mut section, &mut case)?,
            TAG_SQL => read_sql(payload, &mut section, &mut case)?,
            _ => section.tolerate("unknown section")?,
        }
    }
    Ok(case)
}

fn read_file(section: &mut Reader<'_>, case: &mut TestCase) -> Result<(), DecodeError> {
    let length = section.byte("length of a file name")?;
    let name = section.take(u64::from(length), "file name")?;
    let Some(name) = std::str::from_utf8(name).ok().and_then(FileName::new) else {
        return section.tolerate("a file name is 1 to 64 of A-Z a-z 0-9 _ . -");
    };
    if !case.files.insert(name, sparse::read(section)?) {
        section.tolerate("more or larger files than a case may hold")?;
    }
    Ok(())
}

fn read_sql(payload: &[u8], section: &mut Reader<'_>, case: &mut TestCase) -> Result<(), DecodeError> {
    case.sql = Script::new(payload);
    if case.sql.len() != payload.len() {
        section.tolerate("SQL text contains a NUL byte")?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Strict,
    Lenient,
}

/// A cursor that either rejects damage or makes the best of it.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    mode: Mode,
}

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Ignores damage when lenient.
    pub(super) fn tolerate(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.mode {
            Mode::Lenient => Ok(()),
            Mode::Strict => Err(DecodeError::Malformed { offset: self.at, what }),
        }
    }

    fn truncated(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.mode {
            Mode::Lenient => Ok(()),
            Mode::Strict => Err(DecodeError::Truncated { offset: self.bytes.len(), what }),
        }
    }

    /// One byte; 0 past the end when lenient.
    fn byte(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        match self.bytes.get(self.at) {
            Some(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            None => self.truncated(what).map(|()| 0),
        }
    }

    /// `count` bytes; fewer past the end when lenient.
    pub(super) fn take(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let available = usize::try_from(count).unwrap_or(CASE_BYTES_MAX).min(rest.len());
        if available as u64 != count {
            self.truncated(what)?;
        }
        self.at += available;
        Ok(&rest[..available])
    }

    /// The items up to the end, at most `count_max`. When lenient, the list ends at the first damaged item.
    pub(super) fn items<T: DeserializeOwned>(
        &mut self,
        count_max: usize,
        what: &'static str,
    ) -> Result<Vec<T>, DecodeError> {
        let mut items = Vec::new();
        while !self.is_empty() {
            match postcard::take_from_bytes(&self.bytes[self.at..]) {
                Ok((item, rest)) if items.len() < count_max => {
                    items.push(item);
                    self.at = self.bytes.len() - rest.len();
                }
                Err(postcard::Error::DeserializeUnexpectedEnd) => {
                    self.truncated(what)?;
                    break;
                }
                _ => {
                    self.tolerate(what)?;
                    break;
                }
            }
        }
        Ok(items)
    }

    /// A LEB128 number; when lenient, one longer than 64 bits is truncated.
    pub(super) fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        self.tolerate("a number has more than 64 bits")?;
        Ok(value)
    }
}
