//! The codec: total, faithful, and strict where a person asks.

use super::*;

/// A case with something of everything, different for every seed.
fn random_case(rng: &mut fastrand::Rng) -> TestCase {
    let mut case = TestCase::default();
    let names = ["main.db", "main.db-wal", "main.db-journal", "aux.db", "A-1_b.c"];
    for name in names {
        if rng.bool() {
            let mut content = vec![0; rng.usize(0..3000)];
            for _ in 0..rng.usize(0..40) {
                if !content.is_empty() {
                    let at = rng.usize(0..content.len());
                    content[at] = rng.u8(..);
                }
            }
            case.files.insert(FileName::new(name).unwrap(), content);
        }
    }
    case.sql = Script::new((0..rng.usize(0..200)).map(|_| rng.u8(1..)).collect::<Vec<u8>>());
    for spec in &SETTINGS {
        if rng.u8(..) < 60 {
            case.config.set(spec.setting, rng.u32(spec.min..=spec.max));
        }
    }
    case.faults = FaultPlan::new((0..rng.usize(0..4)).map(|_| match rng.u8(0..3) {
        0 => Fault::Allocation { nth: rng.u32(..), times: rng.u32(..) },
        1 => Fault::Io { kind: rng.u32(..), nth: rng.u32(..), times: 1 },
        _ => Fault::PowerLoss { nth: 1, seed: rng.u32(..), sector_log2: 9 },
    }));
    case
}

#[test]
fn cases_round_trip() {
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..3000 {
        let case = random_case(&mut rng);
        let encoded = case.encode();
        assert_eq!(TestCase::decode(&encoded), case);
        assert_eq!(TestCase::decode_strict(&encoded), Ok(case.clone()));
        assert_eq!(case.id(), CaseId::of_encoded(&encoded));
        let id: CaseId = case.id().to_string().parse().unwrap();
        assert_eq!(id, case.id());
    }
}

#[test]
fn any_bytes_decode_and_what_they_decode_to_round_trips() {
    let mut rng = fastrand::Rng::with_seed(6);
    let prefixes: [&[u8]; 5] = [b"", &envelope::MAGIC, b"\x89TDM\x01", b"53514c69", crate::dbfile::MAGIC];
    for i in 0..100_000 {
        let mut bytes = prefixes[i % prefixes.len()].to_vec();
        bytes.extend((0..rng.usize(0..60)).map(|_| if rng.bool() { rng.u8(..) } else { rng.u8(0..12) }));
        let case = TestCase::decode(&bytes);
        assert_eq!(TestCase::decode(&case.encode()), case);
    }
}

#[test]
fn a_damaged_envelope_gives_what_is_left_or_an_error() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut case = random_case(&mut rng);
    case.sql = Script::new("SELECT 1; SELECT 2;");
    let encoded = case.encode();
    for end in 0..encoded.len() {
        let cut = &encoded[..end];
        let strict = TestCase::decode_strict(cut);
        if let Ok(whole) = &strict {
            // A cut between two sections cannot be told from a shorter case.
            assert_eq!(whole.encode(), if end < 5 { whole.encode() } else { cut.to_vec() });
        }
        TestCase::decode(cut);
    }
    let lenient = TestCase::decode(&encoded[..encoded.len() - 5]);
    assert_eq!(lenient.sql.as_bytes(), b"SELECT 1; SELE");
    assert!(matches!(
        TestCase::decode_strict(&encoded[..encoded.len() - 5]),
        Err(DecodeError::Truncated { .. })
    ));
    for _ in 0..2000 {
        let mut flipped = encoded.clone();
        let at = rng.usize(0..flipped.len());
        flipped[at] ^= 1 << rng.u8(0..8);
        TestCase::decode(&flipped);
    }
}

#[test]
fn strict_errors_name_what_is_wrong() {
    let error = |bytes: &[u8]| TestCase::decode_strict(bytes).unwrap_err();
    assert_eq!(error(b""), DecodeError::Empty);
    assert_eq!(error(b"\x89TDM\x02"), DecodeError::UnsupportedVersion { found: 2 });
    assert!(matches!(error(b"\x89TDM\x01S\x05SEL"), DecodeError::Truncated { offset: 10, .. }));
    assert!(matches!(error(b"\x89TDM\x01S\x03A\0B"), DecodeError::Malformed { .. }));
    assert!(matches!(error(b"\x89TDM\x01?\x00"), DecodeError::Malformed { .. }));
    assert!(matches!(error(b"\x89TDM\x01D\x03\x02a/"), DecodeError::Malformed { .. }));
    assert_eq!(error(b"53514c69[989680]53"), DecodeError::DatabaseTooLarge);
    assert!(matches!(error(&vec![b' '; CASE_BYTES_MAX + 1]), DecodeError::TooLarge { .. }));
}

#[test]
fn forms_are_told_apart() {
    assert_eq!(Form::of(b"SELECT 1"), Form::Sql);
    assert_eq!(Form::of(b""), Form::Sql);
    assert_eq!(Form::of(b"53514c69\n--\nSELECT 1"), Form::Dbsqlfuzz);
    assert_eq!(Form::of(b"SQLite format 3\0..."), Form::Database);
    assert_eq!(Form::of(b"\x89TDM"), Form::Envelope);
    let case = TestCase::decode(b"SQLite format 3\0...");
    assert_eq!(case.files.main(), Some(b"SQLite format 3\0...".as_slice()));
    assert_eq!(TestCase::decode(b"SELECT 1").sql.as_bytes(), b"SELECT 1");
}

#[test]
fn a_sparse_file_does_not_grow_beyond_its_limits() {
    // One file that claims 2^40 bytes, and sixteen of ten million.
    let huge = b"\x89TDM\x01D\x0b\x01a\x80\x80\x80\x80\x80\x80\x01";
    let case = TestCase::decode(huge);
    assert_eq!(case.files.total_bytes(), FILE_BYTES_MAX);
    let mut many = b"\x89TDM\x01".to_vec();
    for name in b'a'..=b'z' {
        many.extend_from_slice(&[b'D', 6, 1, name, 0x80, 0xad, 0xe2, 0x04]);
    }
    let case = TestCase::decode(&many);
    assert_eq!(case.files.total_bytes(), files::FILES_BYTES_MAX);
    assert!(TestCase::decode_strict(&many).is_err());
}

#[test]
fn a_case_prints_as_something_to_read() {
    let mut case = TestCase::from_sql("SELECT 'a\tb', '\x1b[31m';\nSELECT '\u{e9}'");
    case.sql = Script::new([case.sql.as_bytes(), b", '\xff'"].concat());
    case.config.set(Setting::Toggles, 0b10_0001);
    case.config.set(Setting::CachePages, 7);
    case.faults = FaultPlan::new([Fault::Allocation { nth: 3, times: 1 }]);
    case.files.insert(FileName::new("x.db").unwrap(), b"hello".to_vec());
    let text = format!("{case:?}");
    let expected = "-- setting toggles: inverted ENABLE_FKEY DEFENSIVE\n\
                    -- setting cache_pages: 7\n\
                    -- fault: Allocation { nth: 3, times: 1 }\n\
                    -- file x.db: 5 bytes\n\
                    --   not a database: begins with 68656c6c6f\n\
                    SELECT 'a\tb', '\\x1b[31m';\n\
                    SELECT '\u{e9}', '\\xff'\n";
    assert_eq!(text.split_once('\n').unwrap().1, expected);
    assert!(text.starts_with(&format!("-- case {}", case.id())));
}
