//! Configurations by name.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{Build, turso};
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::replay::Options;

/// Stands behind the name of a configuration whose query optimizations are off.
pub(crate) const UNOPTIMIZED: &str = ":unoptimized";

/// Builds the configuration of this name: `bundled`, a published version or a folder with an amalgamation, each
/// optionally followed by `:BUILD` and by [`UNOPTIMIZED`]; or a program that has a `worker` as this one does, by its path.
///
/// # Errors
/// There is none, or it cannot be built.
pub(crate) fn build(name: &str, options: Options, project: &Path, may_install: bool) -> Result<Build> {
    if let Some(name) = name.strip_suffix(UNOPTIMIZED) {
        ensure!(name != turso::TURSO, "{name} has no optimizations that can be switched off");
        return Ok(Build { is_unoptimized: true, ..build(name, options, project, may_install)? });
    }
    if name == turso::TURSO {
        return Ok(Build { program: turso::build(project)?, options, is_unoptimized: false });
    }
    let path = Path::new(name);
    if path.is_file() {
        // Without a folder in front, a program would be looked for in PATH.
        let program = path.canonicalize().with_context(|| format!("finding `{name}`"))?;
        return Ok(Build { program, options, is_unoptimized: false });
    }
    let configuration = Configuration::named(name).with_context(|| {
        format!(
            "`{name}` is no configuration: expected `bundled`, a version or a folder with sqlite3.c, optionally followed by \
             :BUILD and :unoptimized, or `turso`, or the path of a program with a `worker` verb"
        )
    })?;
    of_configuration(&configuration, options, project, may_install)
}

/// Builds a configuration.
///
/// # Errors
/// It cannot be built.
pub(crate) fn of_configuration(
    configuration: &Configuration,
    options: Options,
    project: &Path,
    may_install: bool,
) -> Result<Build> {
    let worker = Worker::build(configuration, project, may_install)?;
    let options = worker.options(options);
    Ok(Build { program: worker.program, options, is_unoptimized: false })
}
