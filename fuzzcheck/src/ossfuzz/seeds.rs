//! Checks that seeds, dictionary and options of a target work.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::options::Options;
use super::run::Target;
use super::{dictionary, seed_zip};

/// OSS-Fuzz's limit of one input, in seconds (`-timeout`).
const SEED_SECONDS_MAX: u64 = 25;
/// OSS-Fuzz's limit of memory, in MB (`-rss_limit_mb`).
const MEMORY_MB_MAX: u64 = 2560;
/// All seeds of a target together.
const LIMIT: Duration = Duration::from_secs(3600);
/// With --fast, one of so many seeds is run.
const FAST_EVERY: usize = 10;

/// Seeds as they lie in the zip.
pub(crate) type Seeds = std::collections::BTreeMap<String, Vec<u8>>;

/// The seeds of a target, which must fit into what libFuzzer reads: it cuts off the rest without a word.
pub(crate) fn read(zip: &Path, options: &Options) -> Result<(Seeds, String), String> {
    if !zip.exists() {
        return Err(format!("{} is missing: fuzzing would start without seeds", name_of(zip)));
    }
    let seeds = seed_zip::read(zip).map_err(|error| format!("{error:#}"))?;
    let length = options.get("libfuzzer", "max_len").and_then(|text| text.parse().ok());
    if let Some(length) = length
        && let Some((name, content)) = seeds.iter().find(|(_, content)| content.len() > length)
    {
        return Err(format!("{name} has {} bytes, but max_len = {length} cuts it off", content.len()));
    }
    if let Some((name, _)) = seeds.iter().find(|(_, content)| content.is_empty()) {
        return Err(format!("{name} is empty, so libFuzzer does not read it"));
    }
    let bytes: usize = seeds.values().map(Vec::len).sum();
    let seen = format!("{} seeds, {bytes} bytes", seeds.len());
    Ok((seeds, seen))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Runs seeds: libFuzzer reads as many as there are, none crashes, hangs or takes too much.
pub(crate) fn run(target: &Target<'_>, seeds: &Seeds, is_fast: bool) -> Result<Result<String, String>> {
    let folder = target.copy.empty_folder(&format!("{}-seeds", target.name))?;
    let every = if is_fast { FAST_EVERY } else { 1 };
    let mut count = 0;
    for (name, content) in seeds.iter().step_by(every) {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("{}", path.display()))?;
        count += 1;
    }
    let prefix = target.copy.empty_folder(&format!("{}-artifacts", target.name))?;
    let prefix = format!("-artifact_prefix={}/", prefix.display());
    let ran = target.run(&["-runs=0", "-print_final_stats=1", &prefix], &[&folder], LIMIT)?;
    let loaded = ran.number("INFO: seed corpus: files:");
    let seconds = ran.number("stat::slowest_unit_time_sec:");
    let memory = ran.number("stat::peak_rss_mb:");
    Ok(ran.succeeded().map_err(|problem| format!("with the seeds: {problem}")).and_then(|()| {
        let (Some(loaded), Some(seconds), Some(memory)) = (loaded, seconds, memory) else {
            return Err(format!("libFuzzer does not report what it read and used: {}", ran.tail()));
        };
        let seen = format!("{loaded} run, the slowest in {seconds} s, {memory} MB at most");
        if loaded != count {
            return Err(format!("{seen}; there are {count}"));
        }
        if seconds >= SEED_SECONDS_MAX || memory >= MEMORY_MB_MAX {
            return Err(format!("{seen}; there may be {SEED_SECONDS_MAX} s and {MEMORY_MB_MAX} MB"));
        }
        Ok(seen)
    }))
}

/// Reads the options of a target; none are fine.
pub(crate) fn options(folder: &Path, name: &str) -> Result<(Options, String), String> {
    let path = folder.join(format!("{name}.options"));
    if !path.exists() {
        return Ok((Options::default(), "none".to_owned()));
    }
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", name_of(&path)))?;
    let options = Options::parse(&text).map_err(|problem| format!("{}: {problem}", name_of(&path)))?;
    let seen = format!("{} options", options.count());
    Ok((options, seen))
}

/// The dictionary that a target is given: the one that its options name, or the one of its name.
fn dictionary_of(folder: &Path, name: &str, options: &Options) -> PathBuf {
    let own = format!("{name}.dict");
    folder.join(options.get("libfuzzer", "dict").unwrap_or(&own))
}

/// libFuzzer reads the dictionary, all of it; none is fine unless it is named.
pub(crate) fn reads_dictionary(target: &Target<'_>) -> Result<Result<String, String>> {
    let path = dictionary_of(&target.copy.folder(), target.name, target.options);
    let name = name_of(&path);
    if !path.exists() {
        let is_named = target.options.get("libfuzzer", "dict").is_some();
        return Ok(if is_named { Err(format!("{name} is not there")) } else { Ok("none".to_owned()) });
    }
    let text = fs::read(&path).with_context(|| format!("{}", path.display()))?;
    let words = match dictionary::count(&String::from_utf8_lossy(&text)) {
        Err((line, text)) => {
            return Ok(Err(format!("{name}: line {line}: `{text}` is not a libFuzzer dictionary entry")));
        }
        Ok(0) => return Ok(Err(format!("{name}: no entries"))),
        Ok(words) => words as u64,
    };
    let flag = format!("-dict={}", path.display());
    let ran = target.run(&["-runs=0", &flag], &[], Duration::from_secs(120))?;
    Ok(match ran.number("Dictionary:") {
        Some(read) if read == words => Ok(format!("{words} words")),
        Some(read) => Err(format!("{name}: libFuzzer reads {read} of {words} words")),
        None => Err(format!("{name}: libFuzzer does not read it: {}", ran.tail())),
    })
}
