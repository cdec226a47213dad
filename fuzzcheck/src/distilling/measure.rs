//! Running cases in a fuzz target to learn their features.
//!
//! The target notes what it does in a control file (`libfuzzer/FuzzerMerge.cpp`):
//!
//! ```text
//! 2                   files
//! 0                   of which so many are in the first corpus
//! …/cases/<id>        one line each
//! …/cases/<id>
//! STARTED 0 17        number of the file, its size
//! FT 0 8 24           its features
//! COV 0 1 3           edges that no file before it had
//! STARTED 1 20        no FT: the file ended the process
//! ```
//! It is written on by the target alone, whatever becomes of this program; what is complete in it is never measured
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use sha2::{Digest, Sha256};
use tandem::testcase::{CASE_BYTES_MAX, CaseId};

use super::features::Features;
use crate::build::flavor::Flavor;
use crate::fuzzing::{log, session};
use crate::{files, ui};

const TICK: Duration = Duration::from_millis(50);
/// How the names of control files begin; digits of the program's digest follow.
const CONTROL: &str = "control-";
/// What is read of the output of the target.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// A case that ended the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crash {
    /// The case.
    pub id: CaseId,
    /// How libFuzzer's artifacts of this kind begin: `crash`, `timeout`, `oom`.
    pub prefix: &'static str,
    /// What was found.
    pub signature: String,
    /// What the target printed.
    pub log: String,
}

/// A folder in which a program measures, for as long as this is there.
pub(crate) struct Laboratory {
    folder: PathBuf,
    program: PathBuf,
    digest: [u8; 32],
    _lock: File,
}

impl Laboratory {
    /// Opens the folder, which may hold what was measured before.
    ///
    /// # Errors
    /// Where it cannot be written, where the program cannot be read, and where another process uses it.
    pub(crate) fn open(folder: PathBuf, program: PathBuf) -> Result<Self> {
        let cases = folder.join("cases");
        fs::create_dir_all(&cases).with_context(|| format!("{}", cases.display()))?;
        let lock = File::open(&folder).with_context(|| format!("{}", folder.display()))?;
        if lock.try_lock().is_err() {
            bail!(
                "{}: another `fuzzcheck distill` is at work there: wait for it, or end it",
                folder.display()
            );
        }
        let bytes = fs::read(&program).with_context(|| format!("{}", program.display()))?;
        Ok(Self { folder, program, digest: Sha256::digest(bytes).into(), _lock: lock })
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
    /// Where files cannot be read, written or removed.
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
        flavor: &Flavor,
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
            let done = self.attempt(&control, features, flavor, stop, &mut progress);
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
        flavor: &Flavor,
        stop: &AtomicBool,
        progress: &mut ui::Progress,
    ) -> Result<Option<Crash>> {
        let mut reader = Reader::open(control)?;
        let mut output =
            tempfile::tempfile_in(&self.folder).context("making a file for the target's output")?;
        let mut command = Command::new(&self.program);
        flavor.set_environment(&mut command, true);
        // A target has options of its own for AddressSanitizer (`tandem::targets::driver`).
        command.envs(flavor.run_environment().into_iter().filter(|(name, _)| name != "ASAN_OPTIONS"));
        command.arg("-merge_inner=2").arg(format!("-merge_control_file={}", control.display()));
        // Nothing is cut off, and this program keeps the artifacts.
        command.arg(format!("-max_len={CASE_BYTES_MAX}")).arg("-exact_artifact_path=/dev/null");
        command.current_dir(&self.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output.try_clone()?);
        let mut child = command.spawn().with_context(|| format!("cannot run {}", self.program.display()))?;
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
    /// Where the file cannot be written.
    pub(crate) fn forget_others(&self, features: &mut Features, wanted: &BTreeSet<CaseId>) -> Result<()> {
        let is_less = features.retain(|id| wanted.contains(id));
        if is_less { features.save(&self.features_path()) } else { Ok(()) }
    }
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn crash(id: CaseId, status: ExitStatus, text: String) -> Crash {
    let signature = match log::signature(&text) {
        // Nothing was said, as where the kernel ends a process that takes too much memory.
        unknown if unknown == "crash/unknown/-" => format!("{unknown} ({status})"),
        signature => signature,
    };
    let prefix = match signature.as_str() {
        timeout if timeout.starts_with("crash/timeout") => "timeout",
        memory if memory.starts_with("crash/out-of-memory") => "oom",
        _ => "crash",
    };
    Crash { id, prefix, signature, log: text }
}

/// The count in `INFO: Loaded 1 modules   (76987 inline 8-bit counters): …`.
fn counters(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("inline 8-bit counters"))?;
    line.split_once('(')?.1.split(' ').next()?.parse().ok()
}

/// Reads a control file while it grows.
struct Reader {
    file: BufReader<File>,
    ids: Vec<Option<CaseId>>,
    /// The beginning of a line that is not written to its end yet.
    line: Vec<u8>,
    /// The case that was begun and is not done.
    is_at: Option<CaseId>,
    /// Its features, which count once the line behind them is there.
    features: Option<BTreeSet<u32>>,
}

impl Reader {
    /// Reads the names.
    fn open(path: &Path) -> Result<Self> {
        let open = || -> std::io::Result<Self> {
            let mut file = BufReader::new(File::open(path)?);
            let mut line = String::new();
            let mut next = || {
                line.clear();
                file.read_line(&mut line).map(|_| line.trim_end().to_owned())
            };
            let count = next()?.parse().unwrap_or(0);
            next()?;
            let mut ids = Vec::new();
            for _ in 0..count {
                ids.push(name_of(Path::new(&next()?)).parse().ok());
            }
            Ok(Self { file, ids, line: Vec::new(), is_at: None, features: None })
        };
        open().with_context(|| format!("{}", path.display()))
    }

    /// Adds what is there since the last time; returns how many cases.
    fn read(&mut self, features: &mut Features) -> Result<usize> {
        let mut count = 0;
        while self.file.read_until(b'\n', &mut self.line).context("reading a control file")? > 0 {
            if self.line.last() != Some(&b'\n') {
                break;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            count += usize::from(self.note(&line, features));
        }
        Ok(count)
    }

    /// Whether a case is done with this line.
    fn note(&mut self, line: &str, features: &mut Features) -> bool {
        let mut words = line.split_ascii_whitespace();
        let word = words.next().unwrap_or_default();
        let at = words.next().and_then(|number| number.parse::<usize>().ok());
        let id = at.and_then(|at| *self.ids.get(at)?);
        match word {
            "STARTED" => (self.is_at, self.features) = (id, None),
            "FT" if id == self.is_at => self.features = words.map(|word| word.parse().ok()).collect(),
            "COV" if id == self.is_at => {
                let done = self.is_at.take().zip(self.features.take());
                done.iter().for_each(|(id, set)| features.insert(*id, set));
                return done.is_some();
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_is_read_as_it_grows_and_only_what_is_complete_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let ids: Vec<CaseId> = (1..5).map(|byte| CaseId::from_bytes([byte; 32])).collect();
        let names: String = ids.iter().map(|id| format!("/x y/{id}\n")).collect();
        let text = format!(
            "4\n0\n{names}STARTED 0 17\nFT 0 8 24\nCOV 0 1 3\nSTARTED 1 20\nSTARTED 2 21\nFT 2\nCOV 2\n\
             STARTED 3 22\nFT 3 16 17\n"
        );
        let header = text.find("STARTED").unwrap();
        for cut in header..=text.len() {
            fs::write(&path, &text[..header]).unwrap();
            let mut features = Features::new([0; 32]);
            let mut reader = Reader::open(&path).unwrap();
            assert_eq!(reader.read(&mut features).unwrap(), 0);
            fs::write(&path, &text[..cut]).unwrap();
            let first = reader.read(&mut features).unwrap();
            let complete = text[..cut].lines().filter(|line| line.starts_with("COV")).count();
            // A last line without its end is not complete.
            assert!(first == complete || first + 1 == complete, "{cut}");
            assert!(!features.contains(&ids[1]) && !features.contains(&ids[3]));
            fs::write(&path, &text).unwrap();
            assert_eq!(first + reader.read(&mut features).unwrap(), 2);
            assert!(features.of(&ids[0]).eq([8, 24]) && features.of(&ids[2]).count() == 0);
            assert!(features.contains(&ids[2]), "a case without features was measured all the same");
            assert_eq!(reader.is_at, Some(ids[3]));
        }
    }

    #[test]
    fn counters_are_read_from_the_output() {
        let text =
            "INFO: Seed: 1\nINFO: Loaded 1 modules   (76987 inline 8-bit counters): 76987 [0x5, 0x6), \n";
        assert_eq!(counters(text), Some(76987));
        assert_eq!(counters("nothing"), None);
    }
}
