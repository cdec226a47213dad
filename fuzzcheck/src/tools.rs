//! What a fuzz build needs beside Rust: clang for SQLite, a C++ compiler for libFuzzer.
//!
//! Each is tried, not just looked up, before anything is built: a small program is compiled, linked and run in the way in
//! which the build will do it, the sanitizer's runtime included.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Oldest Rust that builds Tandem: `rust-version` in Cargo.toml.
const RUST_MINOR_MIN: u32 = 91;

/// Package managers: the program, how to update its lists, how to install. Not that of Alpine: Rust has no
/// AddressSanitizer for its C library.
const MANAGERS: [(&str, &[&str], &[&str]); 4] = [
    ("apt-get", &["update"], &["install", "-y", "--no-install-recommends"]),
    ("dnf", &[], &["install", "-y"]),
    ("pacman", &[], &["-Sy", "--noconfirm"]),
    ("zypper", &[], &["--non-interactive", "install"]),
];

/// Checks that everything is there; installs what is missing if allowed.
///
/// # Errors
/// Names what is missing and the command that installs it.
pub(crate) fn prepare(project: &Path, toolchain: Option<&str>, may_install: bool) -> Result<()> {
    check_rust(project, toolchain)?;
    need_clang(project, toolchain, may_install)?;
    let cxx = || runs_cxx(project);
    need("a C++ compiler", "libFuzzer", |manager| vec![cxx_package(manager)], cxx, may_install)
}

/// Checks for a clang whose code runs with Rust's AddressSanitizer.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn need_clang(project: &Path, toolchain: Option<&str>, may_install: bool) -> Result<()> {
    let works = || runs_with_address_sanitizer(project, toolchain);
    need("clang", "SQLite's coverage counters and sanitizers", clang_packages, works, may_install)
}

/// Checks for a clang that links the runtime of its undefined-behavior sanitizer.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn need_clang_runtimes(project: &Path, may_install: bool) -> Result<()> {
    let works = || links(project, "undefined");
    need("clang with its runtimes", "the undefined-behavior sanitizer", clang_packages, works, may_install)
}

/// The platform that the toolchain runs on, for which targets are built.
///
/// # Errors
/// There is no such toolchain.
pub(crate) fn host(project: &Path, toolchain: Option<&str>) -> Result<String> {
    let text = rustc_version(project, toolchain)?;
    Ok(field(&text, "host: ").to_owned())
}

/// The rest of the line of a text that begins with `name`.
pub(crate) fn field<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default()
}

/// What `rustc -vV` prints.
pub(crate) fn rustc_version(project: &Path, toolchain: Option<&str>) -> Result<String> {
    let mut command = Command::new("rustc");
    command.args(toolchain.map(|name| format!("+{name}"))).arg("-vV").current_dir(project);
    let output = command.output().context("rustc is not on PATH: install Rust from https://rustup.rs")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
        bail!("the toolchain does not run: {message}; see `rustup toolchain list`");
    }
    Ok(text.into_owned())
}

/// Checks that Rust is new enough and has AddressSanitizer here.
///
/// # Errors
/// It is not, or there is no such toolchain.
pub(crate) fn check_rust(project: &Path, toolchain: Option<&str>) -> Result<()> {
    let text = rustc_version(project, toolchain)?;
    let field = |name: &str| field(&text, name);
    let minor: u32 = field("release: 1.").split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    if minor < RUST_MINOR_MIN {
        bail!("Rust {} is too old: Tandem needs 1.{RUST_MINOR_MIN}; run `rustup update`", field("release: "));
    }
    let host = field("host: ");
    let has_sanitizer = ["-linux-gnu", "-apple-darwin"].iter().any(|system| host.ends_with(system))
        && ["x86_64-", "aarch64-"].iter().any(|machine| host.starts_with(machine));
    if !has_sanitizer {
        bail!("Rust has no AddressSanitizer for {host}: fuzz on Linux with glibc, on x86_64 or aarch64");
    }
    Ok(())
}

/// Installs the packages of what does not work.
///
/// # Errors
/// Names what is missing and the command that installs it.
pub(crate) fn need(
    what: &str,
    why: &str,
    packages: impl Fn(&str) -> Vec<String>,
    works: impl Fn() -> Result<(), String>,
    may_install: bool,
) -> Result<()> {
    let Err(message) = works() else {
        return Ok(());
    };
    eprintln!("fuzzcheck: {what} is missing, which {why} need: {}", message.trim());
    let Some((manager, update, add)) = manager() else {
        bail!("install {what} manually: no known package manager was found");
    };
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut commands = Vec::new();
    if !update.is_empty() {
        commands.push([words(&[manager]), words(update)].concat());
    }
    // The lists come first: without them, a fresh machine knows no packages.
    let is_root = rustix::process::geteuid().is_root();
    if may_install && is_root && !commands.is_empty() {
        install(what, &commands, true)?;
        commands.clear();
    }
    commands.push([words(&[manager]), words(add), packages(manager)].concat());
    install(what, &commands, may_install && is_root)?;
    works().map_err(|message| anyhow::anyhow!("{what} was installed and does not work: {}", message.trim()))
}

fn install(what: &str, commands: &[Vec<String>], may_install: bool) -> Result<()> {
    if !may_install {
        let lines: Vec<String> = commands.iter().map(|command| command.join(" ")).collect();
        bail!("{what} is missing; install it with: {}", lines.join(" && "));
    }
    for command in commands {
        eprintln!("fuzzcheck: {what} is missing; running: {}", command.join(" "));
        let status = Command::new(&command[0])
            .args(&command[1..])
            .stdout(std::io::stderr())
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot run `{}`", command.join(" ")))?;
        if !status.success() {
            bail!("`{}` failed ({status}); install {what} manually", command.join(" "));
        }
    }
    Ok(())
}

fn manager() -> Option<(&'static str, &'static [&'static str], &'static [&'static str])> {
    MANAGERS.into_iter().find(|(program, ..)| succeeds(Command::new(program).arg("--version")))
}

fn cxx_package(manager: &str) -> String {
    let name = match manager {
        "dnf" | "zypper" => "gcc-c++",
        "pacman" => "gcc",
        _ => "g++",
    };
    name.to_owned()
}

/// The packages of clang and of the runtimes of its sanitizers, which few managers install with it: Fedora and Arch
/// call them compiler-rt, openSUSE has them in clang itself.
pub(crate) fn clang_packages(manager: &str) -> Vec<String> {
    let names: &[&str] = match manager {
        "apt-get" => return apt_clang(),
        "zypper" => &["clang"],
        _ => &["clang", "compiler-rt"],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The newest clang that apt offers with its runtimes; a distribution's plain `clang` may be years older.
fn apt_clang() -> Vec<String> {
    let versions = |begin: &str, end: &str| -> BTreeSet<u32> {
        let pattern = format!("^{begin}[0-9]+{end}$");
        let list = Command::new("apt-cache").args(["search", "--names-only", &pattern]).output();
        let list =
            list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let names = list.lines().filter_map(|line| line.split(' ').next());
        names.filter_map(|name| name.strip_prefix(begin)?.strip_suffix(end)?.parse().ok()).collect()
    };
    let both = &versions("clang-", "") & &versions("libclang-rt-", "-dev");
    match both.last() {
        Some(version) => vec![format!("clang-{version}"), format!("libclang-rt-{version}-dev")],
        None => vec!["clang".to_owned()],
    }
}

fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The compiler of the fuzz build: that of the environment or ours in `.cargo/`.
pub(crate) fn compiler(project: &Path, wrapper: &str) -> Command {
    let chosen = std::env::var_os(if wrapper == "cc" { "CC" } else { "CXX" });
    let mut command =
        Command::new(chosen.map_or_else(|| project.join(".cargo").join(wrapper), PathBuf::from));
    command.env("CARGO_CFG_FUZZING", "");
    command
}

/// Whether C that the compiler of the fuzz build compiles runs in a Rust program with AddressSanitizer.
///
/// # Errors
/// What compiler, linker or program say.
pub(crate) fn runs_with_address_sanitizer(project: &Path, toolchain: Option<&str>) -> Result<(), String> {
    const C: &str = "int probe(const int *value) { return *value; }\n";
    const RUST: &str = "unsafe extern \"C\" { fn probe(value: *const i32) -> i32; }\n\
                        fn main() { std::process::exit(unsafe { probe(&0) }) }\n";
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| fs::write(path(name), text).map_err(|error| error.to_string());
    write("probe.c", C)?;
    write("main.rs", RUST)?;
    let mut compile = compiler(project, "cc");
    said(compile.args(["-fsanitize=address", "-c"]).arg(path("probe.c")).arg("-o").arg(path("probe.o")))?;
    let mut link = Command::new("rustc");
    link.args(toolchain.map(|name| format!("+{name}")))
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(folder.path());
    link.args(["--edition=2024", "-Zsanitizer=address", "-Clink-arg=probe.o", "main.rs", "-o", "main"]);
    said(&mut link)?;
    said(Command::new(path("main")).env("ASAN_OPTIONS", "detect_leaks=0")).map(|_| ())
}

/// Whether clang links a program with a sanitizer of its own, and that runs.
///
/// # Errors
/// As [`runs_with_address_sanitizer`].
pub(crate) fn links(project: &Path, sanitizer: &str) -> Result<(), String> {
    let mut command = compiler(project, "cc");
    // Without libFuzzer, which would bring a main() of its own.
    command
        .arg(format!("-fsanitize={sanitizer}"))
        .env("TANDEM_BUILD", "asan")
        .env_remove("CARGO_CFG_FUZZING");
    runs(command, "main.c", "int main(void) { return 0; }\n")
}

/// Whether a C++ program is compiled, linked and runs.
///
/// # Errors
/// As [`runs_with_address_sanitizer`].
pub(crate) fn runs_cxx(project: &Path) -> Result<(), String> {
    let source =
        "#include <vector>\nint main(int count, char **) { return std::vector<int>(count, 0)[0]; }\n";
    runs(compiler(project, "cxx"), "main.cc", source)
}

/// Compiles and links a source file with a compiler, and runs the program.
fn runs(mut compiler: Command, name: &str, source: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (path, program) = (folder.path().join(name), folder.path().join("main"));
    fs::write(&path, source).map_err(|error| error.to_string())?;
    said(compiler.arg(&path).arg("-o").arg(&program))?;
    said(Command::new(&program).env("ASAN_OPTIONS", "detect_leaks=0")).map(|_| ())
}

/// What a program prints.
///
/// # Errors
/// What it complains of where it fails.
pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match (output.status.success(), text(&output.stderr)) {
        (true, _) => Ok(text(&output.stdout)),
        (false, message) if message.is_empty() => Err(format!("{name}: {}", output.status)),
        (false, message) => Err(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_run_is_told_with_its_words() {
        let shell = |script: &str| said(Command::new("sh").args(["-c", script]));
        assert_eq!(shell("echo ' yes '"), Ok("yes".to_owned()));
        assert_eq!(shell("echo no >&2; exit 3"), Err("no".to_owned()));
        assert!(shell("exit 3").unwrap_err().contains("exit status: 3"));
        assert!(said(&mut Command::new("/nonexistent")).unwrap_err().contains("/nonexistent"));
    }
}
