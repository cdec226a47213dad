//! The coverage build, and its counts.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::export::Detail;
use super::saved::Saved;
use super::tools::{Tools, prepare};
use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB};
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::files;
use crate::replay::report::Done;
use crate::replay::{Options, Report, run_all};
use crate::source::{Cases, NamedCase};

/// How many items of a kind exist, and how many ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Count {
    /// Those that ran.
    pub covered: u64,
    /// All of them.
    #[serde(alias = "count")]
    pub total: u64,
}

impl Count {
    /// The share that ran.
    pub(crate) fn percent(&self) -> f64 {
        100.0 * self.covered as f64 / self.total.max(1) as f64
    }
}

/// What ran of sqlite3.c, in the words of `llvm-cov export -summary-only`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Coverage {
    /// Outcomes of conditions: two for each.
    pub branches: Count,
    /// Lines of code.
    pub lines: Count,
    /// Functions.
    pub functions: Count,
    /// Stretches of code that run as one.
    pub regions: Count,
}

/// C of this project that is compiled with SQLite.
const OWN_FILES: [&str; 2] = ["absent.c", "extra.c"];

/// What ran, by file of C.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// sqlite3.c.
    pub sqlite: Coverage,
    /// Where it is.
    pub source: PathBuf,
    /// What `--extra-c` built in, by path.
    pub extra: BTreeMap<PathBuf, Coverage>,
}

impl Files {
    /// Reads what llvm-cov prints.
    fn parse(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Export {
            data: Vec<Data>,
        }
        #[derive(Deserialize)]
        struct Data {
            files: Vec<File>,
        }
        #[derive(Deserialize)]
        struct File {
            filename: PathBuf,
            summary: Coverage,
        }
        let export: Export = serde_json::from_slice(json).context("reading what llvm-cov prints")?;
        let (mut sqlite, mut extra) = (None, BTreeMap::new());
        for File { filename, summary } in export.data.into_iter().flat_map(|data| data.files) {
            let name = filename.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if name == "sqlite3.c" {
                sqlite = Some((filename, summary));
            } else if name.ends_with(".c") && !OWN_FILES.contains(&name) {
                extra.insert(filename, summary);
            }
        }
        let (source, sqlite) = sqlite.context("the coverage build has no counts for sqlite3.c")?;
        Ok(Self { sqlite, source, extra })
    }
}

/// The build.
pub(crate) struct CoverageBuild {
    /// Its program.
    pub worker: Worker,
    folder: PathBuf,
    tools: Tools,
}

/// Where the workers of a run leave their counts; gone with it.
pub(crate) struct Profiles(tempfile::TempDir);

impl Profiles {
    /// For [`Options::profile`]: a file per process, mapped into its memory.
    pub(crate) fn pattern(&self) -> PathBuf {
        self.0.path().join("%p%c.profraw")
    }
}

impl CoverageBuild {
    /// Builds the SQLite of a configuration with counters.
    ///
    /// # Errors
    /// What it needs is missing, or the build failed: Cargo has reported why on standard error.
    pub(crate) fn build(configuration: &Configuration, project: &Path, may_install: bool) -> Result<Self> {
        let tools = prepare(project, may_install)?;
        let configuration = configuration.with_build(crate::build_kind::BuildKind::Coverage);
        let worker = Worker::build(&configuration, project, may_install)?;
        Ok(Self { worker, folder: configuration.folder(project, false), tools })
    }

    /// Runs cases and writes the profile of what they reach to `profile`.
    ///
    /// # Errors
    /// If no case was run, or a worker cannot be started, or nothing was counted.
    pub(crate) fn replay(
        &self,
        cases: Cases,
        jobs: usize,
        stop: &AtomicBool,
        profile: &Path,
        mut observer: impl FnMut(),
    ) -> Result<Report> {
        self.replay_observed(cases, jobs, stop, profile, |_| observer())
    }

    /// The same; `observer` gets what each case did, with a digest.
    ///
    /// # Errors
    /// As [`CoverageBuild::replay`].
    pub(crate) fn replay_observed(
        &self,
        mut cases: Cases,
        jobs: usize,
        stop: &AtomicBool,
        profile: &Path,
        observer: impl FnMut(&Done),
    ) -> Result<Report> {
        let profiles = self.profiles()?;
        let options = Options {
            timeout_ms: TIMEOUT_MS,
            worker_memory_mib: WORKER_MEMORY_MIB,
            profile: Some(profiles.pattern()),
            has_digests: true,
            ..Options::default()
        };
        let options = self.worker.options(options);
        let report = run_all(&self.worker.program, &options, jobs, &mut cases.cases, stop, observer)?;
        if report.cases == 0 {
            bail!("no case was run");
        }
        self.collect(&profiles, profile)?;
        Ok(report)
    }

    /// A place for the counts of a run.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub(crate) fn profiles(&self) -> Result<Profiles> {
        tempfile::tempdir_in(&self.folder).map(Profiles).context("making a folder for profiles")
    }

    /// Writes the profile of what the workers of a run reached to `into`.
    ///
    /// # Errors
    /// Nothing was counted, or as [`CoverageBuild::merge`].
    pub(crate) fn collect(&self, profiles: &Profiles, into: &Path) -> Result<()> {
        let raw = files::in_folder(profiles.0.path())?;
        if raw.is_empty() {
            bail!("{} counted nothing: it is not a coverage build", self.worker.program.display());
        }
        self.merge(&raw, into)
    }

    /// Saves what so many cases reached to `path`.
    ///
    /// # Errors
    /// As [`CoverageBuild::collect`] and [`CoverageBuild::detail`], or the file cannot be written.
    pub(crate) fn save(&self, profiles: &Profiles, cases: u64, path: &Path) -> Result<()> {
        let merged = tempfile::NamedTempFile::new_in(&self.folder).context("making a file for a profile")?;
        self.collect(profiles, merged.path())?;
        Saved::of_profile(self, merged.path(), cases)?.write(path)
    }

    /// Writes what any of `profiles` reached to `into`.
    ///
    /// # Errors
    /// As llvm-profdata says.
    pub(crate) fn merge(&self, profiles: &[PathBuf], into: &Path) -> Result<()> {
        let mut command = Command::new(&self.tools.profdata);
        command.args(["merge", "-sparse", "-o"]).arg(into).args(profiles);
        output(&mut command).map(|_| ())
    }

    /// What a profile reached in sqlite3.c.
    ///
    /// # Errors
    /// As llvm-cov says.
    pub(crate) fn coverage(&self, profile: &Path) -> Result<Coverage> {
        Ok(self.by_file(profile)?.sqlite)
    }

    /// What a profile reached in each file of C.
    ///
    /// # Errors
    /// As llvm-cov says.
    pub(crate) fn by_file(&self, profile: &Path) -> Result<Files> {
        let mut command = Command::new(&self.tools.cov);
        command.args(["export", "-summary-only", "-instr-profile"]).arg(profile).arg(&self.worker.program);
        Files::parse(&output(&mut command)?)
    }

    /// What a profile reached in each function and line of the file `source`, which is sqlite3.c.
    ///
    /// # Errors
    /// As llvm-cov says; where what it says does not add up to `summary`, or cannot be read.
    pub(crate) fn detail(&self, profile: &Path, source: &Path, summary: Option<&Coverage>) -> Result<Detail> {
        let said = |words: &[&str]| -> Result<String> {
            let mut command = Command::new(&self.tools.cov);
            command.args(words).arg("-instr-profile").arg(profile).arg(&self.worker.program).arg(source);
            Ok(String::from_utf8_lossy(&output(&mut command)?).into_owned())
        };
        let detail =
            Detail::parse(&said(&["report", "-show-functions"])?, &said(&["export", "-format=lcov"])?)?;
        summary.map_or(Ok(()), |summary| detail.check(summary))?;
        Ok(detail)
    }
}

/// The cases of `paths`. With a target, whatever lies in a folder is a case of it, as libFuzzer has it:
/// decoded as the target decodes, however damaged.
///
/// # Errors
/// If a path cannot be read.
pub(crate) fn cases(paths: &[PathBuf], target: Option<&'static tandem::targets::Target>) -> Result<Cases> {
    let mut all = Cases::default();
    for path in paths {
        let some = match target.filter(|_| path.is_dir()) {
            None => crate::source::open(std::slice::from_ref(path), target)?,
            Some(target) => raw_cases(path, target)?,
        };
        all.append(some);
    }
    Ok(all)
}

fn raw_cases(folder: &Path, target: &'static tandem::targets::Target) -> Result<Cases> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in files::in_folder(&folder)? {
            match std::fs::symlink_metadata(&path) {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                // Links are skipped: they may form cycles.
                _ => {}
            }
        }
    }
    found.sort();
    let total = found.len();
    let read = move |path: PathBuf| {
        // A file may have disappeared meanwhile.
        let bytes = std::fs::read(&path).ok()?;
        let case = (target.decode)(&bytes);
        Some(NamedCase { name: path.display().to_string(), target, case, heap_bytes: None, provenance: None })
    };
    let mut cases = Cases::default();
    cases.push(total, found.into_iter().filter_map(read));
    Ok(cases)
}

/// What a command prints.
fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_sqlite_is_found_among_others() {
        let counts = |n: u64| format!(r#"{{"count":{},"covered":{n},"percent":1}}"#, 4 * n);
        let summary = |n| {
            let names = ["branches", "lines", "functions", "regions"];
            let all: Vec<String> = names.iter().map(|name| format!("\"{name}\":{}", counts(n))).collect();
            format!("{{{},\"mcdc\":{}}}", all.join(","), counts(9))
        };
        let files = format!(
            r#"[{{"filename":"/x/other.c","summary":{}}},{{"filename":"/x/sqlite3.c","summary":{}}}]"#,
            summary(1),
            summary(5)
        );
        let parsed = Files::parse(format!(r#"{{"data":[{{"files":{files}}}]}}"#).as_bytes()).unwrap();
        let coverage = parsed.sqlite;
        assert_eq!(parsed.extra[Path::new("/x/other.c")].branches.covered, 1);
        assert_eq!(coverage.branches, Count { covered: 5, total: 20 });
        assert!((coverage.regions.percent() - 25.0).abs() < 1e-9);
        assert!(Files::parse(br#"{"data":[{"files":[]}]}"#).is_err());
    }

    #[test]
    fn whatever_lies_in_a_folder_is_a_case_of_the_target() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/a"), [0xff, 0, 7]).unwrap();
        std::fs::write(folder.path().join(".b"), b"SELECT 1").unwrap();
        let paths = [folder.path().to_owned()];
        let all = cases(&paths, Some(&tandem::targets::DB_FILE)).unwrap();
        assert_eq!((all.total, all.skipped.len()), (2, 0));
        assert!(all.cases.map(|case| case.target.name).eq(["db_file", "db_file"]));
        assert!(cases(&[folder.path().join("none")], None).is_err());
    }
}
