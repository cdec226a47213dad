//! What is built: which SQLite, how, and with what built in.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::amalgamation::Sqlite;
use super::releases::Releases;
use crate::build::arguments::ConfigurationArgs;
use crate::build_kind::BuildKind;

/// A configuration of SQLite.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// How it is built.
    pub build: BuildKind,
    /// Which SQLite; `None` for the one that is bundled.
    pub sqlite: Option<Sqlite>,
    /// Additional C compiler flags, after all others.
    flags: Vec<String>,
    extra: Option<Extra>,
    /// The VFS through which cases open their files, if not just our own.
    pub vfs: Option<String>,
}

/// C files that are compiled in, and the entry point of their extension.
#[derive(Debug, Clone)]
struct Extra {
    files: Vec<PathBuf>,
    init: Option<String>,
}

impl Configuration {
    /// The bundled SQLite, built this way.
    pub(crate) fn bundled(build: BuildKind) -> Self {
        Self { build, sqlite: None, flags: Vec::new(), extra: None, vfs: None }
    }

    /// From the command line and `TANDEM_SQLITE`.
    ///
    /// The build must be one of `builds`; the first is the default.
    ///
    /// # Errors
    /// Another build, a folder without an amalgamation, one that is too old, a missing release, whether as a folder or a
    /// crate, a missing file.
    pub(crate) fn new(args: &ConfigurationArgs, builds: &[BuildKind]) -> Result<Self> {
        let build = args.build.unwrap_or(builds[0]);
        if !builds.contains(&build) {
            let names: Vec<&str> = builds.iter().map(|build| build.name()).collect();
            bail!("--build {build} is not possible here: choose from {}", names.join(", "));
        }
        let from_environment = std::env::var_os("TANDEM_SQLITE").filter(|folder| !folder.is_empty());
        let releases = Releases::new(args.releases.as_deref())?;
        let sqlite = match (&args.sqlite, &args.sqlite_version, from_environment) {
            (Some(folder), ..) => Some(Sqlite::in_folder(folder)?),
            (None, Some(version), _) => Some(releases.sqlite(version)?),
            (None, None, Some(folder)) => {
                Some(Sqlite::in_folder(Path::new(&folder)).context("in TANDEM_SQLITE")?)
            }
            (None, None, None) => None,
        };
        let extra = Extra::new(&args.extra_c, args.init.as_deref())?;
        let flags: Vec<String> = args.sqlite_flags.split_ascii_whitespace().map(str::to_owned).collect();
        if let Some(word) = flags.iter().find(|flag| !flag.starts_with('-')) {
            bail!("--sqlite-flags: `{word}` is not a C compiler flag, such as -DSQLITE_OMIT_TRIGGER");
        }
        Ok(Self { build, sqlite, flags, extra, vfs: args.vfs.clone() })
    }

    /// Its release, if it is one.
    pub(crate) fn release(&self) -> Option<&str> {
        self.sqlite.as_ref()?.release.as_deref()
    }

    /// The same SQLite in another build.
    pub(crate) fn with_build(&self, build: BuildKind) -> Self {
        Self { build, ..self.clone() }
    }

    /// The same with another release.
    ///
    /// # Errors
    /// As [`Configuration::new`].
    pub(crate) fn of_release(&self, releases: &Releases, name: &str) -> Result<Self> {
        Ok(Self { sqlite: Some(releases.sqlite(name)?), ..self.clone() })
    }

    /// The configuration of this name: `bundled`, a version or a folder, optionally followed by `:BUILD`.
    ///
    /// # Errors
    /// As [`Configuration::new`].
    pub(crate) fn named(name: &str) -> Result<Self> {
        let build = |word: &str| <BuildKind as clap::ValueEnum>::from_str(word, false).ok();
        let (name, build) = match name.rsplit_once(':') {
            Some((name, word)) if build(word).is_some() => (name, build(word)),
            _ => (name, None),
        };
        let sqlite = if name == "bundled" {
            None
        } else if name.starts_with("3.") && !Path::new(name).is_dir() {
            Some(Sqlite::published(name)?)
        } else {
            Some(Sqlite::in_folder(Path::new(name))?)
        };
        Ok(Self { sqlite, ..Self::bundled(build.unwrap_or(BuildKind::Release)) })
    }

    /// Its name for [`Configuration::named`]; extra C has none.
    pub(crate) fn name(&self) -> String {
        let sqlite = self.sqlite.as_ref().map_or("bundled".to_owned(), Sqlite::name);
        if self.build == BuildKind::Release { sqlite } else { format!("{sqlite}:{}", self.build) }
    }

    /// The configuration that Cargo builds and another SQLite is linked into ([`super::relink`]): its Rust is that of this
    /// one.
    pub(crate) fn harness(&self) -> Self {
        Self::bundled(if self.build.has_address_sanitizer() { BuildKind::Asan } else { BuildKind::Release })
    }

    /// Whether it is one that Cargo builds.
    pub(crate) fn is_harness(&self) -> bool {
        self.build.built_as() == self.harness().build && self.what().is_empty()
    }

    /// Whether it is that of this program.
    pub(crate) fn is_this_program(&self) -> bool {
        self.is_harness() && self.build != BuildKind::Asan
    }

    /// Whether it is what a plain `cargo fuzz build` makes.
    pub(crate) fn is_default_for_fuzzing(&self) -> bool {
        self.is_harness() && self.build == BuildKind::Asan
    }

    /// C compiler flags after those of the bundled SQLite.
    pub(super) fn compiler_flags(&self) -> &[String] {
        &self.flags
    }

    /// C files that are compiled in.
    pub(super) fn extra_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.extra.iter().flat_map(|extra| &extra.files)
    }

    /// The entry point of the extra C.
    pub(super) fn init(&self) -> Option<String> {
        self.extra.as_ref().and_then(|extra| extra.init.clone())
    }

    /// The name of its folders: the build, then the difference to the bundled SQLite.
    pub(crate) fn key(&self) -> String {
        let what = self.what();
        let build = self.build.built_as();
        if what.is_empty() { build.to_string() } else { format!("{build}-{what}") }
    }

    /// The difference to the bundled SQLite, for names of folders; empty for none.
    pub(crate) fn what(&self) -> String {
        let sqlite = self.sqlite.as_ref().map(|sqlite| {
            // The version identifies a published release; a folder may contain anything.
            let path = sqlite.argument.starts_with("--sqlite=").then(|| digest(&sqlite.argument));
            [Some(sqlite.version.clone()), path].into_iter().flatten().collect::<Vec<_>>().join("-")
        });
        let flags = (!self.flags.is_empty()).then(|| format!("flags-{}", digest(&self.flags.join(" "))));
        let extra = self.extra.as_ref().map(|extra| format!("with-{}", digest(&format!("{extra:?}"))));
        [sqlite, flags, extra].into_iter().flatten().collect::<Vec<_>>().join("-")
    }

    /// The name of the folders for inputs of a target: the target, and the SQLite if not the bundled one: what crashes one
    /// would end every run of its fuzzer, but is a good case for all others.
    pub(crate) fn name_of(&self, target: &str) -> String {
        let what = self.what();
        if what.is_empty() { target.to_owned() } else { format!("{target}-{what}") }
    }

    /// The folder for findings of a target.
    pub(crate) fn artifacts(&self, project: &Path, target: &str) -> PathBuf {
        project.join("fuzz/artifacts").join(self.name_of(target))
    }

    /// Its target directory, below that of the project.
    pub(crate) fn folder(&self, project: &Path, is_fuzzed: bool) -> PathBuf {
        let prefix = if is_fuzzed { "fuzz-" } else { "" };
        project.join("target/builds").join(format!("{prefix}{}", self.key()))
    }

    /// Sets the variables that `.cargo/cc` and the programs read, for a fuzz target or for workers.
    pub(crate) fn set_environment(&self, command: &mut Command, is_fuzzed: bool) {
        // Only in the same environment is this the build of a plain `cargo fuzz build`.
        if self.is_default_for_fuzzing() && is_fuzzed {
            command.env_remove("TANDEM_BUILD");
        } else {
            command.env("TANDEM_BUILD", self.build.built_as().name());
        }
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
    }

    /// The variables that its programs are run with.
    pub(crate) fn run_environment(&self) -> Vec<(String, String)> {
        let vfs = self.vfs.as_deref().map(|name| ("TANDEM_VFS", name));
        let all = self.build.environment().iter().copied().chain(vfs);
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The command-line arguments that select it.
    pub(crate) fn arguments(&self, default: BuildKind) -> Vec<String> {
        let build = (self.build != default).then(|| format!("--build={}", self.build));
        let sqlite = self.sqlite.as_ref().map(|sqlite| sqlite.argument.clone());
        let flags = (!self.flags.is_empty()).then(|| format!("--sqlite-flags={}", self.flags.join(" ")));
        let mut words: Vec<String> = [build, sqlite, flags].into_iter().flatten().collect();
        if let Some(extra) = &self.extra {
            words.extend(extra.files.iter().map(|file| format!("--extra-c={}", file.display())));
            words.extend(extra.init.iter().map(|init| format!("--init={init}")));
        }
        words.extend(self.vfs.iter().map(|vfs| format!("--vfs={vfs}")));
        words
    }
}

impl std::fmt::Display for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = self.sqlite.as_ref().map_or("bundled", Sqlite::title);
        write!(f, "SQLite {version}, {} build", self.build)?;
        if !self.flags.is_empty() {
            write!(f, ", {}", self.flags.join(" "))?;
        }
        self.extra.iter().try_for_each(|extra| {
            write!(f, ", with")?;
            extra.files.iter().try_for_each(|file| write!(f, " {}", file.display()))
        })
    }
}

impl Extra {
    fn new(files: &[PathBuf], init: Option<&str>) -> Result<Option<Self>> {
        if files.is_empty() {
            return if init.is_none() {
                Ok(None)
            } else {
                bail!("--init needs --extra-c with the file that defines it")
            };
        }
        let whole = |file: &PathBuf| {
            if file.extension().is_none_or(|end| end != "c") {
                bail!(
                    "{}: --extra-c takes files ending in .c; put other arguments before it",
                    file.display()
                );
            }
            let path = file.canonicalize().with_context(|| format!("{}", file.display()))?;
            if path.to_string_lossy().contains([':', ' ']) {
                bail!("{}: the path of extra C must not contain spaces or colons", path.display());
            }
            Ok(path)
        };
        let files = files.iter().map(whole).collect::<Result<_>>()?;
        Ok(Some(Self { files, init: init.map(str::to_owned) }))
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_names_its_folder_and_its_arguments() {
        let bundled = Configuration::bundled(BuildKind::Debug);
        assert_eq!(
            (bundled.key().as_str(), bundled.arguments(BuildKind::Asan)),
            ("debug", vec!["--build=debug".to_owned()])
        );
        assert_eq!(bundled.with_build(BuildKind::Valgrind).key(), "release");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.c");
        std::fs::write(&file, "").unwrap();
        let extra = ConfigurationArgs {
            extra_c: vec![file],
            init: Some("f".to_owned()),
            ..ConfigurationArgs::default()
        };
        let configuration = Configuration::new(&extra, &BuildKind::FUZZED).unwrap();
        assert!(configuration.key().starts_with("asan-with-") && !configuration.is_default_for_fuzzing());
        let artifacts = |configuration: &Configuration| configuration.artifacts(Path::new("x"), "sql");
        assert_eq!(artifacts(&bundled), Path::new("x/fuzz/artifacts/sql"));
        assert_eq!(
            artifacts(&configuration),
            Path::new("x/fuzz/artifacts").join(format!("sql-{}", configuration.what()))
        );
        assert_eq!(crate::source::target_named(&configuration.name_of("sql")).unwrap().name, "sql");
        let error = |args: ConfigurationArgs| {
            format!("{:#}", Configuration::new(&args, &BuildKind::FUZZED).unwrap_err())
        };
        assert!(
            error(ConfigurationArgs { init: Some("f".to_owned()), ..ConfigurationArgs::default() })
                .contains("--extra-c")
        );
        assert!(
            error(ConfigurationArgs { extra_c: vec!["corpus".into()], ..ConfigurationArgs::default() })
                .contains(".c")
        );
        let ubsan = Configuration::named("bundled:ubsan").unwrap();
        assert_eq!((ubsan.key().as_str(), ubsan.name().as_str()), ("ubsan", "bundled:ubsan"));
        let refused = ConfigurationArgs { build: Some(BuildKind::Valgrind), ..ConfigurationArgs::default() };
        assert!(error(refused).contains("--build valgrind is not possible here"));
        assert!(Configuration::named("nothing").is_err());
    }
}
