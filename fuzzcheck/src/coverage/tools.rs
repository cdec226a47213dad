//! What counting SQLite's branches needs: clang, the runtime of its counters, and llvm-profdata and llvm-cov of
//! the same version, for the files of another cannot be read.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::fuzzing::tools::{need, newest_clang_package};

/// The programs that read profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tools {
    /// llvm-profdata.
    pub profdata: PathBuf,
    /// llvm-cov.
    pub cov: PathBuf,
}

/// Sees that all is there; installs what is missing if it may.
///
/// # Errors
/// Names what is missing and the command that installs it.
pub(crate) fn prepare(project: &Path, may_install: bool) -> Result<Tools> {
    let what = "clang with its profile runtime, llvm-profdata and llvm-cov";
    let works = || find(project).map(|_| ());
    need(
        what,
        "the counts of SQLite's branches",
        |manager| packages(manager, clang_major(project)),
        works,
        may_install,
    )?;
    find(project).map_err(anyhow::Error::msg)
}

fn clang(project: &Path, arguments: &[&str]) -> Result<String, String> {
    // The compiler of the lane, which also links it.
    let mut command = Command::new(project.join(".cargo/cc"));
    said(command.env("TANDEM_LANE", "coverage").args(arguments))
}

/// What a program prints, without blanks around it; what it complains of where it fails.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.trim().parse().ok()
}

fn clang_major(project: &Path) -> Option<u32> {
    clang(project, &["-dumpversion"]).ok().as_deref().and_then(major)
}

/// The tools that belong to the compiler of the lane, if it links a program that counts.
///
/// # Errors
/// What is missing.
pub(crate) fn find(project: &Path) -> Result<Tools, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (source, program) = (folder.path().join("main.c"), folder.path().join("main"));
    std::fs::write(&source, "int main(void) { return 0; }\n").map_err(|error| error.to_string())?;
    let paths = [source, program].map(|path| path.to_string_lossy().into_owned());
    clang(project, &[&paths[0], "-o", &paths[1]])?;
    let version = clang_major(project);
    let tool = |name: &str| {
        let path = clang(project, &[&format!("--print-prog-name={name}")])?;
        let text = said(Command::new(&path).arg("--version"))?;
        let own = text.split_once("version ").and_then(|(_, rest)| major(rest));
        if own == version {
            Ok(PathBuf::from(path))
        } else {
            Err(format!("{path} has version {}, clang {}", in_words(own), in_words(version)))
        }
    };
    Ok(Tools { profdata: tool("llvm-profdata")?, cov: tool("llvm-cov")? })
}

fn in_words(version: Option<u32>) -> String {
    version.map_or_else(|| "unknown".to_owned(), |version| version.to_string())
}

/// The packages that bring what is missing, beside clang of the given version, where there is one.
pub(crate) fn packages(manager: &str, clang: Option<u32>) -> Vec<String> {
    let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    if manager != "apt-get" {
        return named(&["clang", "compiler-rt", "llvm"]);
    }
    let clang = clang.map_or_else(newest_clang_package, |version| format!("clang-{version}"));
    match clang.strip_prefix("clang-") {
        Some(version) => vec![clang.clone(), format!("libclang-rt-{version}-dev"), format!("llvm-{version}")],
        None => named(&["clang", "llvm"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_the_version_of_clang() {
        assert_eq!(packages("apt-get", Some(22)), ["clang-22", "libclang-rt-22-dev", "llvm-22"]);
        assert_eq!(packages("dnf", Some(22)), ["clang", "compiler-rt", "llvm"]);
        assert_eq!((major("22.1.8"), major("14"), major("x")), (Some(22), Some(14), None));
    }
}
