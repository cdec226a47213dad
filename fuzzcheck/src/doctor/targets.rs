//! Whether the built targets have SQLite's coverage counters.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tandem::targets;

use super::{Check, Place, first_line};
use crate::tools;

/// Fewest coverage counters of a target: SQLite alone has as many.
const COUNTERS_MIN: u64 = 70_000;

const NAME: &str = "instrumentation";

/// The counters of each target that is built.
pub(super) fn counters(place: &Place<'_>) -> Check {
    let folder = match tools::host(place.project, place.toolchain) {
        Ok(host) => target_folder(place.project).join(host).join("release"),
        Err(error) => return Check::error(NAME, format!("{error:#}"), "rustup update"),
    };
    let built = targets::all().iter().map(|target| (target.name, folder.join(target.name)));
    let built: Vec<(&str, PathBuf)> = built.filter(|(_, program)| program.is_file()).collect();
    if built.is_empty() {
        return Check::ok(NAME, format!("no target is built yet in {}", folder.display()));
    }
    let mut found = Vec::new();
    for (name, program) in built {
        match count(&program) {
            Ok(counters) if counters >= COUNTERS_MIN => found.push(format!("{name} {counters}")),
            Ok(counters) => {
                return blind(
                    &program,
                    &format!("{counters} coverage counters, SQLite alone has {COUNTERS_MIN}"),
                );
            }
            Err(message) => return blind(&program, &message),
        }
    }
    Check::ok(NAME, format!("coverage counters: {}", found.join(", ")))
}

fn blind(program: &Path, message: &str) -> Check {
    Check::error(
        NAME,
        format!("{}: {message}", program.display()),
        "unset CC and CFLAGS, remove that file and run `cargo fuzz build`: .cargo/cc adds the counters",
    )
}

/// Where `cargo fuzz build` puts what it builds.
pub(super) fn target_folder(project: &Path) -> PathBuf {
    project.join(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from))
}

/// What libFuzzer counts when it begins.
fn count(program: &Path) -> Result<u64, String> {
    let output = Command::new(program).arg("-runs=0").stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("it does not start: {}", first_line(&text)));
    }
    parse(&text).ok_or_else(|| "it says nothing of coverage counters".to_owned())
}

/// The number in `INFO: Loaded 1 modules   (77070 inline 8-bit counters)`.
fn parse(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("inline 8-bit counters"))?;
    line.split('(').nth(1)?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_those_that_libfuzzer_names() {
        let text =
            "INFO: Seed: 1\nINFO: Loaded 1 modules   (77070 inline 8-bit counters): 77070 [0x5, 0x6),\n";
        assert_eq!(parse(text), Some(77_070));
        assert_eq!(parse("INFO: Seed: 1\n"), None);
    }
}
