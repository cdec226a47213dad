//! The words of the running build: functions, pragmas, modules, collations.
//!
//! Read once from the engine and passed to mutators as data, so that their output always matches the SQLite under test,
//! and they themselves need no engine.

/// An SQL function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Number of arguments; `None` for any.
    pub arguments: Option<u8>,
    /// `s` scalar, `a` aggregate, `w` window.
    pub kind: char,
}

/// All words, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// SQL functions, one entry per number of arguments.
    pub functions: Vec<Function>,
    /// Pragmas.
    pub pragmas: Vec<String>,
    /// Virtual-table modules.
    pub modules: Vec<String>,
    /// Collations.
    pub collations: Vec<String>,
}

/// Functions and tables whose results depend on the build, or on the pages of the file.
pub const TELLS_OF_BUILD: [&str; 19] = [
    "sqlite_version",
    "sqlite_source_id",
    "sqlite_compileoption_get",
    "sqlite_compileoption_used",
    "sqlite_offset",
    "sqlite_dbpage",
    "sqlite_stmt",
    "sqlite_stat1",
    "sqlite_stat3",
    "sqlite_stat4",
    "stat",
    "dbstat",
    "bytecode",
    "tables_used",
    "fts3_tokenizer",
    "fts5vocab",
    "fts4aux",
    "rtreecheck",
    "rtreenode",
];
/// Functions that return random values.
pub const RANDOM: [&str; 2] = ["random", "randomblob"];
/// Functions and keywords that may read the clock.
pub const CLOCK: [&str; 10] = [
    "date",
    "time",
    "datetime",
    "julianday",
    "unixepoch",
    "strftime",
    "timediff",
    "current_date",
    "current_time",
    "current_timestamp",
];

/// Functions that a script may not call: one reaches the host, the other reveals addresses of this process and accepts
/// them, unchecked, from a bound value.
pub const DENIED_FUNCTIONS: [&str; 2] = ["load_extension", "fts3_tokenizer"];

/// Pragmas that write to the host, leave something behind in the process, or print.
const DENIED_PRAGMAS: [&str; 6] = [
    "temp_store_directory",
    "data_store_directory",
    "lock_proxy_file",
    "parser_trace",
    "sql_trace",
    "activate_extensions",
];

/// True for a pragma that a script may not run; `name` is in lower case.
pub fn is_denied_pragma(name: &str) -> bool {
    DENIED_PRAGMAS.contains(&name) || name.starts_with("vdbe_")
}

impl Vocabulary {
    /// From the rows of `pragma_function_list` and similar pragmas.
    pub fn new(
        functions: impl IntoIterator<Item = Function>,
        pragmas: Vec<String>,
        modules: Vec<String>,
        collations: Vec<String>,
    ) -> Self {
        let kept = |function: &Function| !DENIED_FUNCTIONS.contains(&function.name.as_str());
        let mut functions: Vec<Function> = functions.into_iter().filter(kept).collect();
        functions.sort();
        functions.dedup();
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        Self { functions, pragmas: sorted(pragmas), modules: sorted(modules), collations: sorted(collations) }
    }

    /// Every word once, for a libFuzzer dictionary.
    pub fn words(&self) -> Vec<&str> {
        let functions = self.functions.iter().map(|function| function.name.as_str());
        let names = [&self.pragmas, &self.modules, &self.collations];
        let names = names.into_iter().flatten().map(String::as_str);
        let mut words: Vec<&str> = functions.chain(names).collect();
        words.sort_unstable();
        words.dedup();
        words
    }
}
