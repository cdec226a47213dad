//! Build and machine, for the record of a campaign.

use std::path::Path;
use std::process::{Command, Stdio};

use super::record::{Build, Machine};
use crate::build::configuration::Configuration;
use crate::build::worker::Identity;

/// The build of a configuration. The compile options are those of the bundled SQLite, and empty for others.
pub(crate) fn build(configuration: &Configuration, project: &Path, toolchain: Option<&str>) -> Build {
    let bundled = Identity::of_this_program();
    let (version, source_id, compile_options) = match &configuration.sqlite {
        Some(sqlite) => (sqlite.version.clone(), sqlite.source_ids[0].clone(), Vec::new()),
        None => (bundled.version, bundled.source_id, bundled.compile_options),
    };
    let commit = said(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(project));
    let own = env!("CARGO_PKG_VERSION");
    let mut rustc = Command::new("rustc");
    rustc.args(toolchain.map(|name| format!("+{name}"))).arg("--version").current_dir(project);
    Build {
        version,
        source_id,
        compile_options,
        tandem: commit.map_or_else(|| own.to_owned(), |commit| format!("{own} ({commit})")),
        rustc: said(&mut rustc).unwrap_or_default(),
    }
}

/// This machine.
pub(crate) fn machine() -> Machine {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    Machine {
        cores: crate::base::cores(),
        memory_bytes: kib.and_then(|kib| kib.parse::<u64>().ok()).map(|kib| kib * 1024),
        system: said(Command::new("uname").arg("-srm")).unwrap_or_default(),
    }
}

/// The line that a program prints; `None` if it does not run.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
