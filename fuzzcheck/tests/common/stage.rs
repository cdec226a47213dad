//! A working copy of its own, and a folder of programs that stand before all others: without clang and cargo-fuzz.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{command, file, folder};

/// See the module.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// `cargo` does what `script` says for `cargo fuzz run`.
    pub fn new(script: &str) -> Self {
        let folder = folder();
        let stage = Self { folder };
        fs::create_dir_all(stage.project().join("fuzz")).unwrap();
        fs::create_dir_all(stage.path("bin")).unwrap();
        file(&stage.project().join("fuzz"), "Cargo.toml", "");
        let known = "case \"$2\" in\n--version) exit 0;;\nbuild) exit ${BUILD:-0};;\nesac\n";
        stage.program("cargo", &format!("{known}{script}"));
        stage.program("true", "exit 0");
        stage
    }

    /// A path beside the working copy.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The working copy.
    pub fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// A program that stands before others of its name.
    pub fn program(&self, name: &str, script: &str) {
        let path = file(&self.path("bin"), name, format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command of the program in the working copy, with compilers that compile anything.
    pub fn command_on_project(&self, before: &str, words: &str) -> Command {
        let mut command = command();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("CC", "true").env("CXX", "true").env("STAGE", self.folder.path());
        command.args(before.split_whitespace()).arg("--project").arg(self.project());
        command.args(words.split_whitespace());
        command
    }
}
