//! The engine `turso`, which lies outside of this workspace (`fuzzcheck/engines/turso`, whose docs say why).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Its name.
pub(super) const TURSO: &str = "turso";

/// Builds its worker in `target/turso` and returns its path.
///
/// # Errors
/// The build failed: Cargo has reported why on standard error.
pub(super) fn build(project: &Path) -> Result<PathBuf> {
    let (manifest, folder) =
        (project.join("fuzzcheck/engines/turso/Cargo.toml"), project.join("target/turso"));
    eprintln!("fuzzcheck: building Turso in {}, which takes minutes the first time", folder.display());
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--locked", "--package", "tandem-turso", "--manifest-path"]);
    command.arg(manifest).arg("--target-dir").arg(&folder);
    command.current_dir(project).env("RUST_BACKTRACE", "0").stdout(std::io::stderr()).stdin(Stdio::null());
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "the build of Turso failed: see above");
    Ok(folder.join("release/tandem-turso"))
}
