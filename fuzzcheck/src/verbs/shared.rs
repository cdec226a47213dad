//! Shared by the verbs: cases and targets by name, Ctrl-C, numbers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tandem::engine::plant::{PLANTS, Plant};
use tandem::targets::{self, Target};
use tandem::testcase::CaseId;

use crate::base::{EXIT_ERROR, project};
use crate::files;
use crate::source::Cases;

/// Reports which files in folders are not cases; returns the exit code.
pub(crate) fn tell_skipped(cases: &Cases) -> ExitCode {
    for skipped in &cases.skipped {
        eprintln!("fuzzcheck: skipped: {}", skipped.why);
    }
    if cases.skipped.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_ERROR) }
}

/// Two signals closer than this are one: `timeout` sends its own to the process and to its group.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// A flag that is set by Ctrl-C or another signal to end; a second signal ends the process at once.
pub(crate) fn interrupt_flag() -> Result<Arc<AtomicBool>> {
    let [flag, is_asked] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (first, second) = (Arc::clone(&flag), Arc::clone(&is_asked));
    std::thread::spawn(move || {
        while !first.load(Ordering::Relaxed) {
            std::thread::sleep(ONE_SIGNAL / 5);
        }
        std::thread::sleep(ONE_SIGNAL);
        second.store(true, Ordering::Relaxed);
    });
    for &signal in signal_hook::consts::TERM_SIGNALS {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            i32::from(EXIT_ERROR),
            Arc::clone(&is_asked),
        )
        .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
        .context("catching Ctrl-C")?;
    }
    Ok(flag)
}

/// Writes the case of a finding into `folder`.
pub(crate) fn save_case(prefix: &str, name: &str, body: &[u8], folder: &Path) -> Result<PathBuf> {
    let path = folder.join(format!("{prefix}-{}", CaseId::of_encoded(body).short()));
    let made = std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()));
    made.and_then(|()| files::write(&path, body))
        .with_context(|| format!("the case of `{name}` could not be saved"))?;
    Ok(path)
}

/// The paths in words, for a message.
pub(crate) fn in_words(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The corpus database for cases of this target.
pub(crate) fn corpus_of(target: &Target, into: Option<&Path>) -> PathBuf {
    let shipped = || project().join("corpus").join(format!("{}.db", target.name));
    into.map_or_else(shipped, Path::to_owned)
}

/// The given paths, or the shipped corpora.
pub(crate) fn paths_or_corpus(paths: &[PathBuf]) -> Vec<PathBuf> {
    if paths.is_empty() { vec![project().join("corpus")] } else { paths.to_vec() }
}

pub(crate) fn target_by_name(name: Option<&str>) -> Result<Option<&'static Target>> {
    let known = || targets::all().iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    name.map(|name| {
        Target::by_name(name).with_context(|| format!("no target is named `{name}`; there are {}", known()))
    })
    .transpose()
}

/// Checks that there is a planted bug of this name.
pub(crate) fn check_plant(name: Option<&str>) -> Result<()> {
    let Some(name) = name.filter(|name| Plant::by_name(name).is_none()) else {
        return Ok(());
    };
    bail!("no planted bug is named `{name}`; there are {}", PLANTS.map(|(known, _)| known).join(", "))
}

/// Every `nth` case.
pub(crate) fn every(cases: Cases, nth: u32) -> Cases {
    if nth == 1 {
        return cases;
    }
    let nth = nth as usize;
    let mut some = Cases { skipped: cases.skipped, ..Cases::default() };
    some.push(cases.total.div_ceil(nth), cases.cases.step_by(nth));
    some
}

/// A number above 0.
pub(crate) fn positive(word: &str) -> Result<f64, String> {
    let number = word.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("`{word}` is not a number above 0"))
}
