//! Configurations by name.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Build, turso};
use crate::build::configuration::Configuration;
use crate::build::worker::Worker;
use crate::replay::Options;

/// Builds the configuration of this name: `bundled`, a published version or a folder with an amalgamation, each
/// optionally followed by `:BUILD`; or a program that has a `worker` as this one does, by its path.
///
/// # Errors
/// There is none, or it cannot be built.
pub(crate) fn build(name: &str, options: Options, project: &Path, may_install: bool) -> Result<Build> {
    if name == turso::TURSO {
        return Ok(Build { program: turso::build(project)?, options });
    }
    let path = Path::new(name);
    if path.is_file() {
        // Without a folder in front, a program would be looked for in PATH.
        let program = path.canonicalize().with_context(|| format!("finding `{name}`"))?;
        return Ok(Build { program, options });
    }
    let configuration = Configuration::named(name).with_context(|| {
        format!(
            "`{name}` is no configuration: expected `bundled`, a version or a folder with sqlite3.c, optionally followed by \
             :BUILD, or `turso`, or the path of a program with a `worker` verb"
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
    Ok(Build { program: worker.program, options })
}
