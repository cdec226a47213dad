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
    let count = rng.usize(0..4);
    case.faults = FaultPlan::new((0..count).map(|_| random_fault(rng)));
    case.operations = Operations::new((0..count).map(|_| random_operation(rng)));
    let switch =
        |rng: &mut fastrand::Rng| Switch { operation: rng.u16(..), point: rng.u32(..), to: rng.u8(..) };
    case.schedule = Schedule::new((0..rng.usize(0..3)).map(|_| switch(rng)));
    case
}

fn random_fault(rng: &mut fastrand::Rng) -> Fault {
    let (nth, lasts) =
        (rng.u32(..), [Lasts::Once, Lasts::ForGood, Lasts::Times(rng.u32(..))][rng.usize(0..3)]);
    let phase = if rng.bool() { Phase::Run } else { Phase::Recovery };
    match rng.u8(0..3) {
        0 => Fault::Allocation { nth, lasts, phase },
        1 => Fault::Io {
            operation: IoOperation::Write,
            role: rng.bool().then_some(FileRole::Wal),
            error: IoError::Full,
            nth,
            lasts,
            phase,
        },
        _ => Fault::PowerLoss { at: Moment::Sync(nth), seed: rng.u64(..), sector_log2: 9, phase },
    }
}

fn random_operation(rng: &mut fastrand::Rng) -> Operation {
    let connection = rng.u8(..);
    let bytes: Vec<u8> = (0..rng.usize(0..9)).map(|_| rng.u8(..)).collect();
    match rng.u8(0..6) {
        0 => Operation::Run { connection },
        1 => Operation::Bind { statement: 1, parameter: rng.u16(..), value: Bound::Text(bytes) },
        2 => Operation::Open { connection, file: FileName::wal(), is_read_only: rng.bool() },
        3 => Operation::BlobWrite { connection, offset: rng.i32(..), content: bytes },
        4 => Operation::Checkpoint { connection, mode: CheckpointMode::Truncate },
        _ => Operation::PowerCut,
    }
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
    let prefixes: [&[u8]; 8] = [
        b"",
        &envelope::MAGIC,
        b"\x89TDM\x01",
        b"\x89TDM\x02O\x30",
        b"\x89TDM\x02F\x20",
        b"\x89TDM\x02P\x20",
        b"53514c69",
        crate::dbfile::MAGIC,
    ];
    for i in 0..200_000 {
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
            assert_eq!(whole, &TestCase::decode(&whole.encode()));
            assert!(end < 5 || cut[5..] == whole.encode()[5..]);
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
    assert_eq!(error(b"\x89TDM\x04"), DecodeError::UnsupportedVersion { found: 4 });
    assert!(matches!(error(b"\x89TDM\x01S\x05SEL"), DecodeError::Truncated { offset: 10, .. }));
    assert!(matches!(error(b"\x89TDM\x01S\x03A\0B"), DecodeError::Malformed { .. }));
    assert!(matches!(error(b"\x89TDM\x01?\x00"), DecodeError::Malformed { .. }));
    assert!(matches!(
        error(b"\x89TDM\x01O\x02\x00\x00"),
        DecodeError::Malformed { what: "unknown section", .. }
    ));
    assert!(matches!(error(b"\x89TDM\x02O\x01\x00"), DecodeError::Truncated { what: "an operation", .. }));
    assert!(matches!(error(b"\x89TDM\x02O\x01\x7f"), DecodeError::Malformed { what: "an operation", .. }));
    assert!(matches!(error(b"\x89TDM\x01D\x03\x02a/"), DecodeError::Malformed { .. }));
    assert_eq!(error(b"53514c69[989680]53"), DecodeError::DatabaseTooLarge);
    assert!(matches!(error(&vec![b' '; CASE_BYTES_MAX + 1]), DecodeError::TooLarge { .. }));
}

/// What a case had before there was a version 2, it keeps: its bytes, which are its identity, and its meaning.
#[test]
fn version_1_is_read_and_written() {
    let plain = b"\x89TDM\x01S\x08SELECT 1";
    assert_eq!(TestCase::decode_strict(plain).unwrap().encode(), plain);
    let faults = b"\x89TDM\x01F\x08\x01\x05\x00\x00\x03\x02\x07\x09";
    let case = TestCase::decode_strict(faults).unwrap();
    let phase = Phase::Run;
    let expected = [
        Fault::Allocation { nth: 5, lasts: Lasts::ForGood, phase },
        Fault::PowerLoss { at: Moment::Sync(2), seed: 7, sector_log2: 9, phase },
    ];
    assert_eq!(case.faults.faults(), expected);
    assert_eq!(case.encode()[4], 2, "it is written in the version that can say what they are");
    assert!(TestCase::decode_strict(b"\x89TDM\x01F\x04\x04\x01\x01\x01").is_err(), "there is no kind 4");
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
    case.faults = FaultPlan::new([
        Fault::Allocation { nth: 3, lasts: Lasts::Once, phase: Phase::Run },
        Fault::Io {
            operation: IoOperation::Sync,
            role: Some(FileRole::Wal),
            error: IoError::Full,
            nth: 2,
            lasts: Lasts::ForGood,
            phase: Phase::Recovery,
        },
    ]);
    case.files.insert(FileName::new("x.db").unwrap(), b"hello".to_vec());
    let text = format!("{case:?}");
    let expected = "-- setting toggles: inverted ENABLE_FKEY DEFENSIVE\n\
                    -- setting cache_pages: 7\n\
                    -- fault: allocation 3 fails\n\
                    -- fault: Sync 2 of Wal fails: Full, and all that follow, during recovery\n\
                    -- file x.db: 5 bytes\n\
                    --   not a database: begins with 68656c6c6f\n\
                    SELECT 'a\tb', '\\x1b[31m';\n\
                    SELECT '\u{e9}', '\\xff'\n";
    assert_eq!(text.split_once('\n').unwrap().1, expected);
    assert!(text.starts_with(&format!("-- case {}", case.id())));
}

#[test]
fn operations_print_with_the_statements_that_they_take() {
    let mut case = TestCase::from_sql("SELECT 1; SELECT ?1;\nSELECT 3; SELECT 4");
    case.schedule = "7.1:1,9.0:0".parse().unwrap();
    case.operations = Operations::new([
        Operation::Run { connection: 1 },
        Operation::Prepare { connection: 0, statement: 2 },
        Operation::Bind { statement: 2, parameter: 1, value: Bound::Text(b"a'\xff".to_vec()) },
        Operation::Step { statement: 2, rows: 0 },
        Operation::PowerCut,
    ]);
    let expected = "-- schedule: 7.1:1,9.0:0\n\
                    -- operation 1: connection 1 runs\n\
                    SELECT 1;\n\
                    -- operation 2: connection 0 prepares statement 2\n\
                    SELECT ?1;\n\
                    -- operation 3: statement 2: bind 'a\\'\\xff' to parameter 1\n\
                    -- operation 4: statement 2: step all rows\n\
                    -- operation 5: power is cut\n\
                    -- the rest: connection 0\n\
                    SELECT 3; SELECT 4\n";
    assert_eq!(format!("{case:?}").split_once('\n').unwrap().1, expected);
}
