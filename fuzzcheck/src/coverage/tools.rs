//! What counting SQLite's branches needs: clang, the runtime of its counters, and llvm-profdata and llvm-cov of
//! the same version, for the files of another cannot be read.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::tools::{clang_packages, need, said};

/// The programs that read profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tools {
    /// llvm-profdata.
    pub profdata: PathBuf,
    /// llvm-cov.
    pub cov: PathBuf,
}

/// Checks that everything is there; installs what is missing if allowed.
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
    // The compiler of the build, which also links it.
    let mut command = Command::new(project.join(".cargo/cc"));
    said(command.env("TANDEM_BUILD", "coverage").args(arguments))
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.trim().parse().ok()
}

fn clang_major(project: &Path) -> Option<u32> {
    clang(project, &["-dumpversion"]).ok().as_deref().and_then(major)
}

/// The tools that belong to the compiler of the build, if it links a program that counts.
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
    let clang = match clang.filter(|_| manager == "apt-get") {
        Some(version) => vec![format!("clang-{version}"), format!("libclang-rt-{version}-dev")],
        None => clang_packages(manager),
    };
    let version = clang[0].strip_prefix("clang-").map(|version| format!("-{version}"));
    let llvm = format!("llvm{}", version.unwrap_or_default());
    clang.into_iter().chain([llvm]).collect()
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
