//! The text form, rule by rule.

use super::*;

fn image_of(text: &[u8]) -> Vec<u8> {
    read(text).unwrap().files.main().unwrap_or_default().to_vec()
}

#[test]
fn digits_anywhere_are_data_and_everything_else_is_not() {
    let image = image_of(b"| 53 51 4c 69 |zz\n[100] begin ff\n[fff]01");
    assert_eq!(&image[..4], b"SQLi");
    // `be` and the stray nibbles of `begin` count; `g`, `i`, `n` do not.
    assert_eq!(&image[0x100..0x102], &[0xbe, 0xff]);
    assert_eq!(image.len(), 4096);
}

#[test]
fn size_is_rounded_up_but_not_for_a_byte_at_an_exact_multiple() {
    assert_eq!(image_of(b"53514c69").len(), 4096);
    assert_eq!(image_of(b"[0]53").len(), 0);
    assert_eq!(image_of(b"[1]53").len(), 4096);
    assert_eq!(image_of(b"[1000]53").len(), 4096);
    assert_eq!(image_of(b"[1001]53").len(), 8192);
    assert_eq!(image_of(b"[98967f]53").len(), FILE_BYTES_MAX);
}

#[test]
fn an_offset_drops_a_dangling_nibble_and_plus_is_not_an_offset() {
    assert_eq!(image_of(b"[10]5[20]ab..")[0x20], 0xab);
    // `[+10]` is no offset: its digits are data.
    assert_eq!(image_of(b"[20][+1042]xx")[0x20..0x22], [0x10, 0x42]);
    // `[` within the last three bytes is no offset either.
    assert_eq!(image_of(b"[7]aa[1]")[7..9], [0xaa, 0]);
}

#[test]
fn offsets_beyond_the_limit_fail_and_wrap_like_the_original() {
    assert_eq!(read(b"[989680]53").unwrap_err(), DecodeError::DatabaseTooLarge);
    assert_eq!(read(b"[7fffffff]5353").unwrap_err(), DecodeError::DatabaseTooLarge);
    assert_eq!(image_of(b"[80000005]53514c69")[5..9], *b"SQLi");
}

#[test]
fn the_separator_needs_a_byte_behind_it() {
    let case = read(b"53514c69\n--\nSELECT 1;").unwrap();
    assert_eq!(case.sql.as_bytes(), b"SELECT 1;");
    assert!(read(b"53514c69\n--\n").unwrap().sql.is_empty());
    let case = read(b"\n--\nSELECT 2").unwrap();
    assert!(case.files.is_empty());
    assert_eq!(case.sql.as_bytes(), b"SELECT 2");
}

#[test]
fn sql_ends_at_a_nul() {
    assert_eq!(read(b"\n--\nSELECT 1;\0garbage").unwrap().sql.as_bytes(), b"SELECT 1;");
}

#[test]
fn header_bytes_carry_settings_and_wal_mode_is_undone() {
    let case = read(b"53514c69[12]0202[48]ffff3fff0000000200").unwrap();
    assert_eq!(case.config.get(Setting::Toggles), 0x3fff);
    assert_eq!(case.config.get(Setting::OptimizationsOff), 2);
    let image = case.files.main().unwrap();
    assert_eq!(image[18..20], [1, 1]);
    assert_eq!(image[72..80], [0xff, 0xff, 0x3f, 0xff, 0, 0, 0, 2]);
    // Only one of the two bytes asking for WAL is left alone.
    assert_eq!(read(b"[12]0201xx").unwrap().files.main().unwrap()[18..20], [2, 1]);
}

#[test]
fn recognises_what_fuzzcheck_recognises() {
    assert!(looks_like(b"\n--\nSELECT 1"));
    assert!(!looks_like(b"\n--\n"));
    assert!(looks_like(b"| 5351 4C69 ..."));
    assert!(!looks_like(b"SELECT 1"));
    assert!(!looks_like(b"53514c"));
}

#[test]
fn a_written_case_without_losses_reads_back_the_same() {
    let mut image = vec![0; 3 * 4096];
    image[..16].copy_from_slice(crate::dbfile::MAGIC);
    image[72..80].copy_from_slice(&[0, 0, 0, 0x21, 0, 0, 4, 0]);
    image[5000] = 7;
    let mut case = TestCase::from_database(image);
    case.sql = Script::new("SELECT '\n--\n';");
    case.config.set(Setting::Toggles, 0x21);
    case.config.set(Setting::OptimizationsOff, 0x400);
    let written = write(&case);
    assert_eq!(written.losses, Vec::<&str>::new());
    assert!(looks_like(&written.text));
    assert_eq!(read(&written.text).unwrap(), case);
}

#[test]
fn losses_are_named() {
    let mut case = TestCase::from_database(vec![1; 600]);
    case.files.insert(FileName::wal(), vec![1]);
    case.config.set(Setting::CachePages, 4);
    case.config.set(Setting::Toggles, 4);
    let losses = write(&case).losses.join("\n");
    for part in ["rounded up", "SQLi", "72..79", "other than the main", "cannot hold"] {
        assert!(losses.contains(part), "{part} in {losses}");
    }
    assert!(write(&TestCase::from_sql("SELECT 1")).losses.is_empty());
}
