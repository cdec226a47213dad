//! What Turso refuses, and what it is not given.
//!
//! Turso is unfinished, so missing features are not findings. Most show when a statement is prepared,
//! and then `EXPLAIN` of it fails as well, which is enough. Some show only while the statement runs; Turso has no
//! error kind for that, so its messages decide ([`is_missing_feature`]). A misjudged message costs a comparison, but is never a
//! false finding.

use tandem::testcase::{FileSet, JOURNAL, OpenConfig, Setting, TOGGLE_NAMES};
use turso_core::LimboError;

/// Words of statements by which Turso would use files of the host: `VACUUM INTO` writes one wherever the database
/// is, and temporary tables lie in memory only as long as nobody changes that.
const REACHES_HOST: [&str; 3] = ["vacuum", "temp_store", "load_extension"];

/// What Turso says where it lacks something.
const MISSING: [&str; 8] = [
    "not supported",
    "unsupported",
    "not yet",
    "not implemented",
    "experimental",
    "no such function",
    "no such module",
    "only supported",
];

/// Switches that Turso does not have and that change results, by their names in [`TOGGLE_NAMES`]. The others
/// concern the plan of a query or what it reports; foreign keys are set.
const MISSING_SWITCHES: [&str; 8] = [
    "ENABLE_TRIGGER",
    "ENABLE_VIEW",
    "DEFENSIVE",
    "WRITABLE_SCHEMA",
    "LEGACY_ALTER_TABLE",
    "DQS_DML",
    "DQS_DDL",
    "TRUSTED_SCHEMA",
];

/// Columns of `sqlite_schema`. With a limit below that SQLite cannot even read the schema.
const SCHEMA_COLUMNS: u32 = 6;

/// Why `text` is not given to Turso, if so. A keyword cannot be written in another way, so that a search is
/// enough.
pub(crate) fn reaches_host(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    REACHES_HOST.into_iter().find(|word| lower.contains(word))
}

/// Whether an error says that Turso lacks something.
pub(crate) fn is_missing_feature(error: &LimboError) -> bool {
    let is_by_kind = matches!(
        error,
        LimboError::UnsupportedEncoding(_)
            | LimboError::ExtensionError(_)
            | LimboError::IoBackendUnavailable(_)
    );
    let message = error.to_string().to_ascii_lowercase();
    is_by_kind || MISSING.iter().any(|words| message.contains(words))
}

/// Why what Turso makes of a case says nothing: what the case has and Turso does not read.
pub(crate) fn missing_for(files: &FileSet, config: &OpenConfig) -> Vec<String> {
    let mut missing = Vec::new();
    if files.get(JOURNAL).is_some() {
        missing.push("Turso reads no rollback journal".to_owned());
    }
    if config.is_on(Setting::PendingBytePage) {
        missing.push("Turso cannot move the lock-byte page".to_owned());
    }
    let limits = [(Setting::LimitLength, 1_000_000), (Setting::LimitColumn, SCHEMA_COLUMNS)];
    let limits = limits.into_iter().filter(|(limit, most)| (1..*most).contains(&config.get(*limit)));
    missing.extend(limits.map(|(limit, _)| format!("Turso has no {}", limit.spec().name)));
    let toggles = config.get(Setting::Toggles);
    let switches = TOGGLE_NAMES.iter().enumerate().filter(|(bit, _)| toggles >> bit & 1 == 1);
    let switches = switches.filter(|(_, name)| MISSING_SWITCHES.contains(name));
    missing.extend(switches.map(|(_, name)| format!("Turso has no {name}")));
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem::testcase::FileName;

    #[test]
    fn statements_that_reach_the_host_are_told_by_their_words() {
        for sql in ["VACUUM INTO 'x'", "/* */ vacuum main into 'x'", "PRAGMA \"Temp_Store\"=1"] {
            assert!(reaches_host(sql).is_some(), "{sql}");
        }
        assert_eq!(reaches_host("SELECT 1"), None);
    }

    #[test]
    fn what_a_case_needs_and_turso_lacks_is_named() {
        assert!(MISSING_SWITCHES.iter().all(|name| TOGGLE_NAMES.contains(name)));
        let (mut files, config) = (FileSet::default(), OpenConfig::default());
        assert!(missing_for(&files, &config).is_empty());
        assert!(missing_for(&files, &config.with(Setting::Toggles, 1)).is_empty(), "foreign keys are set");
        assert_eq!(missing_for(&files, &config.with(Setting::Toggles, 2)), ["Turso has no ENABLE_TRIGGER"]);
        assert_eq!(missing_for(&files, &config.with(Setting::LimitColumn, 4)), ["Turso has no limit_column"]);
        assert!(missing_for(&files, &config.with(Setting::LimitColumn, 100)).is_empty());
        files.insert(FileName::journal(), vec![1]);
        assert_eq!(missing_for(&files, &config), ["Turso reads no rollback journal"]);
    }

    #[test]
    fn missing_features_are_told_from_errors() {
        assert!(is_missing_feature(&LimboError::UnsupportedEncoding("UTF-16".into())));
        assert!(is_missing_feature(&LimboError::InternalError("REINDEX is not supported here".into())));
        assert!(!is_missing_feature(&LimboError::Corrupt("page 3".into())));
        assert!(!is_missing_feature(&LimboError::Constraint("UNIQUE constraint failed: t.a".into())));
    }
}
