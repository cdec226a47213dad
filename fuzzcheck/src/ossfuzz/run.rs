//! Running a target as OSS-Fuzz's `run_fuzzer` does.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::options::Options;

/// What the base-runner image tells AddressSanitizer.
const ASAN_OPTIONS: [&str; 20] = [
    "alloc_dealloc_mismatch=0",
    "allocator_may_return_null=1",
    "allocator_release_to_os_interval_ms=500",
    "check_malloc_usable_size=0",
    "detect_container_overflow=1",
    "detect_leaks=1",
    "detect_odr_violation=0",
    "detect_stack_use_after_return=1",
    "dedup_token_length=3",
    "fast_unwind_on_fatal=0",
    "handle_abort=1",
    "handle_segv=1",
    "handle_sigill=1",
    "max_uar_stack_size_log=16",
    "print_scariness=1",
    "quarantine_size_mb=10",
    "strict_memcmp=1",
    "strip_path_prefix=/workspace/",
    "symbolize=1",
    "use_sigaltstack=1",
];
/// What `run_fuzzer` tells libFuzzer.
const FUZZER_ARGS: [&str; 2] = ["-rss_limit_mb=2560", "-timeout=25"];
/// How often a running target is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// The end of an output is what is shown of it, in characters.
const SHOWN_CHARS: usize = 600;

/// A copy of `$OUT` in another place, which cannot be written to.
pub(crate) struct Copy {
    scratch: TempDir,
    /// Set by Ctrl-C.
    stop: Arc<AtomicBool>,
}

impl Copy {
    /// Copies the files directly in `out`: OSS-Fuzz copies the rest as well, but no target may need it.
    pub(crate) fn of(out: &Path, stop: Arc<AtomicBool>) -> Result<Self> {
        let scratch =
            tempfile::Builder::new().prefix("fuzzcheck-oss-fuzz-").tempdir().context("a temporary folder")?;
        let copy = Self { scratch, stop };
        for folder in [copy.folder(), copy.elsewhere()] {
            fs::create_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        }
        for path in crate::files::in_folder(out)?.iter().filter(|path| path.is_file()) {
            let to = copy.folder().join(path.file_name().unwrap_or_default());
            fs::copy(path, &to).with_context(|| format!("copying {} to {}", path.display(), to.display()))?;
        }
        copy.set_writable(false)?;
        Ok(copy)
    }

    /// The copy.
    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch.path().join("moved")
    }

    /// Where targets run.
    pub(crate) fn elsewhere(&self) -> PathBuf {
        self.scratch.path().join("elsewhere")
    }

    /// A new, empty folder that may be written to.
    pub(crate) fn empty_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scratch.path().join(name);
        fs::create_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        Ok(folder)
    }

    fn set_writable(&self, is_writable: bool) -> Result<()> {
        let bits = if is_writable { 0o755 } else { 0o555 };
        let folder = self.folder();
        let mut paths = crate::files::in_folder(&folder)?;
        paths.push(folder);
        for path in paths {
            let old =
                fs::metadata(&path).with_context(|| format!("{}", path.display()))?.permissions().mode();
            // What was not executable is not.
            let mode = if path.is_dir() { bits } else { old & bits };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
                .with_context(|| format!("{}", path.display()))?;
        }
        Ok(())
    }

    /// Names, sizes and times of the files where nothing may be written. For root no folder is read-only: then this is
    /// how one sees it.
    pub(crate) fn state(&self) -> Result<Vec<(PathBuf, u64, std::time::SystemTime)>> {
        let mut state = Vec::new();
        for folder in [self.folder(), self.elsewhere()] {
            for path in crate::files::in_folder(&folder)? {
                let kind = fs::metadata(&path).with_context(|| format!("{}", path.display()))?;
                let changed = kind.modified().context("the time of a change")?;
                state.push((path, kind.len(), changed));
            }
        }
        Ok(state)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What cannot be written to cannot be removed; that it stays is told by nobody, and hurts nobody.
        if let Err(error) = self.set_writable(true) {
            eprintln!("fuzzcheck: {error:#}");
        }
    }
}

/// What a target did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended; none if it was stopped because its time was over.
    pub status: Option<ExitStatus>,
    /// Both its outputs.
    pub output: String,
    /// How long it took.
    pub time: Duration,
}

impl Ran {
    /// Nothing but exit code 0 is fine.
    pub(crate) fn succeeded(&self) -> Result<(), String> {
        let end = match self.status {
            Some(status) if status.success() => return Ok(()),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit {code}"),
                (None, signal) => format!("signal {}", signal.unwrap_or_default()),
            },
            None => format!("did not end within {} s", self.time.as_secs()),
        };
        Err(format!("{end}; output: {}", self.tail()))
    }

    /// The number behind `label` at the start of a line.
    pub(crate) fn number(&self, label: &str) -> Option<u64> {
        let rest = self.output.lines().find_map(|line| line.strip_prefix(label))?;
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    }

    /// The end of what it said.
    pub(crate) fn tail(&self) -> String {
        let text = self.output.trim();
        let skipped = text.chars().count().saturating_sub(SHOWN_CHARS);
        text.chars().skip(skipped).collect()
    }
}

/// A target in a copy, with its options.
pub(crate) struct Target<'a> {
    pub copy: &'a Copy,
    pub name: &'a str,
    pub options: &'a Options,
}

impl Target<'_> {
    /// Runs it to its end, or until `limit` is over.
    ///
    /// # Errors
    /// If it could not be started, or Ctrl-C was pressed.
    pub(crate) fn run(&self, args: &[&str], folders: &[&Path], limit: Duration) -> Result<Ran> {
        let program = self.copy.folder().join(self.name);
        let log = tempfile::NamedTempFile::new().context("a temporary file")?;
        let output = |file: &File| file.try_clone().context("a temporary file");
        let mut command = Command::new(&program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("ASAN_OPTIONS", format!("{}{}", ASAN_OPTIONS.join(":"), self.options.asan()));
        // Counts of a coverage build go where they may.
        command.env("LLVM_PROFILE_FILE", self.profile());
        command.args(FUZZER_ARGS).args(self.options.flags()).args(args).args(folders);
        command.current_dir(self.copy.elsewhere()).stdin(Stdio::null());
        command.stdout(output(log.as_file())?).stderr(output(log.as_file())?).process_group(0);
        let started = Instant::now();
        let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let status = loop {
            if let Some(status) = child.try_wait().context("waiting for a target")? {
                break Some(status);
            }
            let is_stopped = self.copy.stop.load(Relaxed);
            if is_stopped || started.elapsed() >= limit {
                // With its own children, which a merge has. It may have gone meanwhile.
                kill_process_group(Pid::from_child(&child), Signal::KILL).ok();
                child.wait().context("waiting for a target")?;
                if is_stopped {
                    bail!("stopped while running {}", self.name);
                }
                break None;
            }
            std::thread::sleep(LOOK_INTERVAL);
        };
        let output = fs::read(log.path()).context("what a target said")?;
        Ok(Ran { status, output: String::from_utf8_lossy(&output).into_owned(), time: started.elapsed() })
    }

    /// Where a coverage build leaves its counts.
    pub(crate) fn profile(&self) -> PathBuf {
        self.copy.scratch.path().join(format!("{}.profraw", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy_of(script: &str) -> Copy {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("one");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Copy::of(out.path(), Arc::default()).unwrap()
    }

    fn run(copy: &Copy, limit_ms: u64) -> Ran {
        let options = Options::parse("[libfuzzer]\nmax_len = 7\n[asan]\na = 1\n").unwrap();
        let target = Target { copy, name: "one", options: &options };
        target.run(&["-runs=4"], &[Path::new("corpus")], Duration::from_millis(limit_ms)).unwrap()
    }

    #[test]
    fn a_target_that_hangs_is_stopped() {
        let copy = copy_of("echo begun; exec sleep 1000");
        // On a busy machine it takes its time to begin.
        let mut all = [300, 3_000, 30_000, 300_000].into_iter().map(|limit_ms| run(&copy, limit_ms));
        let ran = all.find(|ran| ran.tail() == "begun").expect("it begins");
        assert!(ran.status.is_none() && ran.time < Duration::from_secs(1000));
        assert!(ran.succeeded().unwrap_err().contains("did not end"));
        assert_eq!(ran.tail(), "begun");
    }

    #[test]
    fn a_stop_leaves_nothing_behind() {
        let copy = copy_of("sleep 1000 & wait");
        copy.stop.store(true, Relaxed);
        let folder = copy.scratch.path().to_owned();
        let options = Options::default();
        let target = Target { copy: &copy, name: "one", options: &options };
        let error = target.run(&[], &[], Duration::from_secs(100)).unwrap_err();
        assert!(error.to_string().contains("stopped while running one"), "{error}");
        drop(copy);
        assert!(!folder.exists());
    }

    #[test]
    fn a_target_runs_as_on_oss_fuzz() {
        let copy = copy_of(
            r#"echo "$@"; echo "$ASAN_OPTIONS"; env | grep -c .; pwd; read line || echo no input >&2"#,
        );
        let ran = run(&copy, 100_000);
        assert_eq!(ran.succeeded(), Ok(()));
        let lines: Vec<&str> = ran.output.lines().collect();
        assert_eq!(lines[0], "-rss_limit_mb=2560 -timeout=25 -max_len=7 -runs=4 corpus");
        assert!(lines[1].ends_with("use_sigaltstack=1:a=1"), "{lines:?}");
        assert_eq!(lines[3..], [copy.elsewhere().to_str().unwrap(), "no input"]);
        assert_eq!(ran.number("-rss_limit_mb="), Some(2560));
        for (script, words) in [("exit 3", "exit 3"), ("kill -9 $$", "signal 9")] {
            assert!(run(&copy_of(script), 100_000).succeeded().unwrap_err().starts_with(words));
        }
    }

    #[test]
    fn what_is_written_is_seen() {
        let copy = copy_of("exit 0");
        let before = copy.state().unwrap();
        assert_eq!(copy.state().unwrap(), before);
        fs::write(copy.elsewhere().join("new"), "").unwrap();
        assert_eq!(copy.state().unwrap().len(), before.len() + 1);
        let mode = fs::metadata(copy.folder().join("one")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o555);
    }
}
