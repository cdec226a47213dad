//! The builds that a name stands for.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Build, turso};
use crate::build::flavor::Flavor;
use crate::build::worker::Worker;
use crate::replay::Options;

/// The build of this name: `bundled`, a published version, a folder with an amalgamation, each with `:BUILD` behind it
/// or not; or a program that has a `worker` as this one does, by its path.
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
    let flavor = Flavor::named(name).with_context(|| {
        format!(
            "no build is named `{name}`: `bundled` is, a version, a folder with sqlite3.c, each with :BUILD behind it \
             or not, `turso`, and a program with a `worker`, by its path"
        )
    })?;
    of_flavor(&flavor, options, project, may_install)
}

/// The build of a flavor.
///
/// # Errors
/// It cannot be built.
pub(crate) fn of_flavor(
    flavor: &Flavor,
    options: Options,
    project: &Path,
    may_install: bool,
) -> Result<Build> {
    let worker = Worker::build(flavor, project, may_install)?;
    let options = worker.options(options);
    Ok(Build { program: worker.program, options })
}
