//! The public text form of a dbsqlfuzz case, as SQLite's `fuzzcheck` reads it.
//!
//! ```text
//! case    := image [ "\n--\n" sql ]            the separator counts only if a byte follows it
//! image   := ( hexdigit | "[" hexdigit* "]" | any-other-byte )*
//! ```
//! Every hexadecimal digit, wherever it is, is half a byte; `[HEX]` moves the cursor; all other bytes are
//! ignored. The image ends at the last byte written, rounded up to 4096, but a last byte at an exact
//! multiple of 4096 does not extend it. Header bytes 72..75 and 76..79 carry settings, and a header
//! that asks for WAL mode is changed to ask for a rollback journal: the form has no place for a WAL.
//!
//! Source: the behaviour of `test/fuzzcheck.c` of SQLite 3.49.2.

use super::config::TOGGLE_NAMES;
use super::{DecodeError, FILE_BYTES_MAX, FileName, FileSet, OpenConfig, Script, Setting, TestCase};

/// Separates the image from the SQL.
const SEPARATOR: &[u8] = b"\n--\n";
/// The first four bytes of a database file, in hexadecimal.
const FIRST_DIGITS: &[u8; 8] = b"53514c69";
/// An image's size is a multiple of this many bytes.
const SIZE_UNIT: usize = 4096;
/// Header offsets of the settings.
const TOGGLES_AT: usize = 72;
const OPTIMIZATIONS_AT: usize = 76;
/// Header offsets of the write and read format versions; 2 means WAL.
const FORMAT_AT: std::ops::Range<usize> = 18..20;

/// True if fuzzcheck would take `bytes` to be a case in this form.
pub fn looks_like(bytes: &[u8]) -> bool {
    if bytes.len() > SEPARATOR.len() && bytes.starts_with(SEPARATOR) {
        return true;
    }
    let digits = bytes.iter().filter(|b| b.is_ascii_hexdigit()).take(FIRST_DIGITS.len());
    digits.map(u8::to_ascii_lowercase).eq(FIRST_DIGITS.iter().copied())
}

/// Reads a case.
///
/// # Errors
/// [`DecodeError::DatabaseTooLarge`] if a digit lies beyond [`FILE_BYTES_MAX`]; SQLite's
/// fuzzcheck skips such a case.
pub fn read(bytes: &[u8]) -> Result<TestCase, DecodeError> {
    let (mut image, used) = read_image(bytes)?;
    let mut case = TestCase { sql: Script::new(&bytes[used..]), ..TestCase::default() };
    if !image.is_empty() {
        case.config = settings_in(&image);
        if image[FORMAT_AT] == [2, 2] {
            image[FORMAT_AT].fill(1);
        }
        case.files.insert(FileName::main(), image);
    }
    Ok(case)
}

/// The settings in the header of an image of at least 80 bytes.
fn settings_in(image: &[u8]) -> OpenConfig {
    let number = |at: usize| {
        let bytes = image[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    };
    let known_toggles = (1 << TOGGLE_NAMES.len()) - 1;
    OpenConfig::default()
        .with(Setting::Toggles, number(TOGGLES_AT) & known_toggles)
        .with(Setting::OptimizationsOff, number(OPTIMIZATIONS_AT))
}

/// Decodes the image; also returns the number of bytes read, including the separator.
fn read_image(bytes: &[u8]) -> Result<(Vec<u8>, usize), DecodeError> {
    let mut image = Vec::new();
    let mut size = 0;
    // Counts half bytes and wraps, as the original's `unsigned int` does.
    let mut cursor = 0_u32;
    let mut high = 0;
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes[i];
        if let Some(digit) = char::from(byte).to_digit(16) {
            cursor = cursor.wrapping_add(1);
            if cursor & 1 == 1 {
                high = digit as u8;
            } else {
                let at = (cursor / 2).wrapping_sub(1) as usize;
                write_byte(&mut image, &mut size, at, high << 4 | digit as u8)?;
            }
        } else if byte == b'[' && i + 3 < bytes.len() {
            if let Some((offset, length)) = read_offset(&bytes[i..]) {
                cursor = offset.wrapping_mul(2);
                i += length;
                continue;
            }
        } else if byte == b'\n' && i + SEPARATOR.len() < bytes.len() && bytes[i..].starts_with(SEPARATOR) {
            i += SEPARATOR.len();
            break;
        }
        i += 1;
    }
    image.resize(size, 0);
    Ok((image, i))
}

fn write_byte(image: &mut Vec<u8>, size: &mut usize, at: usize, byte: u8) -> Result<(), DecodeError> {
    if at >= FILE_BYTES_MAX {
        return Err(DecodeError::DatabaseTooLarge);
    }
    if at >= image.len() {
        image.resize((at + 1).next_multiple_of(SIZE_UNIT).min(FILE_BYTES_MAX), 0);
    }
    if at >= *size {
        *size = at.next_multiple_of(SIZE_UNIT).min(FILE_BYTES_MAX);
    }
    image[at] = byte;
    Ok(())
}

/// Reads `[HEX]` at the start of `bytes`: the offset, which wraps, and the length of the whole token.
fn read_offset(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut offset = 0_u32;
    for (i, &byte) in bytes.iter().enumerate().skip(1) {
        if byte == b']' {
            return Some((offset, i + 1));
        }
        let digit = char::from(byte).to_digit(16)?;
        offset = offset.wrapping_mul(16).wrapping_add(digit);
    }
    None
}

/// A case in text form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: Vec<u8>,
    /// What this form could not carry. If empty, [`read`] returns the same case.
    pub losses: Vec<&'static str>,
}

/// Writes a case as dbsqlfuzz text.
pub fn write(case: &TestCase) -> Written {
    let mut losses = Vec::new();
    let mut text = Vec::new();
    match case.files.main() {
        Some(image) if !image.is_empty() => {
            let image = prepare_image(image, &case.config, &mut losses);
            write_image(&image, &mut text);
        }
        Some(_) => losses.push("an empty main database is the same as none"),
        None => {}
    }
    if !case.sql.is_empty() {
        text.extend_from_slice(SEPARATOR);
        text.extend_from_slice(case.sql.as_bytes());
    }
    note_losses(case, &mut losses);
    Written { text, losses }
}

/// The image as it will be read back: padded, and with the settings in its header.
fn prepare_image(image: &[u8], config: &OpenConfig, losses: &mut Vec<&'static str>) -> Vec<u8> {
    let mut image = image.to_vec();
    let padded = image.len().next_multiple_of(SIZE_UNIT).min(FILE_BYTES_MAX);
    if padded != image.len() {
        losses.push("the size of the database was rounded up to a multiple of 4096 bytes");
        image.resize(padded, 0);
    }
    if image[..4] != crate::dbfile::MAGIC[..4] {
        losses.push("fuzzcheck takes a case for SQL unless its database begins with `SQLi`");
    }
    if image[FORMAT_AT] == [2, 2] {
        losses.push("a database in WAL mode is read back in rollback mode");
    }
    let carried = settings_in(&image);
    let mut store = |setting, at: usize| {
        if carried.get(setting) != config.get(setting) {
            losses.push("header bytes 72..79 of the database were replaced by the settings");
            image[at..at + 4].copy_from_slice(&config.get(setting).to_be_bytes());
        }
    };
    store(Setting::Toggles, TOGGLES_AT);
    store(Setting::OptimizationsOff, OPTIMIZATIONS_AT);
    losses.dedup();
    image
}

fn write_image(image: &[u8], text: &mut Vec<u8>) {
    const LINE_BYTES: usize = 32;
    let mut next = 0;
    let last = image.len() - 1;
    for (i, line) in image.chunks(LINE_BYTES).enumerate() {
        let start = i * LINE_BYTES;
        // The last byte is written even if it is zero, because it determines the image's size.
        let is_last = start + line.len() > last;
        if line.iter().all(|&byte| byte == 0) && !is_last {
            continue;
        }
        if start != next {
            text.extend_from_slice(format!("[{start:x}]").as_bytes());
        }
        for byte in line {
            text.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        text.push(b'\n');
        next = start + line.len();
    }
    text.pop();
}

fn note_losses(case: &TestCase, losses: &mut Vec<&'static str>) {
    let is_lost = |set: &FileSet| set.iter().any(|(name, _)| *name != FileName::main());
    if is_lost(&case.files) {
        losses.push("files other than the main database were left out");
    }
    if !case.faults.is_empty() {
        losses.push("the fault plan was left out");
    }
    if !case.operations.is_empty() || !case.schedule.is_empty() {
        losses.push("operations and their schedule were left out: all statements run on one connection");
    }
    let carried = [Setting::Toggles, Setting::OptimizationsOff];
    let has_image = case.files.main().is_some_and(|image| !image.is_empty());
    if case.config.changed().any(|(spec, _)| !has_image || !carried.contains(&spec.setting)) {
        losses.push("settings that the header cannot hold were left out");
    }
}

#[cfg(test)]
#[path = "dbsqlfuzz_tests.rs"]
mod tests;
