//! What is built: a lane, an SQLite, and what is built into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::lane::Lane;
use super::published;
use crate::cli::flavor::FlavorArgs;

/// The oldest release that is built: before it, functions are missing without which nothing runs.
const OLDEST: [u32; 3] = [3, 26, 0];
/// What stands in for API that an older release lacks.
const ABSENT_C: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../.cargo/absent.c"));

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Flavor {
    /// How it is built.
    pub lane: Lane,
    /// Which SQLite; `None` for the one that is bundled.
    pub sqlite: Option<Sqlite>,
    extra: Option<Extra>,
    /// The VFS through which cases open their files, where it is not our own alone.
    pub vfs: Option<String>,
}

/// An amalgamation.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite {
    folder: PathBuf,
    /// As `sqlite3_libversion()` says it.
    pub version: String,
    /// As `sqlite3_sourceid()` says it.
    pub source_id: String,
    /// The words of the command line that name it.
    argument: String,
}

/// C files that are built in, and the entry point of the extension that they are.
#[derive(Debug, Clone)]
struct Extra {
    files: Vec<PathBuf>,
    init: Option<String>,
}

impl Flavor {
    /// This lane of the bundled SQLite.
    pub(crate) fn bundled(lane: Lane) -> Self {
        Self { lane, sqlite: None, extra: None, vfs: None }
    }

    /// What the command line and `TANDEM_SQLITE` ask for.
    ///
    /// # Errors
    /// A folder without an amalgamation, one that is too old, a version that no crate bundles, a file that is
    /// not there.
    pub(crate) fn new(args: &FlavorArgs, default: Lane) -> Result<Self> {
        let from_environment = std::env::var_os("TANDEM_SQLITE").filter(|folder| !folder.is_empty());
        let sqlite = match (&args.sqlite, &args.sqlite_version, from_environment) {
            (Some(folder), ..) => Some(Sqlite::in_folder(folder)?),
            (None, Some(version), _) => Some(Sqlite::published(version)?),
            (None, None, Some(folder)) => {
                Some(Sqlite::in_folder(Path::new(&folder)).context("TANDEM_SQLITE is set")?)
            }
            (None, None, None) => None,
        };
        let extra = Extra::new(&args.extra_c, args.init.as_deref())?;
        Ok(Self { lane: args.lane.unwrap_or(default), sqlite, extra, vfs: args.vfs.clone() })
    }

    /// The same, built in another way.
    pub(crate) fn in_lane(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    /// The flavor that a name stands for: `bundled`, a version, a folder, each with `:LANE` behind it or not.
    ///
    /// # Errors
    /// As [`Flavor::new`].
    pub(crate) fn named(name: &str) -> Result<Self> {
        let lane = |word: &str| <Lane as clap::ValueEnum>::from_str(word, false).ok();
        let (name, lane) = match name.rsplit_once(':') {
            Some((name, word)) if lane(word).is_some() => (name, lane(word)),
            _ => (name, None),
        };
        let sqlite = if name == "bundled" {
            None
        } else if name.starts_with("3.") && !Path::new(name).is_dir() {
            Some(Sqlite::published(name)?)
        } else {
            Some(Sqlite::in_folder(Path::new(name))?)
        };
        Ok(Self { sqlite, ..Self::bundled(lane.unwrap_or(Lane::Release)) })
    }

    /// Whether this program itself is such a build, if it is one of release.
    pub(crate) fn is_this_program(&self) -> bool {
        self.lane.built_as() == Lane::Release && self.sqlite.is_none() && self.extra.is_none()
    }

    /// Whether it is what `cargo fuzz build` makes by itself.
    pub(crate) fn is_default_for_fuzzing(&self) -> bool {
        self.lane == Lane::Asan && self.sqlite.is_none() && self.extra.is_none()
    }

    /// What names its folders: the lane, then what differs from the bundled SQLite.
    pub(crate) fn key(&self) -> String {
        let what = self.what();
        let lane = self.lane.built_as();
        if what.is_empty() { lane.to_string() } else { format!("{lane}-{what}") }
    }

    /// What differs from the bundled SQLite, as it stands in names of folders; empty for nothing.
    pub(crate) fn what(&self) -> String {
        let sqlite = self.sqlite.as_ref().map(|sqlite| {
            // A published release is what its version says; a folder may hold anything.
            let path = sqlite.argument.starts_with("--sqlite=").then(|| digest(&sqlite.argument));
            [Some(sqlite.version.clone()), path].into_iter().flatten().collect::<Vec<_>>().join("-")
        });
        let extra = self.extra.as_ref().map(|extra| format!("with-{}", digest(&format!("{extra:?}"))));
        [sqlite, extra].into_iter().flatten().collect::<Vec<_>>().join("-")
    }

    /// Its target directory, below that of the project.
    pub(crate) fn folder(&self, project: &Path, is_fuzzed: bool) -> PathBuf {
        let prefix = if is_fuzzed { "fuzz-" } else { "" };
        project.join("target/lanes").join(format!("{prefix}{}", self.key()))
    }

    /// Sets what `.cargo/cc` and the programs read.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command.env("TANDEM_LANE", self.lane.built_as().name());
        let folder = self.sqlite.as_ref().map(|sqlite| sqlite.folder.as_path());
        let (files, init) =
            self.extra.as_ref().map_or((None, None), |extra| (Some(&extra.files), extra.init.as_deref()));
        let files = files.map(|files| {
            files.iter().map(|file| file.to_string_lossy().into_owned()).collect::<Vec<_>>().join(":")
        });
        let mut set = |name: &str, value: Option<&std::ffi::OsStr>| {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        };
        set("TANDEM_SQLITE", folder.map(Path::as_os_str));
        set("TANDEM_EXTRA_C", files.as_ref().map(std::ffi::OsStr::new));
        set("TANDEM_EXTRA_INIT", init.map(std::ffi::OsStr::new));
        set("TANDEM_VFS", self.vfs.as_deref().map(std::ffi::OsStr::new));
    }

    /// The words of a command line that asks for it.
    pub(crate) fn arguments(&self, default: Lane) -> Vec<String> {
        let lane = (self.lane != default).then(|| format!("--lane={}", self.lane));
        let sqlite = self.sqlite.as_ref().map(|sqlite| sqlite.argument.clone());
        let mut words: Vec<String> = [lane, sqlite].into_iter().flatten().collect();
        if let Some(extra) = &self.extra {
            words.extend(extra.files.iter().map(|file| format!("--extra-c={}", file.display())));
            words.extend(extra.init.iter().map(|init| format!("--init={init}")));
        }
        words.extend(self.vfs.iter().map(|vfs| format!("--vfs={vfs}")));
        words
    }
}

impl std::fmt::Display for Flavor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = self.sqlite.as_ref().map_or("bundled", |sqlite| sqlite.version.as_str());
        write!(f, "SQLite {version}, lane {}", self.lane)?;
        self.extra.iter().try_for_each(|extra| {
            write!(f, ", with")?;
            extra.files.iter().try_for_each(|file| write!(f, " {}", file.display()))
        })
    }
}

impl Sqlite {
    fn published(version: &str) -> Result<Self> {
        let found = Self::read(&published::fetch(version)?, format!("--sqlite-version={version}"))?;
        if found.version != version {
            bail!("the crate that should bundle SQLite {version} has {}", found.version);
        }
        Ok(found)
    }

    fn in_folder(folder: &Path) -> Result<Self> {
        let whole = folder.canonicalize().with_context(|| format!("{}", folder.display()))?;
        let argument = format!("--sqlite={}", whole.display());
        Self::read(&whole, argument)
    }

    fn read(folder: &Path, argument: String) -> Result<Self> {
        let [code, header] = ["sqlite3.c", "sqlite3.h"].map(|name| folder.join(name));
        let text = |path: &Path| {
            let bytes = fs::read(path).with_context(|| {
                format!("{}: an amalgamation is sqlite3.c and sqlite3.h in one folder", path.display())
            })?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (code, header_text) = (text(&code)?, text(&header)?);
        let defined = |name: &str| {
            let value = defined(&header_text, name);
            value.with_context(|| format!("{}: it does not define {name}", header.display()))
        };
        let version = defined("SQLITE_VERSION")?.to_owned();
        let source_id = defined("SQLITE_SOURCE_ID")?.to_owned();
        let number: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        if number.as_slice() < OLDEST.as_slice() {
            bail!(
                "{}: SQLite {version} is older than 3.26.0, the oldest that Tandem builds",
                folder.display()
            );
        }
        let absent = absent(&code);
        if !absent.is_empty() {
            eprintln!("fuzzcheck: SQLite {version} has no {}: cases run without", absent.join(", no "));
        }
        Ok(Self { folder: folder.to_owned(), version, source_id, argument })
    }
}

impl Extra {
    fn new(files: &[PathBuf], init: Option<&str>) -> Result<Option<Self>> {
        if files.is_empty() {
            return if init.is_none() {
                Ok(None)
            } else {
                bail!("--init needs --extra-c: the file that defines it")
            };
        }
        let whole = |file: &PathBuf| {
            if file.extension().is_none_or(|end| end != "c") {
                bail!(
                    "{}: --extra-c takes files that end in .c; put other arguments before it",
                    file.display()
                );
            }
            let path = file.canonicalize().with_context(|| format!("{}", file.display()))?;
            if path.to_string_lossy().contains([':', ' ']) {
                bail!("{}: the path of extra C may hold no blank and no colon", path.display());
            }
            Ok(path)
        };
        let files = files.iter().map(whole).collect::<Result<_>>()?;
        Ok(Some(Self { files, init: init.map(str::to_owned) }))
    }
}

/// The value of `#define NAME "value"`.
fn defined<'t>(header: &'t str, name: &str) -> Option<&'t str> {
    let lines = header.lines().filter_map(|line| line.strip_prefix("#define ")?.strip_prefix(name));
    lines.filter(|rest| rest.starts_with([' ', '\t'])).find_map(|rest| rest.split('"').nth(1))
}

/// The functions of `.cargo/absent.c` that the text of an amalgamation does not mention.
fn absent(code: &str) -> Vec<&'static str> {
    let functions = ABSENT_C.lines().filter_map(|line| {
        let rest = line.strip_prefix("ABSENT ")?;
        rest.split(['(', ' ', '*']).find(|word| word.starts_with("sqlite3_") && *word != "sqlite3_int64")
    });
    functions.filter(|name| !code.contains(&format!("{name}("))).collect()
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amalgamation(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sqlite3.c"), "int sqlite3_hard_heap_limit64(int n){}").unwrap();
        let header = format!(
            "#define SQLITE_VERSION_NUMBER 1\n#define SQLITE_VERSION        \"{version}\"\n\
                              #define SQLITE_SOURCE_ID      \"2020 abc\"\n"
        );
        fs::write(folder.path().join("sqlite3.h"), header).unwrap();
        folder
    }

    fn of(folder: &Path) -> Result<Flavor> {
        Flavor::new(&FlavorArgs { sqlite: Some(folder.to_owned()), ..FlavorArgs::default() }, Lane::Asan)
    }

    #[test]
    fn a_folder_says_which_sqlite_it_holds() {
        let folder = amalgamation("3.35.4");
        let flavor = of(folder.path()).unwrap();
        assert!(flavor.key().starts_with("asan-3.35.4-"), "{}", flavor.key());
        assert_eq!(flavor.sqlite.unwrap().source_id, "2020 abc");
        let missing = absent(&fs::read_to_string(folder.path().join("sqlite3.c")).unwrap());
        assert!(
            missing.contains(&"sqlite3_error_offset") && missing.contains(&"sqlite3_db_name"),
            "{missing:?}"
        );
        assert!(!missing.contains(&"sqlite3_hard_heap_limit64") && missing.len() == 15, "{missing:?}");
        let message = |folder: &Path| format!("{:#}", of(folder).unwrap_err());
        assert!(message(amalgamation("3.25.3").path()).contains("older than 3.26.0"));
        assert!(message(&folder.path().join("none")).contains("none"));
        fs::remove_file(folder.path().join("sqlite3.c")).unwrap();
        assert!(message(folder.path()).contains("sqlite3.c"));
    }

    #[test]
    fn what_is_built_names_its_folder_and_its_arguments() {
        let bundled = Flavor::bundled(Lane::Debug);
        assert_eq!(
            (bundled.key().as_str(), bundled.arguments(Lane::Asan)),
            ("debug", vec!["--lane=debug".to_owned()])
        );
        assert_eq!(bundled.in_lane(Lane::Valgrind).key(), "release");
        let folder = amalgamation("3.40.0");
        let file = folder.path().join("x.c");
        fs::write(&file, "").unwrap();
        let extra = FlavorArgs { extra_c: vec![file], init: Some("f".to_owned()), ..FlavorArgs::default() };
        let flavor = Flavor::new(&extra, Lane::Asan).unwrap();
        assert!(flavor.key().starts_with("asan-with-") && !flavor.is_default_for_fuzzing());
        let error = |args: FlavorArgs| format!("{:#}", Flavor::new(&args, Lane::Asan).unwrap_err());
        assert!(
            error(FlavorArgs { init: Some("f".to_owned()), ..FlavorArgs::default() }).contains("--extra-c")
        );
        assert!(error(FlavorArgs { extra_c: vec!["corpus".into()], ..FlavorArgs::default() }).contains(".c"));
        assert_eq!(Flavor::named("bundled:ubsan").unwrap().key(), "ubsan");
        assert!(Flavor::named("nothing").is_err());
    }
}
