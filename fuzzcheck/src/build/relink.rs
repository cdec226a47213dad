//! Links another SQLite into a program that is already built.
//!
//! Builds of one kind differ only in `sqlite3.c` and its flags, not in the harness, whose Rust takes minutes.
//! So `.cargo/link-gcc` keeps what a program was linked from, and `.cargo/cc` how its SQLite was compiled. Here another
//! `sqlite3.c` is compiled in the same way and the program is linked once more, with its objects before all others: the
//! bundled SQLite is in an archive behind them, from which nothing is taken any more. What an older release lacks is in
//! `.cargo/absent.c`; were anything else missing, the linker would take the bundled SQLite after all and refuse what is
//! there twice. Linked so, a program is the same as if Cargo had built all of it: one static file with one set of
//! coverage counters.
//!
//! Outputs are rebuilt when their inputs have changed, judged by content.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::configuration::Configuration;
use crate::files;

/// What `.cargo/cc` writes beside sqlite3.o.
const EXTRA: &str = "libtandem_extra.a";

/// What a program was linked from.
pub(crate) struct Harness {
    /// The file with the arguments of the linker.
    arguments_path: PathBuf,
    /// The linker, then its arguments, without the program.
    arguments: Vec<String>,
    /// The folder in which SQLite was compiled, then the flags.
    compile: Vec<String>,
}

impl Harness {
    /// That of a program.
    ///
    /// # Errors
    /// It was not built by Cargo in the working copy, or with another C compiler than `.cargo/cc`.
    pub(crate) fn of(program: &Path) -> Result<Self> {
        let folder = kept_for(program);
        let lines = |name: &str| {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).with_context(|| {
                format!(
                    "{}: another SQLite is linked into a program that Cargo built inside the project, and {} was not, \
                     or with CC set to something else than .cargo/cc: run `cargo fuzzcheck` there, without CC",
                    path.display(),
                    program.display()
                )
            })?;
            anyhow::Ok(text.lines().map(str::to_owned).collect::<Vec<_>>())
        };
        let (arguments, compile) = (lines("arguments")?, lines("compile")?);
        if arguments.is_empty() || compile.is_empty() {
            bail!("{}: empty; build {} again", folder.display(), program.display());
        }
        Ok(Self { arguments_path: folder.join("arguments"), arguments, compile })
    }

    /// Where the `sqlite3.c` lies that is bundled.
    fn bundled(&self) -> PathBuf {
        Path::new(&self.compile[0]).join("sqlite3")
    }

    /// Makes the program `name` in `folder`, of this harness and the SQLite of `configuration`; does nothing if it is there.
    ///
    /// # Errors
    /// Compiler or linker failed, and have reported why on standard error; a folder that cannot be written.
    pub(crate) fn with(
        &self,
        configuration: &Configuration,
        project: &Path,
        folder: &Path,
        name: &str,
        is_fuzzed: bool,
    ) -> Result<PathBuf> {
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        let lock = File::create(folder.join(".lock")).with_context(|| format!("{}", folder.display()))?;
        // Another process may be making the same.
        lock.lock().with_context(|| format!("locking {}", folder.display()))?;
        let build = Build { harness: self, configuration, project, folder, is_fuzzed };
        let objects = build.compile()?;
        build.link(name, &objects)
    }
}

/// Where `.cargo/link-gcc` keeps what a program was linked from. It goes by the name of the crate, in which rustc has an
/// underscore for each hyphen.
fn kept_for(program: &Path) -> PathBuf {
    let name = program.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_");
    program.with_file_name(format!("{name}.link"))
}

/// One SQLite for one harness.
struct Build<'a> {
    harness: &'a Harness,
    configuration: &'a Configuration,
    project: &'a Path,
    folder: &'a Path,
    is_fuzzed: bool,
}

impl Build<'_> {
    /// Compiles SQLite and what is built in with it; a digest of what they were made of.
    fn compile(&self) -> Result<String> {
        let compiler = self.project.join(".cargo/cc");
        let key = self.key()?;
        let made_of = self.folder.join("sqlite3.key");
        if fs::read_to_string(&made_of).is_ok_and(|text| text == key) {
            return Ok(key);
        }
        eprintln!("fuzzcheck: compiling {} in {}", self.configuration, self.folder.display());
        let new = tempfile::tempdir_in(self.folder).with_context(|| format!("{}", self.folder.display()))?;
        let mut command = Command::new(&compiler);
        command.args(&self.harness.compile[1..]).args(self.configuration.compiler_flags());
        command.arg("-o").arg(new.path().join("sqlite3.o")).args(["-c", "sqlite3/sqlite3.c"]);
        self.configuration.set_environment(&mut command, false);
        match self.is_fuzzed {
            true => command.env("CARGO_CFG_FUZZING", ""),
            false => command.env_remove("CARGO_CFG_FUZZING"),
        };
        command.env("TANDEM_BUILD", self.configuration.build.built_as().name());
        command.env("CARGO_PKG_NAME", "libsqlite3-sys").env("OUT_DIR", new.path());
        command.current_dir(&self.harness.compile[0]);
        // What it prints is for Cargo.
        if !succeeds(&mut command, Stdio::null())? {
            bail!("sqlite3.c did not compile ({}): see above", self.configuration);
        }
        fs::remove_file(&made_of).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error).with_context(|| format!("{}", made_of.display())),
        })?;
        for name in ["sqlite3.o", EXTRA] {
            let (from, to) = (new.path().join(name), self.folder.join(name));
            if from.exists() {
                fs::rename(&from, &to).with_context(|| format!("{}", to.display()))?;
            } else if to.exists() {
                fs::remove_file(&to).with_context(|| format!("{}", to.display()))?;
            }
        }
        files::write(&made_of, key.as_bytes())?;
        Ok(key)
    }

    /// Links the program.
    fn link(&self, name: &str, objects: &str) -> Result<PathBuf> {
        let program = self.folder.join(name);
        let harness = &self.harness.arguments_path;
        // The archives may be other ones under the same names; then Cargo has linked again.
        let linked = fs::metadata(harness).with_context(|| format!("{}", harness.display()))?;
        let key = format!("{objects} {}.{} {}", linked.mtime(), linked.mtime_nsec(), harness.display());
        let made_of = self.folder.join(format!("{name}.key"));
        if program.exists() && fs::read_to_string(&made_of).is_ok_and(|text| text == key) {
            return Ok(program);
        }
        let new = self.folder.join(format!("{name}.new"));
        let (linker, arguments) = self.harness.arguments.split_first().context("there is a linker")?;
        let mut command = match self.configuration.build.is_linked_by_clang() {
            true => Command::new(self.project.join(".cargo/cc")),
            false => Command::new(linker),
        };
        if self.configuration.build.is_linked_by_clang() {
            // Clang's runtimes come behind the C library, of which a linker that reads archives once has then taken all
            // that it will.
            command.arg("-Wl,-u,atexit");
        }
        command
            .env("TANDEM_BUILD", self.configuration.build.built_as().name())
            .env_remove("CARGO_CFG_FUZZING");
        command.arg(self.folder.join("sqlite3.o"));
        let extra = self.folder.join(EXTRA);
        if extra.exists() {
            command.arg("-Wl,--whole-archive").arg(extra).arg("-Wl,--no-whole-archive");
        }
        command.args(arguments).arg("-o").arg(&new);
        if !succeeds(&mut command, Stdio::from(std::io::stderr()))? {
            bail!(
                "{name} did not link ({}): see above; a duplicate symbol means that this SQLite lacks another one",
                self.configuration
            );
        }
        fs::rename(&new, &program).with_context(|| format!("{}", program.display()))?;
        files::write(&made_of, key.as_bytes())?;
        Ok(program)
    }

    /// A digest of all that is compiled, and how.
    fn key(&self) -> Result<String> {
        let sqlite =
            self.configuration.sqlite.as_ref().map_or_else(|| self.harness.bundled(), |it| it.folder.clone());
        let own = ["cc", "absent.c", "extra.c"].map(|name| self.project.join(".cargo").join(name));
        let mut digest = Sha256::new();
        let words = [self.configuration.build.built_as().name().to_owned(), self.is_fuzzed.to_string()];
        let flags = self.configuration.compiler_flags().iter().cloned();
        for word in
            self.harness.compile.iter().cloned().chain(words).chain(flags).chain(self.configuration.init())
        {
            digest.update(word.len().to_le_bytes());
            digest.update(word);
        }
        let code = ["sqlite3.c", "sqlite3.h"].map(|name| sqlite.join(name));
        for path in code.iter().chain(&own).chain(self.configuration.extra_files()) {
            let content = fs::read(path).with_context(|| format!("{}", path.display()))?;
            digest.update(path.as_os_str().as_encoded_bytes());
            digest.update(Sha256::digest(content));
        }
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn succeeds(command: &mut Command, out: Stdio) -> Result<bool> {
    let name = command.get_program().to_owned();
    let status = command.stdin(Stdio::null()).stdout(out).status();
    Ok(status.with_context(|| format!("cannot run {}", OsStr::new(&name).display()))?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_was_linked_from_goes_by_the_name_of_its_crate() {
        assert_eq!(kept_for(Path::new("/a-b/key-value")), Path::new("/a-b/key_value.link"));
        assert_eq!(kept_for(Path::new("/a-b/db_sql")), Path::new("/a-b/db_sql.link"));
    }
}
