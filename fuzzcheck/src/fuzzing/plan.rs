//! What to fuzz, and its build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tandem::registry;
use tandem::targets::{TARGETS, directed};

use crate::build::configuration::Configuration;
use crate::build::relink::Harness;
use crate::build_kind::BuildKind;
use crate::files;
use crate::tools;
use crate::ui::shell_quoted;

/// The builds in which new cases are rerun by default. In an SQLite that nobody has fuzzed yet, most of
/// what can be found are assertions (29 % of the check-ins that credit dbsqlfuzz name one), which only a debug
/// build has; on the bundled one, our corpora have been run in all builds.
pub(crate) fn builds_that_follow(configuration: &Configuration) -> Vec<BuildKind> {
    let is_other = !configuration.what().is_empty() && configuration.build != BuildKind::Debug;
    if is_other { vec![BuildKind::Debug] } else { Vec::new() }
}

/// What to fuzz and for how long.
pub(crate) struct Plan {
    /// What is fuzzed.
    pub configuration: Configuration,
    /// The working copy.
    pub project: PathBuf,
    /// Name of the target.
    pub target: &'static str,
    /// As in `cargo +TOOLCHAIN`.
    pub toolchain: Option<String>,
    /// How long; `None` until stopped.
    pub time: Option<Duration>,
    /// CPU time of all processes; `None` for no limit.
    pub cpu_time: Option<Duration>,
    /// Number of processes at the same time.
    pub jobs: usize,
    /// Additional arguments of libFuzzer.
    pub arguments: Vec<String>,
    /// One case in how many is sampled for the builds that follow; `None` without such.
    pub sample_every: Option<u32>,
    /// A file that directs the target at functions ([`tandem::targets::directed::Order`]).
    pub directed: Option<PathBuf>,
}

impl Plan {
    /// libFuzzer's corpus of the target.
    pub(crate) fn corpus(&self) -> PathBuf {
        self.project.join("fuzz/corpus").join(self.name())
    }

    /// The name of the folders of its inputs ([`Configuration::name_of`]).
    pub(crate) fn name(&self) -> String {
        self.configuration.name_of(self.target)
    }

    /// The folder for findings.
    pub(crate) fn artifacts(&self) -> PathBuf {
        self.configuration.artifacts(&self.project, self.target)
    }

    /// Where the target leaves a sample of what it runs.
    pub(crate) fn sample(&self) -> PathBuf {
        self.project.join("fuzz/sample").join(self.name())
    }

    /// Where `fuzzcheck corpus merge` measures.
    pub(crate) fn laboratory(&self) -> PathBuf {
        self.project.join("fuzz/merge").join(self.name())
    }

    /// Folders of runs with a part of the corpus, which a session that was killed has left behind.
    ///
    /// # Errors
    /// If their folder cannot be read.
    pub(crate) fn parts_left(&self) -> Result<Vec<PathBuf>> {
        let all = self.project.join("fuzz/runs");
        let mut parts = if all.is_dir() { files::in_folder(&all)? } else { Vec::new() };
        let begin = format!("{}-", self.name());
        parts.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix(&begin).is_some_and(|job| job.parse::<usize>().is_ok())
        });
        Ok(parts)
    }

    /// libFuzzer's output for each finding.
    pub(crate) fn logs(&self) -> PathBuf {
        self.project.join("fuzz/logs").join(self.name())
    }

    /// The program that [`Plan::build`] makes.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        if self.configuration.is_harness() {
            return self.harness();
        }
        let program = self.configuration.folder(&self.project, true).join(self.target);
        if program.is_file() {
            Ok(program)
        } else {
            bail!("{} does not exist: it was not built", program.display())
        }
    }

    /// The program that Cargo builds.
    fn harness(&self) -> Result<PathBuf> {
        let harness = self.configuration.harness();
        let target = if harness.is_default_for_fuzzing() {
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
        } else {
            harness.folder(&self.project, true)
        };
        let host = tools::host(&self.project, self.toolchain.as_deref())?;
        let program = self.project.join(target).join(host).join("release").join(self.target);
        if program.is_file() { Ok(program) } else { bail!("Cargo built no {}", program.display()) }
    }

    /// Checks that there is something to build.
    ///
    /// # Errors
    /// The project is not a working copy of Tandem.
    pub(crate) fn check_project(&self) -> Result<()> {
        if self.project.join("fuzz/Cargo.toml").exists() {
            return Ok(());
        }
        bail!("{} is not a working copy of Tandem: no fuzz/Cargo.toml", self.project.display());
    }

    /// What builds the harness of the target: `cargo build`, called as `cargo fuzz build TARGET` calls it. So there need be
    /// no cargo-fuzz, which takes a newcomer half a minute to install, and where there is, both make the same build.
    fn cargo_build(&self) -> Result<Command> {
        let mut command = Command::new("cargo");
        command.args(self.toolchain.as_ref().map(|name| format!("+{name}"))).arg("build");
        match self.package() {
            Some(package) => {
                command.arg("--manifest-path").arg(package.join("Cargo.toml")).arg("--no-default-features")
            }
            None => command.arg("--manifest-path").arg(self.project.join("fuzz/Cargo.toml")),
        };
        let host = tools::host(&self.project, self.toolchain.as_deref())?;
        command.args([
            "--target",
            &host,
            "--release",
            "--config",
            "profile.release.debug=\"line-tables-only\"",
        ]);
        command.args(["--bin", self.target]).current_dir(&self.project);
        let harness = self.configuration.harness();
        if !harness.is_default_for_fuzzing() {
            command.arg("--target-dir").arg(harness.folder(&self.project, true));
        }
        command.env("RUSTFLAGS", rust_flags(&host, harness.build.has_address_sanitizer()));
        harness.set_environment(&mut command, true);
        Ok(command)
    }

    /// The crate that brings the target, where that is not Tandem.
    fn package(&self) -> Option<&'static Path> {
        registry::package().filter(|_| TARGETS.iter().all(|own| own.name != self.target))
    }

    fn set_run_environment(&self, command: &mut Command) {
        let environment = self.configuration.run_environment();
        command.envs(environment.into_iter().filter(|(name, _)| name != "ASAN_OPTIONS"));
        // A target has options of its own for AddressSanitizer (`tandem::targets::driver`). Names of functions are
        // found by the session, which reads the target's debug information once and not at each finding.
        let options = std::env::var("ASAN_OPTIONS").unwrap_or_default();
        command.env("ASAN_OPTIONS", format!("{options}:symbolize=0").trim_start_matches(':'));
    }

    /// The folder of a run that begins with a part of the corpus.
    pub(super) fn part(&self, job: usize) -> PathBuf {
        self.project.join("fuzz/runs").join(format!("{}-{job}", self.name()))
    }

    /// The target with the arguments of libFuzzer that do not change, on its corpus or on `part`.
    ///
    /// # Errors
    /// As [`Plan::program`].
    pub(super) fn run(&self, part: Option<&Path>) -> Result<Command> {
        let mut command = Command::new(self.program()?);
        command.current_dir(&self.project);
        self.configuration.set_environment(&mut command, true);
        self.set_run_environment(&mut command);
        let sample = self.sample_every.map(|every| format!("{}:{every}", self.sample().display()));
        command.envs(sample.map(|sample| ("TANDEM_SAMPLE", sample)));
        command.envs(self.directed.iter().map(|path| (directed::VARIABLE, path)));
        command.arg(part.map_or_else(|| self.corpus(), Path::to_owned));
        command.arg("-print_final_stats=1");
        command.arg(format!("-artifact_prefix={}/", self.artifacts().display()));
        Ok(command)
    }

    /// The command that runs the target on a case.
    ///
    /// # Errors
    /// As [`Plan::program`].
    pub(crate) fn replay(&self, case: &Path) -> Result<String> {
        let program = self.program()?;
        let program = program.strip_prefix(&self.project).unwrap_or(&program).display().to_string();
        let environment: String =
            self.configuration.vfs.iter().map(|name| format!("TANDEM_VFS={name} ")).collect();
        Ok(format!("{environment}{} {}", shell_quoted(&program), shell_quoted(&case.display().to_string())))
    }

    /// Builds the target.
    ///
    /// # Errors
    /// The build failed; Cargo has reported why on standard error.
    pub(crate) fn build(&self) -> Result<()> {
        let status = self.build_command()?.status().context("cannot run cargo")?;
        if !status.success() {
            bail!("the target {} did not build: see above", self.target);
        }
        self.link()
    }

    /// Links the requested SQLite, if not the bundled one, into what [`Plan::build_command`] has built.
    ///
    /// # Errors
    /// As [`Harness::with`].
    pub(crate) fn link(&self) -> Result<()> {
        if self.configuration.is_harness() {
            return Ok(());
        }
        let folder = self.configuration.folder(&self.project, true);
        Harness::of(&self.harness()?)?.with(
            &self.configuration,
            &self.project,
            &folder,
            self.target,
            true,
        )?;
        Ok(())
    }

    /// What builds the target, or the harness of it that [`Plan::link`] is to link.
    ///
    /// # Errors
    /// If the folder of its artifacts cannot be made.
    pub(crate) fn build_command(&self) -> Result<Command> {
        eprintln!("fuzzcheck: building the target {} with coverage ({})", self.target, self.configuration);
        std::fs::create_dir_all(self.artifacts())
            .with_context(|| format!("{}", self.artifacts().display()))?;
        let mut command = self.cargo_build()?;
        command.stdout(std::io::stderr()).stdin(Stdio::null());
        Ok(command)
    }
}

/// The flags of rustc with which cargo-fuzz 0.13 builds a target, and behind them those of the user; CI sees that
/// `cargo fuzz build` has nothing to build any more.
fn rust_flags(host: &str, has_address_sanitizer: bool) -> String {
    let mut flags = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing \
                     -Cllvm-args=-simplifycfg-branch-fold-threshold=0"
        .to_owned();
    if has_address_sanitizer {
        flags += " -Zsanitizer=address";
    }
    if host.contains("-linux-") {
        flags += " -Cllvm-args=-sanitizer-coverage-stack-depth";
    }
    flags += " -Cdebug-assertions -Ccodegen-units=1";
    if let Ok(own) = std::env::var("RUSTFLAGS") {
        flags = format!("{flags} {own}");
    }
    flags
}
