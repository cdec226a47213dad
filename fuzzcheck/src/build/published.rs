//! Amalgamations of published releases, from the crates that bundle them.
//!
//! Cargo fetches the crate, checks its digest against the registry's index, and keeps it; nothing of it is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::releases::Releases;

/// A release, the crate that bundles its `sqlite3.c`, that crate's version, and the folder inside.
pub(crate) struct Release {
    /// As `sqlite3_libversion()` says it.
    pub version: &'static str,
    name: &'static str,
    crate_version: &'static str,
    folder: &'static str,
}

const fn sys(version: &'static str, crate_version: &'static str) -> Release {
    Release { version, name: "libsqlite3-sys", crate_version, folder: "sqlite3" }
}

const fn src(version: &'static str, crate_version: &'static str) -> Release {
    Release { version, name: "sqlite3-src", crate_version, folder: "source" }
}

const fn hot(version: &'static str, crate_version: &'static str) -> Release {
    Release { version, name: "libsqlite3-hotbundle", crate_version, folder: "sqlite3" }
}

/// All releases in any version of these crates, oldest first, as of November 2026.
pub(crate) const RELEASES: [Release; 44] = [
    sys("3.26.0", "0.12.0"),
    sys("3.27.2", "0.14.0"),
    sys("3.28.0", "0.15.0"),
    sys("3.29.0", "0.16.0"),
    sys("3.30.1", "0.17.1"),
    sys("3.31.0", "0.17.3"),
    sys("3.31.1", "0.18.0"),
    src("3.32.2", "0.2.12"),
    sys("3.33.0", "0.20.1"),
    src("3.34.1", "0.3.0"),
    sys("3.35.4", "0.22.2"),
    sys("3.36.0", "0.23.1"),
    sys("3.37.0", "0.23.2"),
    sys("3.38.0", "0.24.1"),
    sys("3.38.2", "0.24.2"),
    sys("3.39.0", "0.25.0"),
    sys("3.39.2", "0.25.2"),
    sys("3.41.2", "0.26.0"),
    src("3.42.0", "0.5.1"),
    sys("3.44.0", "0.27.0"),
    sys("3.45.0", "0.28.0"),
    src("3.45.3", "0.6.1"),
    sys("3.46.0", "0.30.1"),
    hot("3.47.2", "1.470200.0"),
    sys("3.48.0", "0.31.0"),
    hot("3.49.0", "1.490000.0"),
    sys("3.49.1", "0.33.0"),
    sys("3.49.2", "0.34.0"),
    hot("3.50.0", "1.500000.0"),
    hot("3.50.1", "1.500100.0"),
    sys("3.50.2", "0.35.0"),
    hot("3.50.3", "1.500300.0"),
    hot("3.50.4", "1.500400.0"),
    hot("3.51.0", "1.510000.0"),
    sys("3.51.1", "0.36.0"),
    hot("3.51.2", "1.510200.0"),
    sys("3.51.3", "0.37.0"),
    hot("3.53.0", "1.530000.0"),
    sys("3.53.1", "0.38.0"),
    sys("3.53.2", "0.38.2"),
    hot("3.53.3", "1.530300.0"),
    hot("3.53.4", "1.530400.0"),
    sys("3.54.0", "0.39.0"),
    sys("3.54.1", "0.39.1"),
];

/// The folder with `sqlite3.c` and `sqlite3.h` of a release.
///
/// # Errors
/// No crate is known to bundle it, or Cargo cannot fetch that crate.
pub(crate) fn fetch(version: &str) -> Result<PathBuf> {
    if version == "help" {
        let known: Vec<String> =
            RELEASES.iter().map(|it| format!("{} ({} {})", it.version, it.name, it.crate_version)).collect();
        bail!("there are {}", known.join(", "));
    }
    let release = &RELEASES[Releases::published().position(version)?];
    let Release { name, crate_version, .. } = release;
    eprintln!("fuzzcheck: SQLite {version} is in the crate {name} {crate_version}");
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let manifest = folder.path().join("Cargo.toml");
    let text = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n\
         [workspace]\n[dependencies.{name}]\nversion = \"={crate_version}\"\ndefault-features = false\n"
    );
    fs::write(&manifest, text).with_context(|| format!("{}", manifest.display()))?;
    fs::write(folder.path().join("lib.rs"), "").context("writing a manifest")?;
    // `metadata` fetches what it reads, restricted to the dependencies of this platform.
    let mut command = Command::new("cargo");
    command.args(["metadata", "--format-version=1", "--quiet", "--manifest-path"]).arg(&manifest);
    let output =
        command.current_dir(folder.path()).stdin(Stdio::null()).output().context("cannot run cargo")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("cargo cannot fetch {name} {crate_version}: {}", message.trim());
    }
    let folder = folder_of(&output.stdout, name)?.join(release.folder);
    if !folder.join("sqlite3.c").is_file() {
        bail!("{} no longer contains sqlite3.c", folder.display());
    }
    Ok(folder)
}

/// Where the package of this name lies, in the words of `cargo metadata`.
fn folder_of(metadata: &[u8], name: &str) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    let metadata: Metadata = serde_json::from_slice(metadata).context("reading `cargo metadata`")?;
    let package = metadata.packages.into_iter().find(|package| package.name == name);
    let manifest = package.with_context(|| format!("cargo does not report {name}"))?.manifest_path;
    Ok(manifest.parent().unwrap_or(Path::new(".")).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_in_order_and_each_is_there_once() {
        let key = |release: &Release| -> Vec<u32> {
            release.version.split('.').map(|part| part.parse().unwrap()).collect()
        };
        assert!(RELEASES.windows(2).all(|pair| key(&pair[0]) < key(&pair[1])));
        let message = fetch("3.0.0").unwrap_err().to_string();
        assert!(message.contains("3.31.1") && message.contains("--sqlite DIR"), "{message}");
    }

    #[test]
    fn the_folder_of_a_package_is_that_of_its_manifest() {
        let text = br#"{"packages":[{"name":"a","manifest_path":"/x/a/Cargo.toml"},
            {"name":"sqlite3-src","manifest_path":"/x/src/Cargo.toml"}]}"#;
        assert_eq!(folder_of(text, "sqlite3-src").unwrap(), Path::new("/x/src"));
        assert!(folder_of(text, "b").is_err());
    }
}
