//! What a fuzz build needs beside Rust: cargo-fuzz, clang for SQLite, a C++ compiler for libFuzzer.
//!
//! Each is tried, not looked up: what counts is that it compiles with coverage and AddressSanitizer.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Oldest Rust that builds Tandem: `rust-version` in Cargo.toml.
const RUST_MINOR_MIN: u32 = 91;

/// Package managers: the program, what brings its lists up to date, what installs.
const MANAGERS: [(&str, &[&str], &[&str]); 5] = [
    ("apt-get", &["update"], &["install", "-y", "--no-install-recommends"]),
    ("dnf", &[], &["install", "-y"]),
    ("apk", &[], &["add"]),
    ("pacman", &[], &["-Sy", "--noconfirm"]),
    ("zypper", &[], &["--non-interactive", "install"]),
];

/// Sees that all is there; installs what is missing if it may.
///
/// # Errors
/// Names what is missing and the command that installs it.
pub(crate) fn prepare(project: &Path, toolchain: Option<&str>, may_install: bool) -> Result<()> {
    check_rust(project, toolchain)?;
    let cargo_fuzz = || succeeds(Command::new("cargo").args(["fuzz", "--version"]));
    if !cargo_fuzz() {
        let command = ["cargo", "install", "cargo-fuzz", "--locked"];
        install("cargo-fuzz", &[command.map(str::to_owned).to_vec()], may_install)?;
        if !cargo_fuzz() {
            bail!("cargo-fuzz was installed, but `cargo fuzz` does not run: is ~/.cargo/bin on PATH?");
        }
    }
    need_clang(project, may_install)?;
    let cxx = || compiles(project, "cxx", "c++", "#include <vector>\nstd::vector<int> x;\n");
    need("a C++ compiler", "libFuzzer", |manager| vec![cxx_package(manager)], cxx, may_install)
}

/// Sees that there is a clang that compiles with AddressSanitizer.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn need_clang(project: &Path, may_install: bool) -> Result<()> {
    let works = || compiles(project, "cc", "c", "int x;\n");
    need(
        "clang",
        "SQLite's coverage counters and sanitizers",
        |_| vec![newest_clang_package()],
        works,
        may_install,
    )
}

/// The platform that the toolchain runs on, for which cargo-fuzz builds.
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
        bail!("the toolchain does not run: {message}; `rustup toolchain list` says what there is");
    }
    Ok(text.into_owned())
}

/// Sees that Rust is new enough and has AddressSanitizer here.
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

/// Installs what does not work: the packages that a package manager has it in.
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
        bail!("install {what} by hand: no package manager was recognized");
    };
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut commands = Vec::new();
    if !update.is_empty() {
        commands.push([words(&[manager]), words(update)].concat());
    }
    // The lists come first: on a fresh machine they are what names the package.
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
            bail!("`{}` failed ({status}); install {what} by hand", command.join(" "));
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

/// The newest clang that apt offers; a distribution's plain `clang` may be years older. Elsewhere `clang`.
pub(crate) fn newest_clang_package() -> String {
    let list = Command::new("apt-cache").args(["search", "--names-only", r"^clang-[0-9]+$"]).output();
    let list = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let versions =
        list.lines().filter_map(|line| line.split(' ').next()?.strip_prefix("clang-")?.parse().ok());
    let newest: Option<u32> = versions.max();
    newest.map_or_else(|| "clang".to_owned(), |version| format!("clang-{version}"))
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

/// Compiles `source` as the fuzz build does, with that compiler.
///
/// # Errors
/// What the compiler says.
pub(crate) fn compiles(project: &Path, wrapper: &str, language: &str, source: &str) -> Result<(), String> {
    let mut command = compiler(project, wrapper);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .args(["-fsanitize=address", "-x", language, "-c", "-", "-o", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    // A compiler that does not start closes its input; its status says so.
    let _ = child.stdin.take().map(|mut input| input.write_all(source.as_bytes()));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
