//! `fuzzcheck corpus seed`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use tandem::corpus::{self, Entry, Kind};
use tandem::engine::sqlite::Executor;
use tandem::targets::{self, TARGETS, Target};

use crate::base::project;
use crate::verbs::Verb;
use crate::{files, source, ui};

/// Write the hand-written seeds into the corpus databases; for a new target, also its binary and its line of the README.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of the corpus databases [default: corpus/]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// How the table of targets in the README begins.
const TABLE: &str = "| Target | Fuzzes |\n|---|---|\n";
/// How the source of a hand-written seed begins.
const SOURCE: &str = "seed: ";

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let folder = self.into.clone().unwrap_or_else(|| project().join("corpus"));
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        for target in targets::all() {
            let path = folder.join(format!("{}.db", target.name));
            let _lock = corpus::lock(&path).map_err(source::told)?;
            let mut corpus = source::load_or_new(&path)?;
            // Seeds that are written differently today go; all else stays.
            corpus.retain(|entry| entry.kind != Kind::Seed || !entry.source.starts_with(SOURCE));
            let executor = Executor::shared();
            let all = (target.seeds)();
            for seed in &all {
                let case = seed
                    .build(&executor)
                    .map_err(|error| anyhow!("{}: {}: {error}", target.name, seed.about))?;
                corpus.insert(Entry::new(target.name, Kind::Seed, &format!("{SOURCE}{}", seed.about), &case));
            }
            corpus.save(&path).map_err(source::told)?;
            let (file, cases) = (path.display(), corpus.len());
            ui::line(format_args!("{file}: {} seeds, {cases} cases in all", all.len()))?;
        }
        if self.into.is_none() {
            TARGETS.iter().try_for_each(|target| write_binary(target, &project().join("fuzz")))?;
            let path = project().join("README.md");
            let readme = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            let new =
                with_table(&readme).with_context(|| format!("{}: no table of targets", path.display()))?;
            if new != readme {
                files::write(&path, new.as_bytes())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The README with its table of targets as it should be; `None` if it has none.
fn with_table(readme: &str) -> Option<String> {
    let begin = readme.find(TABLE)? + TABLE.len();
    let end = begin + readme[begin..].find("\n\n")? + 1;
    let row = |target: &&Target| format!("| `{}` | {} |\n", target.name, target.about);
    let rows: String = TARGETS.iter().map(row).collect();
    Some([&readme[..begin], &rows, &readme[end..]].concat())
}

/// Writes the binary of a target and its section of the manifest, where they are missing.
fn write_binary(target: &Target, fuzz: &Path) -> Result<()> {
    let name = target.name;
    let stub = fuzz.join(format!("fuzz_targets/{name}.rs"));
    if !stub.exists() {
        let (about, constant) = (target.about, name.to_uppercase());
        let content = format!(
            "//! Target `{name}`: {about}.\n#![no_main]\ntandem::libfuzzer_target!(tandem::targets::{constant});\n"
        );
        files::write(&stub, content.as_bytes())?;
    }
    let path = fuzz.join("Cargo.toml");
    let mut manifest = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    if !manifest.contains(&format!("\nname = \"{name}\"\n")) {
        let flags = ["test", "doc", "bench"].map(|flag| format!("{flag} = false\n")).concat();
        manifest += &format!("\n[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n{flags}");
        files::write(&path, manifest.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_lists_the_targets() {
        let readme = fs::read_to_string(project().join("README.md")).unwrap();
        assert_eq!(with_table(&readme).unwrap(), readme, "run `cargo fuzzcheck corpus seed`");
        let stale = readme.replacen("| `sql` |", "| `gone` |", 1);
        assert_eq!(with_table(&stale).unwrap(), readme);
    }

    /// What is in `fuzz/` is what this makes.
    #[test]
    fn a_target_gets_the_binary_that_the_others_have() {
        let (folder, fuzz) = (tempfile::tempdir().unwrap(), project().join("fuzz"));
        let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
        let begin = manifest.find("\n[[bin]]").unwrap();
        fs::create_dir(folder.path().join("fuzz_targets")).unwrap();
        fs::write(folder.path().join("Cargo.toml"), &manifest[..begin]).unwrap();
        for _ in 0..2 {
            TARGETS.iter().for_each(|target| write_binary(target, folder.path()).unwrap());
            assert_eq!(fs::read_to_string(folder.path().join("Cargo.toml")).unwrap(), manifest);
        }
        for target in TARGETS {
            let stub = format!("fuzz_targets/{}.rs", target.name);
            let read = |root: &Path| fs::read_to_string(root.join(&stub)).unwrap();
            assert_eq!(read(folder.path()), read(&fuzz), "{stub}");
        }
    }
}
