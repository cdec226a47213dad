//! Corpus databases keep what they are given, byte for byte.

use super::*;

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("tandem-store-{name}-{}", std::process::id()));
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn corpus(order: impl Iterator<Item = u32>) -> Corpus {
    let mut corpus = Corpus::default();
    for i in order {
        let case = TestCase::from_sql(format!("SELECT {i}; -- {}", "x".repeat(i as usize * 40)));
        let kind = Kind::ALL[i as usize % 4];
        let mut entry = Entry::new("sql", kind, "a test", &case);
        if kind.is_bug() {
            entry.signature = Some("code/SQLITE_CORRUPT/SELECT".to_owned());
            entry.details = details(i);
        }
        corpus.insert(entry);
    }
    corpus
}

/// Some of it for some, nothing for others.
fn details(i: u32) -> Details {
    let if_bit = |bit: u32, text: &str| (i & bit != 0).then(|| format!("{text}-{i}"));
    Details {
        name: if_bit(2, "name"),
        link: if_bit(4, "https://example.org/"),
        versions: (i & 8 != 0).then(|| format!("3.{i}.0..").parse().unwrap()),
        reason: if_bit(16, "it's known"),
        build: if_bit(32, "debug"),
    }
}

#[test]
fn what_is_saved_is_loaded_and_the_bytes_depend_on_the_content_alone() {
    let folder = folder("stable");
    let (first, second) = (folder.join("a.db"), folder.join("b.db"));
    let original = corpus(0..60);
    original.save(&first).unwrap();
    assert_eq!(Corpus::load(&first).unwrap(), original);
    assert_eq!(super::super::application_id(&first), Some(APPLICATION_ID));
    corpus((0..60).rev()).save(&second).unwrap();
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    // Saved over an older one.
    corpus(0..3).save(&second).unwrap();
    Corpus::load(&first).unwrap().save(&second).unwrap();
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "no temporary file is left");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_known_bug_outranks_a_seed() {
    let case = TestCase::from_sql("SELECT 1");
    let mut corpus = Corpus::default();
    assert!(corpus.insert(Entry::new("sql", Kind::Seed, "s", &case)));
    assert!(!corpus.insert(Entry::new("sql", Kind::Seed, "t", &case)));
    // A seed that fuzzing finds again keeps its name.
    assert!(!corpus.insert(Entry::new("sql", Kind::Interesting, "i", &case)));
    assert!(corpus.insert(Entry::new("sql", Kind::Known, "k", &case)));
    assert!(!corpus.insert(Entry::new("sql", Kind::Interesting, "i", &case)));
    assert_eq!(corpus.iter().next().unwrap().1.source, "k");
}

#[test]
fn one_case_may_be_there_for_two_targets() {
    let case = TestCase::from_sql("SELECT 1");
    let mut corpus = Corpus::default();
    assert!(corpus.insert(Entry::new("sql", Kind::Interesting, "a", &case)));
    assert!(corpus.insert(Entry::new("db_sql", Kind::Interesting, "b", &case)));
    let folder = folder("two");
    let path = folder.join("x.db");
    corpus.save(&path).unwrap();
    let loaded = Corpus::load(&path).unwrap();
    let targets: Vec<&str> = loaded.iter().map(|(_, entry)| entry.target.as_str()).collect();
    assert_eq!(targets, ["db_sql", "sql"]);
    corpus.retain(|entry| entry.target == "sql");
    assert_eq!(corpus.len(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let folder = folder("wrong");
    let path = folder.join("x.db");
    let message = |path: &Path| Corpus::load(path).unwrap_err().to_string();
    assert!(message(&path).contains("x.db"));
    std::fs::write(&path, "hello").unwrap();
    assert!(message(&path).contains("not a database"), "{}", message(&path));
    {
        let _shared = sqlite::shared();
        Connection::open(folder.join("y.db")).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
    }
    assert!(message(&folder.join("y.db")).contains("not a corpus"));

    corpus(0..60).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(message(&path).contains("malformed"), "{}", message(&path));
    // One bit of one body.
    let mut flipped = whole.clone();
    let at = whole.windows(9).position(|window| window == b"SELECT 7;").unwrap();
    flipped[at + 7] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    assert!(message(&path).contains("another SHA-256"), "{}", message(&path));
    std::fs::write(&path, whole).unwrap();
    assert_eq!(Corpus::load(&path).unwrap().len(), 60);

    // What a killed process of the same id left behind is no obstacle.
    let left = folder.join(format!(".x.db.{}.tmp", std::process::id()));
    corpus(0..2).save(&left).unwrap();
    corpus(0..60).save(&path).unwrap();
    assert!(!left.exists());
    assert_eq!(Corpus::load(&path).unwrap().len(), 60);

    // A folder that is not there: the error names the file, and there is no other harm.
    assert!(corpus(0..3).save(&folder.join("none/z.db")).unwrap_err().to_string().contains("z.db"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn rows_that_damage_makes_vanish_are_noticed() {
    let folder = folder("vanish");
    let path = folder.join("x.db");
    corpus(0..60).save(&path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // A leaf of the index of keys forgets its last one; SELECT alone sees nothing wrong with that.
    let leaf = bytes.chunks(1024).rposition(|page| page[0] == 0x0a && page[4] > 1).unwrap();
    bytes[leaf * 1024 + 4] -= 1;
    std::fs::write(&path, &bytes).unwrap();
    let message = Corpus::load(&path).map(|corpus| corpus.len()).unwrap_err().to_string();
    assert!(message.contains("x.db") && message.contains("malformed"), "{message}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Writes a corpus as an older build did: with one bug, of which nothing is said but its signature.
fn save_old(path: &Path, version: u32) -> TestCase {
    let case = TestCase::from_sql("SELECT 'old'");
    let (key, options) = match version {
        1 => ("PRIMARY KEY(sha256)", "STRICT"),
        _ => ("PRIMARY KEY(sha256, target)", ""),
    };
    let _shared = sqlite::shared();
    let connection = Connection::open(path).unwrap();
    let tables = format!(
        "PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={version};
         CREATE TABLE readme(text TEXT);
         CREATE TABLE \"case\"(sha256 BLOB, target TEXT, kind TEXT, signature TEXT, source TEXT, body BLOB, {key})
         {options};"
    );
    connection.execute_batch(&tables).unwrap();
    if version == 3 {
        let finding = "CREATE TABLE finding(sha256, target, name, link, versions, reason, lane)";
        connection.execute_batch(finding).unwrap();
    }
    let id = case.id();
    let row = params![id.as_bytes(), "sql", "known", "code/X/Y", "long ago", case.encode()];
    connection.execute("INSERT INTO \"case\" VALUES(?,?,?,?,?,?)", row).unwrap();
    if version == 3 {
        let said = params![id.as_bytes(), "sql", "debug"];
        let insert = "INSERT INTO finding(sha256, target, lane) VALUES(?,?,?)";
        connection.execute(insert, said).unwrap();
    }
    case
}

#[test]
fn older_formats_are_read_and_a_newer_one_is_refused() {
    let folder = folder("formats");
    for version in [1, 2, 3] {
        let path = folder.join(format!("{version}.db"));
        let case = save_old(&path, version);
        let mut corpus = Corpus::load(&path).unwrap();
        let mut entry = corpus.get(&case.id(), "sql").unwrap().clone();
        assert_eq!((entry.kind, entry.signature.as_deref()), (Kind::Known, Some("code/X/Y")));
        assert_eq!(entry.details.build.as_deref(), (version == 3).then_some("debug"));
        entry.details = details(63);
        corpus.put(entry);
        corpus.save(&path).unwrap();
        assert_eq!(Corpus::load(&path).unwrap(), corpus, "now of format {FORMAT_VERSION}");
        assert_eq!(corpus.by_name("sql", "name-63").map(|(id, _)| *id), Some(case.id()));
        assert!(corpus.by_name("db_sql", "name-63").is_none());
    }
    save_old(&folder.join("new.db"), FORMAT_VERSION + 1);
    let message = Corpus::load(&folder.join("new.db")).unwrap_err().to_string();
    assert!(message.contains("newer than this build reads"), "{message}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_said_must_be_of_a_case_that_is_there_and_make_sense() {
    let folder = folder("details");
    let path = folder.join("x.db");
    let message_after = |change: &str| {
        corpus(0..60).save(&path).unwrap();
        {
            let _shared = sqlite::shared();
            Connection::open(&path).unwrap().execute_batch(change).unwrap();
        }
        Corpus::load(&path).unwrap_err().to_string()
    };
    let orphan = message_after("UPDATE finding SET target='db_sql' WHERE rowid=3");
    assert!(orphan.contains("x.db") && orphan.contains("without its case"), "{orphan}");
    let range = message_after("UPDATE finding SET versions='3.4' WHERE rowid=3");
    assert!(range.contains("not a range of versions"), "{range}");
    // Two cases of one name could not be told apart.
    let mut twice = corpus(0..60);
    let named: Vec<Entry> = twice.iter().map(|(_, entry)| entry.clone()).collect();
    for mut entry in named {
        entry.details.name = Some("same".to_owned());
        twice.put(entry);
    }
    assert!(twice.save(&path).unwrap_err().to_string().contains("UNIQUE"));
    std::fs::remove_dir_all(folder).unwrap();
}
