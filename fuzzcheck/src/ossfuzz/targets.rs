//! The targets in a folder, compared with the expected ones.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What a target has in it, in whatever language it is.
const ENTRY: &[u8] = b"LLVMFuzzerTestOneInput";
/// Bytes that a build may have (OSS-Fuzz's limit is 10 GB).
const TOTAL_BYTES_MAX: u64 = 10_000_000_000;

/// A folder of targets, as it was found.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The targets, at any depth.
    pub targets: Vec<PathBuf>,
    /// Bytes of all files.
    pub bytes: u64,
}

/// What OSS-Fuzz's `targets_list` finds in a folder: executable files that are ELF programs or shell scripts, no shared
/// libraries, and that name libFuzzer's entry point.
pub(crate) fn found_in(folder: &Path) -> Result<Listing> {
    let mut listing = Listing { targets: Vec::new(), bytes: 0 };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in crate::files::in_folder(&folder)? {
            let kind = fs::symlink_metadata(&path).with_context(|| format!("{}", path.display()))?;
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            listing.bytes += kind.len();
            let is_program = kind.is_file() && kind.permissions().mode() & 0o111 != 0;
            if is_program && is_target(&path).with_context(|| format!("{}", path.display()))? {
                listing.targets.push(path);
            }
        }
    }
    listing.targets.sort();
    Ok(listing)
}

fn is_target(path: &Path) -> std::io::Result<bool> {
    if path.extension().is_some_and(|end| end == "so") {
        return Ok(false);
    }
    let content = fs::read(path)?;
    let is_program = content.starts_with(b"\x7fELF") || is_script(&content);
    Ok(is_program && content.windows(ENTRY.len()).any(|window| window == ENTRY))
}

fn is_script(content: &[u8]) -> bool {
    let first = content.split(|&byte| byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && first.ends_with(b"sh")
}

/// The `[[bin]]`s of fuzz/Cargo.toml: what `cargo fuzz list` prints.
pub(crate) fn of_project(project: &Path) -> Result<BTreeSet<String>> {
    let manifest = project.join("fuzz/Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("{}", manifest.display()))?;
    let name = |section: &str| {
        let line =
            section.lines().find_map(|line| line.strip_prefix("name")?.trim_start().strip_prefix('='))?;
        Some(line.trim().trim_matches('"').to_owned())
    };
    let names: BTreeSet<String> = text.split("[[bin]]").skip(1).filter_map(name).collect();
    if names.is_empty() {
        bail!("{}: there is no [[bin]] with a name", manifest.display());
    }
    Ok(names)
}

/// The set is the one of the project, each once, and directly in the folder, where alone coverage is looked for.
pub(crate) fn same_set(
    folder: &Path,
    found: &[PathBuf],
    wanted: &BTreeSet<String>,
) -> Result<String, String> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for path in found {
        let within = path.strip_prefix(folder).unwrap_or(path);
        let name = within.to_string_lossy().into_owned();
        if !wanted.contains(&name) {
            problems.push(format!(
                "{name} is not a [[bin]] of fuzz/Cargo.toml, and OSS-Fuzz would fuzz it: do not copy it"
            ));
        }
        names.insert(name);
    }
    let missing = wanted.difference(&names).map(|name| {
        format!("{name} is not there, not executable, or has no {}", String::from_utf8_lossy(ENTRY))
    });
    problems.extend(missing);
    if problems.is_empty() { Ok(format!("{} targets", found.len())) } else { Err(problems.join("; ")) }
}

/// OSS-Fuzz takes letters, digits, `_` and `-`.
pub(crate) fn name_is_fine(name: &str) -> Result<String, String> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(is_fine) {
        Ok("letters, digits, _ and - alone".to_owned())
    } else {
        Err(format!("`{name}`: OSS-Fuzz takes letters, digits, _ and - alone: rename the [[bin]]"))
    }
}

/// All files together are small enough.
pub(crate) fn size_is_fine(bytes: u64) -> Result<String, String> {
    let megabytes = bytes / 1_000_000;
    if bytes < TOTAL_BYTES_MAX {
        Ok(format!("{megabytes} MB"))
    } else {
        Err(format!("{megabytes} MB; OSS-Fuzz takes less than {} MB", TOTAL_BYTES_MAX / 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_dot_are_refused() {
        assert!(name_is_fine("db_sql-2").is_ok());
        for bad in ["", "db.sql", "db sql", "größe"] {
            assert!(name_is_fine(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ten_gigabytes_are_too_much() {
        assert!(size_is_fine(TOTAL_BYTES_MAX - 1).is_ok());
        assert!(size_is_fine(TOTAL_BYTES_MAX).is_err());
    }

    #[test]
    fn what_is_no_program_is_no_target() {
        let folder = tempfile::tempdir().unwrap();
        let script = "#!/bin/sh\n# LLVMFuzzerTestOneInput\n";
        let elf = b"\x7fELF LLVMFuzzerTestOneInput";
        for (name, content, mode) in [
            ("script", script.as_bytes(), 0o755),
            ("elf", elf, 0o755),
            ("not-executable", elf, 0o644),
            ("library.so", elf, 0o755),
            ("python", b"#!/usr/bin/python3\n# LLVMFuzzerTestOneInput\n", 0o755),
            ("symbolizer", b"\x7fELF", 0o755),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = found_in(folder.path()).unwrap();
        assert_eq!(found.targets, ["elf", "script"].map(|name| folder.path().join(name)));
        let wanted = ["elf", "gone"].map(str::to_owned).into();
        let error = same_set(folder.path(), &found.targets, &wanted).unwrap_err();
        assert!(error.contains("script is not a [[bin]]") && error.contains("gone is not there"), "{error}");
    }
}
