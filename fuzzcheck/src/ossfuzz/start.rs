//! Checks that a target starts, sees SQLite's coverage, and writes nowhere else.

use std::time::Duration;

use anyhow::Result;

use super::run::{Copy, Ran, Target};
use crate::ossfuzz::SanitizerArg;

/// Inputs that `bad_build_check` runs.
const RUNS: &str = "4";
/// A target that has not run them by then does not start.
const LIMIT: Duration = Duration::from_secs(120);
/// Fewest counters of a target: SQLite alone has so many. (OSS-Fuzz asks for 100, and only warns.)
const COUNTERS_MIN: u64 = 70_000;
/// Fewest counters of a coverage build. Clang needs fewer of that kind: SQLite has 36,000, the harness alone 12,000.
const PROFILE_COUNTERS_MIN: usize = 30_000;

/// `bad_build_check`: runs a few inputs.
pub(crate) fn runs(
    target: &Target<'_>,
    sanitizer: SanitizerArg,
) -> Result<Vec<(&'static str, Result<String, String>)>> {
    if sanitizer == SanitizerArg::Coverage {
        return Ok(vec![("start", merges(target)?)]);
    }
    let ran = target.run(&["-seed=1337", &format!("-runs={RUNS}")], &[], LIMIT)?;
    Ok(vec![("start", started(&ran)), ("counters", counters(&ran))])
}

fn started(ran: &Ran) -> Result<String, String> {
    // libFuzzer's words, exactly.
    if ran.output.contains("ERROR: no interesting inputs were found") {
        return Err("libFuzzer sees no coverage at all: the build is not instrumented".to_owned());
    }
    ran.succeeded()?;
    let done = format!("Done {RUNS} runs");
    if ran.output.contains(&done) {
        Ok(format!("{done} in {} ms", ran.time.as_millis()))
    } else {
        Err(format!("it does not print `{done}` but: {}", ran.tail()))
    }
}

fn counters(ran: &Ran) -> Result<String, String> {
    let line = ran.output.lines().find_map(|line| line.strip_prefix("INFO: Loaded "));
    let (_, rest) = line.and_then(|line| line.split_once("): ")).unwrap_or_default();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse::<u64>() {
        Ok(count) if count >= COUNTERS_MIN => Ok(format!("{count} counters")),
        Ok(count) => Err(format!(
            "{count} counters; SQLite alone has {COUNTERS_MIN}: compile it with -fsanitize=fuzzer-no-link"
        )),
        Err(_) => Err(format!("libFuzzer does not report the number of counters: {}", ran.tail())),
    }
}

/// A coverage build counts what SQLite does.
pub(crate) fn profile_counters(count: usize) -> Result<String, String> {
    let seen = format!("{count} counters for llvm-cov");
    if count >= PROFILE_COUNTERS_MIN {
        return Ok(seen);
    }
    Err(format!(
        "{seen}; SQLite alone has more than {PROFILE_COUNTERS_MIN}: compile it with -fcoverage-mapping"
    ))
}

/// What OSS-Fuzz's coverage job does: a coverage build has no counters that libFuzzer could go by.
fn merges(target: &Target<'_>) -> Result<Result<String, String>> {
    let out = target.copy.empty_folder(&format!("{}-merged", target.name))?;
    let seeds = target.copy.empty_folder(&format!("{}-one-seed", target.name))?;
    std::fs::write(seeds.join("seed"), "SELECT 1;")?;
    let ran = target.run(&["-merge=1", "-timeout=100"], &[&out, &seeds], LIMIT)?;
    let counts = std::fs::metadata(target.profile()).map_or(0, |file| file.len());
    Ok(ran.succeeded().and_then(|()| match counts {
        0 => Err("a merge left no counts for llvm-cov".to_owned()),
        bytes => Ok(format!("a merge left {bytes} bytes of counts")),
    }))
}

/// Given an empty folder, a target begins with nothing: it has not gone elsewhere for seeds.
pub(crate) fn takes_nothing_else(target: &Target<'_>) -> Result<Result<String, String>> {
    let folder = target.copy.empty_folder(&format!("{}-empty", target.name))?;
    let ran = target.run(&["-runs=0"], &[&folder], LIMIT)?;
    let files = crate::files::in_folder(&folder)?.len();
    Ok(match files {
        0 if ran.output.contains("INFO: A corpus is not provided") || ran.succeeded().is_ok() => {
            Ok("an empty folder stays empty".to_owned())
        }
        0 => Err(format!("with an empty folder: {}", ran.tail())),
        _ => Err(format!("{files} files in a folder that was empty: it took seeds from elsewhere")),
    })
}

/// Nothing was written into the folder of the targets or where they were started.
pub(crate) fn wrote_nothing(
    copy: &Copy,
    before: &[(std::path::PathBuf, u64, std::time::SystemTime)],
) -> Result<Result<String, String>> {
    let after = copy.state()?;
    let new = after.iter().filter(|entry| !before.contains(entry));
    let new: Vec<String> =
        new.filter_map(|(path, ..)| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    let gone = before.iter().filter(|(path, ..)| !path.exists()).count();
    Ok(if new.is_empty() && gone == 0 {
        Ok("only /tmp was written to".to_owned())
    } else {
        Err(format!("written to read-only folders: {}; removed: {gone}", new.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_alone_is_not_enough_for_coverage() {
        assert!(profile_counters(12_000).unwrap_err().contains("-fcoverage-mapping"));
        assert!(profile_counters(48_000).is_ok());
    }
}
