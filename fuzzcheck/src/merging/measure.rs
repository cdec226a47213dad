//! Runs cases in a fuzz target to measure their features.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use sha2::{Digest, Sha256};
use tandem::testcase::{CASE_BYTES_MAX, CaseId};

use super::control::Reader;
use super::features::Features;
use crate::build::configuration::Configuration;
use crate::files::{self, Held};
use crate::fuzzing::log::{self, Ending, UNKNOWN};
use crate::fuzzing::session;
use crate::guard::Guard;
use crate::ui;

const TICK: Duration = Duration::from_millis(50);
/// How the names of control files begin; digits of the program's digest follow.
const CONTROL: &str = "control-";
/// What is read of the output of the target.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// A case that crashed the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crash {
    /// The case.
    pub id: CaseId,
    /// How libFuzzer's artifacts of this kind begin: `crash`, `timeout`, `oom`.
    pub prefix: &'static str,
    /// What ended it.
    pub ending: Ending,
    /// What the target printed.
    pub log: String,
}

/// A folder in which a program measures, for as long as this is there.
pub(crate) struct Laboratory {
    folder: PathBuf,
    program: PathBuf,
    digest: [u8; 32],
    _lock: Held,
}

impl Laboratory {
    /// Opens the folder, which may hold what was measured before.
    ///
    /// # Errors
    /// If it cannot be written, where the program cannot be read, and where another process uses it.
    pub(crate) fn open(folder: PathBuf, program: PathBuf) -> Result<Self> {
        let cases = folder.join("cases");
        fs::create_dir_all(&cases).with_context(|| format!("{}", cases.display()))?;
        let lock = File::open(&folder).with_context(|| format!("{}", folder.display()))?;
        if lock.try_lock().is_err() {
            bail!(
                "{}: another `fuzzcheck corpus merge` is running there: wait for it, or end it",
                folder.display()
            );
        }
        let bytes = fs::read(&program).with_context(|| format!("{}", program.display()))?;
        Ok(Self { folder, program, digest: Sha256::digest(bytes).into(), _lock: Held(lock) })
    }

    fn features_path(&self) -> PathBuf {
        self.folder.join("features")
    }

    fn control_prefix(&self) -> String {
        let digits: String = self.digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{CONTROL}{digits}-")
    }

    /// What is known already: what was kept, and what control files hold that an interruption left behind.
    ///
    /// # Errors
    /// If files cannot be read, written or removed.
    pub(crate) fn known(&self) -> Result<Features> {
        let mut features = Features::load(&self.features_path(), self.digest);
        let mut remains = files::in_folder(&self.folder)?;
        remains.retain(|path| name_of(path).starts_with(CONTROL));
        for path in &remains {
            // Another program has other features.
            if name_of(path).starts_with(&self.control_prefix()) {
                let mut reader = Reader::open(path)?;
                reader.read(&mut features)?;
            }
        }
        if !remains.is_empty() {
            features.save(&self.features_path())?;
        }
        for path in remains {
            fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
        }
        Ok(features)
    }

    /// Runs `cases`, and adds their features to `features`, but those of cases that end the target. Ends early when
    /// `stop` is set; what was measured until then is kept.
    ///
    /// # Errors
    /// A target that ends before its first case, or that cannot be run.
    pub(crate) fn measure(
        &self,
        cases: &BTreeMap<CaseId, &[u8]>,
        features: &mut Features,
        configuration: &Configuration,
        stop: &AtomicBool,
    ) -> Result<Vec<Crash>> {
        let mut rest: Vec<CaseId> = cases.keys().copied().collect();
        rest.sort_by_key(|id| (cases.get(id).map_or(0, |body| body.len()), *id));
        for (id, body) in cases {
            // Anew, for an interruption may have left a part of it.
            let path = self.case(id);
            fs::write(&path, body).with_context(|| format!("{}", path.display()))?;
        }
        let mut crashes = Vec::new();
        let mut progress = ui::Progress::new(rest.len());
        while !rest.is_empty() && !stop.load(Ordering::Relaxed) {
            let control = self.write_control(&rest)?;
            let done = self.attempt(&control, features, configuration, stop, &mut progress);
            // Before the control file goes, and whatever happened.
            features.save(&self.features_path())?;
            fs::remove_file(&control).with_context(|| format!("{}", control.display()))?;
            let crash = done?;
            rest.retain(|id| !features.contains(id) && crash.as_ref().is_none_or(|crash| crash.id != *id));
            crashes.extend(crash);
        }
        progress.finish();
        if rest.is_empty() {
            // All is in `features`.
            let folder = self.folder.join("cases");
            fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        }
        Ok(crashes)
    }

    fn case(&self, id: &CaseId) -> PathBuf {
        self.folder.join("cases").join(id.to_string())
    }

    /// A control file of its own for each process: one that outlived this program may still write to its own.
    fn write_control(&self, cases: &[CaseId]) -> Result<PathBuf> {
        let mut text = format!("{}\n0\n", cases.len());
        for id in cases {
            text.push_str(&format!("{}\n", self.case(id).display()));
        }
        let control = tempfile::Builder::new().prefix(&self.control_prefix()).tempfile_in(&self.folder);
        let mut control = control.with_context(|| format!("{}", self.folder.display()))?;
        control.write_all(text.as_bytes()).with_context(|| format!("{}", self.folder.display()))?;
        let (_, path) = control.keep().with_context(|| format!("{}", self.folder.display()))?;
        Ok(path)
    }

    /// Runs the target until it ends; the case that ended it.
    fn attempt(
        &self,
        control: &Path,
        features: &mut Features,
        configuration: &Configuration,
        stop: &AtomicBool,
        progress: &mut ui::Progress,
    ) -> Result<Option<Crash>> {
        let mut reader = Reader::open(control)?;
        let mut output =
            tempfile::tempfile_in(&self.folder).context("making a file for the target's output")?;
        let mut command = Command::new(&self.program);
        configuration.set_environment(&mut command, true);
        // A target has options of its own for AddressSanitizer (`tandem::targets::driver`).
        command.envs(configuration.run_environment().into_iter().filter(|(name, _)| name != "ASAN_OPTIONS"));
        command.arg("-merge_inner=2").arg(format!("-merge_control_file={}", control.display()));
        // Nothing is cut off, and this program keeps the artifacts.
        command.arg(format!("-max_len={CASE_BYTES_MAX}")).arg("-exact_artifact_path=/dev/null");
        command.current_dir(&self.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("cannot run {}", self.program.display()))?;
        let _guard = Guard::new(&child)?;
        let mut is_told = false;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if stop.load(Ordering::Relaxed) && !is_told {
                is_told = true;
                // One that has ended by itself is no error.
                kill_process_group(Pid::from_child(&child), Signal::KILL).ok();
            }
            std::thread::sleep(TICK);
            (0..reader.read(features)?).for_each(|_| progress.case_done(false));
        };
        (0..reader.read(features)?).for_each(|_| progress.case_done(false));
        let mut text = Vec::new();
        output.seek(SeekFrom::Start(0))?;
        output.take(LOG_BYTES_MAX).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        features.counters = counters(&text).unwrap_or(features.counters);
        if status.success() || is_told {
            return Ok(None);
        }
        let Some(id) = reader.is_at else {
            let words = session::tail(&text, 12);
            bail!("{} ended with {status}, in no case:\n{words}", self.program.display());
        };
        progress.case_done(true);
        Ok(Some(crash(id, status, text)))
    }

    /// Forgets what is not asked for any more.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn forget_others(&self, features: &mut Features, wanted: &BTreeSet<CaseId>) -> Result<()> {
        let is_less = features.retain(|id| wanted.contains(id));
        if is_less { features.save(&self.features_path()) } else { Ok(()) }
    }
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn crash(id: CaseId, status: ExitStatus, text: String) -> Crash {
    let ending = match log::ending(&text) {
        // Nothing was said, as where the kernel ends a process that takes too much memory.
        Ending::Finding(unknown) if unknown == UNKNOWN => Ending::Finding(format!("{unknown} ({status})")),
        ending => ending,
    };
    let prefix = match &ending {
        Ending::Finding(timeout) if timeout.starts_with("hang/") => "timeout",
        Ending::Finding(memory) if memory.starts_with("crash/out-of-memory") => "oom",
        _ => "crash",
    };
    Crash { id, prefix, ending, log: text }
}

/// The count in `INFO: Loaded 1 modules   (76987 inline 8-bit counters): …`.
fn counters(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("inline 8-bit counters"))?;
    line.split_once('(')?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_from_the_output() {
        let text =
            "INFO: Seed: 1\nINFO: Loaded 1 modules   (76987 inline 8-bit counters): 76987 [0x5, 0x6), \n";
        assert_eq!(counters(text), Some(76987));
        assert_eq!(counters("nothing"), None);
    }
}
