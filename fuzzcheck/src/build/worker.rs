//! Builds `fuzzcheck` itself in another configuration, for its workers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tandem::corpus::Version;
use tandem::engine::sqlite;
use tandem::registry;

use super::configuration::Configuration;
use super::relink::Harness;
use crate::build_kind::BuildKind;
use crate::replay::Options;
use crate::tools;

/// The SQLite in a program, as it reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// `sqlite3_sourceid()`.
    pub source_id: String,
    /// `sqlite3_libversion()`.
    pub version: String,
    /// Options of the build, without `SQLITE_`.
    #[serde(default)]
    pub compile_options: Vec<String>,
}

impl Identity {
    /// That of this program.
    pub(crate) fn of_this_program() -> Self {
        Self {
            source_id: sqlite::source_id(),
            version: sqlite::version(),
            compile_options: sqlite::compile_options(),
        }
    }

    /// Its version; `None` for a fork with another version scheme.
    pub(crate) fn version(&self) -> Option<Version> {
        self.version.parse().ok()
    }
}

/// A program with workers.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    /// The program.
    pub program: PathBuf,
    /// What it is.
    pub configuration: Configuration,
    /// Its SQLite, as it reports it.
    pub identity: Identity,
}

impl Worker {
    /// Builds it, unless it is this program.
    ///
    /// # Errors
    /// What it needs is missing, or the build failed: Cargo has reported why on standard error.
    pub(crate) fn build(configuration: &Configuration, project: &Path, may_install: bool) -> Result<Self> {
        if configuration.build == BuildKind::Valgrind {
            need_valgrind(may_install)?;
        }
        if configuration.is_this_program() {
            let program = this_program()?;
            return Ok(Self {
                program,
                configuration: configuration.clone(),
                identity: Identity::of_this_program(),
            });
        }
        // Whoever reads the counts of the coverage build has already checked for what it needs.
        match configuration.build {
            BuildKind::Asan | BuildKind::Debug | BuildKind::Unlimited => {
                tools::need_clang(project, None, may_install)?
            }
            BuildKind::Ubsan => tools::need_clang_runtimes(project, may_install)?,
            BuildKind::Release | BuildKind::Memdebug | BuildKind::Valgrind | BuildKind::Coverage => {}
        }
        let harness = if configuration.harness().is_this_program() {
            this_program()?
        } else {
            compile_harness(configuration, project)?
        };
        let program = if configuration.is_harness() {
            harness
        } else {
            Harness::of(&harness)?.with(
                configuration,
                project,
                &configuration.folder(project, false),
                &program_name()?,
                false,
            )?
        };
        let identity = identify(&program, configuration)?;
        if let Some(sqlite) = &configuration.sqlite
            && !sqlite.source_ids.contains(&identity.source_id)
        {
            // If the bundled one were linked instead, the wrong SQLite would be tested.
            bail!(
                "{} contains SQLite {}, not {}",
                program.display(),
                identity.source_id,
                sqlite.source_ids.join(" or ")
            );
        }
        Ok(Self { program, configuration: configuration.clone(), identity })
    }

    /// How its workers are started, and how long they may take.
    pub(crate) fn options(&self, options: Options) -> Options {
        let build = self.configuration.build;
        Options {
            prefix: build.prefix().iter().map(|word| (*word).to_owned()).collect(),
            environment: self.configuration.run_environment(),
            timeout_ms: options.timeout_ms * build.slowness(),
            worker_memory_mib: if build.limits_address_space() { options.worker_memory_mib } else { 0 },
            ..options
        }
    }
}

/// This program, or its replacement if it was rebuilt since it was started: nights are long.
///
/// # Errors
/// The system does not say where it is.
pub(crate) fn this_program() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    // As Linux names a file that is gone.
    let replaced = program.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(replaced.filter(|path| path.exists()).unwrap_or(program))
}

/// The name of this program; a crate with its own registry has its own.
fn program_name() -> Result<String> {
    if registry::package().is_none() {
        return Ok("fuzzcheck".to_owned());
    }
    let program = this_program()?;
    Ok(program.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Builds this program with AddressSanitizer.
fn compile_harness(configuration: &Configuration, project: &Path) -> Result<PathBuf> {
    let configuration = configuration.harness();
    let folder = configuration.folder(project, false);
    // With an explicit target, build scripts and macros are built without it.
    let host = tools::host(project, None)?;
    let name = program_name()?;
    let built = folder.join(&host).join("worker").join(&name);
    if !built.exists() {
        eprintln!("fuzzcheck: building workers with AddressSanitizer (once) in {}", folder.display());
    }
    let mut command = Command::new("cargo");
    let package = registry::package().map_or_else(|| project.join("fuzzcheck"), Path::to_owned);
    command.args(["build", "--profile=worker", "--bin", &name, "--target", &host]);
    command.arg("--manifest-path").arg(package.join("Cargo.toml"));
    command.arg("--target-dir").arg(&folder);
    let others = std::env::var("RUSTFLAGS").unwrap_or_default();
    command.env("RUSTFLAGS", format!("{others} -Zsanitizer=address").trim());
    configuration.set_environment(&mut command, false);
    command
        .env("CC", project.join(".cargo/cc"))
        .env("RUST_BACKTRACE", "0")
        .current_dir(project)
        .stdout(std::io::stderr())
        .stdin(Stdio::null());
    if !command.status().context("cannot run cargo")?.success() {
        bail!("the build failed ({configuration}): see above");
    }
    Ok(built)
}

/// Asks the program.
fn identify(program: &Path, configuration: &Configuration) -> Result<Identity> {
    let mut command = Command::new(program);
    command.arg("identity").envs(configuration.build.environment().iter().copied());
    // This run counts nothing.
    command.env("LLVM_PROFILE_FILE", "/dev/null");
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("{} does not run: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("reading the identity of {}", program.display()))
}

fn need_valgrind(may_install: bool) -> Result<()> {
    let works = || {
        let output = Command::new("valgrind").arg("--version").output();
        output.map(|_| ()).map_err(|error| format!("valgrind: {error}"))
    };
    tools::need("valgrind", "the valgrind build", |_| vec!["valgrind".to_owned()], works, may_install)
}
