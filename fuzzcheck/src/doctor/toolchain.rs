//! Rust, cargo-fuzz, clang, and the runtimes that its builds link.

use std::path::Path;
use std::process::Command;

use super::{Check, Place, first_line};
use crate::coverage::tools as coverage;
use crate::tools;

/// Rust, as old as it may be, on a platform that has AddressSanitizer.
pub(super) fn rust(place: &Place<'_>) -> Check {
    const NAME: &str = "rust";
    let checked = tools::check_rust(place.project, place.toolchain);
    let cargo =
        version(Command::new("cargo").args(place.toolchain.map(|name| format!("+{name}"))).arg("--version"));
    match (checked.and_then(|()| tools::rustc_version(place.project, place.toolchain)), cargo) {
        (Ok(rustc), Ok(cargo)) => Check::ok(NAME, format!("{}, {cargo}", first_line(&rustc))),
        (Ok(_), Err(error)) => Check::error(NAME, error, "install cargo: https://rustup.rs"),
        (Err(error), _) => Check::error(NAME, format!("{error:#}"), "rustup update"),
    }
}

pub(super) fn cargo_fuzz(place: &Place<'_>) -> Check {
    const NAME: &str = "cargo-fuzz";
    let mut command = Command::new("cargo");
    command.args(["fuzz", "--version"]).current_dir(place.project);
    match version(&mut command) {
        Ok(found) => Check::ok(NAME, found),
        // `fuzzcheck` builds and runs the targets without it.
        Err(error) => Check::warning(
            NAME,
            format!("{error}: only `cargo fuzz` itself needs it"),
            "cargo install cargo-fuzz --locked",
        ),
    }
}

/// What compiles SQLite with coverage counters.
pub(super) fn clang(place: &Place<'_>) -> Check {
    const NAME: &str = "clang";
    // `cargo fuzzcheck` sets it, as `.cargo/config.toml` says.
    let own = place.project.join(".cargo/cc");
    let is_replaced = std::env::var_os("CC").is_some_and(|compiler| Path::new(&compiler) != own);
    match tools::runs_with_address_sanitizer(place.project, place.toolchain) {
        Ok(()) if is_replaced => Check::warning(
            NAME,
            format!("{} replaces .cargo/cc, which adds the coverage counters", compiler(place.project)),
            "unset CC, or set it to clang with -fsanitize=fuzzer-no-link in CFLAGS",
        ),
        Ok(()) => Check::ok(
            NAME,
            format!("code compiled by {} runs with AddressSanitizer", compiler(place.project)),
        ),
        Err(message) => {
            let packages = tools::clang_packages("apt-get").join(" ");
            Check::error(NAME, first_line(&message), format!("install {packages}"))
        }
    }
}

/// What compiles libFuzzer.
pub(super) fn cxx(place: &Place<'_>) -> Check {
    const NAME: &str = "c++";
    match tools::runs_cxx(place.project) {
        Ok(()) => Check::ok(NAME, "compiles libFuzzer"),
        Err(message) => Check::error(NAME, first_line(&message), "install g++, or set CXX"),
    }
}

/// The runtimes of the version of clang, which the `ubsan` build links. That of AddressSanitizer comes with Rust.
pub(super) fn runtimes(place: &Place<'_>) -> Check {
    const NAME: &str = "sanitizer runtime";
    let clang = compiler(place.project);
    match ["undefined", "address"]
        .into_iter()
        .try_for_each(|sanitizer| tools::links(place.project, sanitizer))
    {
        Ok(()) => Check::ok(NAME, format!("those of {clang} link and run")),
        Err(message) => {
            let package = major(&clang)
                .map_or_else(|| "compiler-rt".to_owned(), |major| format!("libclang-rt-{major}-dev"));
            Check::warning(
                NAME,
                format!("the ubsan build cannot be built: {}", first_line(&message)),
                format!("install {package}, of the same version as clang"),
            )
        }
    }
}

/// What `fuzzcheck coverage` needs.
pub(super) fn coverage_tools(place: &Place<'_>) -> Check {
    const NAME: &str = "coverage tools";
    match coverage::find(place.project) {
        Ok(tools) => Check::ok(NAME, format!("{}, {}", tools.profdata.display(), tools.cov.display())),
        Err(message) => {
            let packages = coverage::packages("apt-get", major(&compiler(place.project)));
            Check::warning(
                NAME,
                format!("coverage cannot be measured: {}", first_line(&message)),
                format!("install {}", packages.join(" ")),
            )
        }
    }
}

/// The LLVM of Rust, whose runtime of AddressSanitizer the targets have.
pub(super) fn llvm_major(place: &Place<'_>) -> Option<u32> {
    let text = tools::rustc_version(place.project, place.toolchain).ok()?;
    tools::field(&text, "LLVM version: ").split('.').next()?.parse().ok()
}

/// The compiler of fuzz builds by name and version.
fn compiler(project: &Path) -> String {
    let version = tools::said(tools::compiler(project, "cc").arg("--version"));
    version.map_or_else(|_| "the compiler".to_owned(), |text| first_line(&text).to_owned())
}

/// `19` of `Debian clang version 19.1.7 (3)`.
fn major(version: &str) -> Option<u32> {
    version.split("version ").nth(1)?.split('.').next()?.parse().ok()
}

/// The first line that a program says of itself.
fn version(command: &mut Command) -> Result<String, String> {
    let first = |text: String| first_line(&text).to_owned();
    tools::said(command).map(first).map_err(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_compiler_is_read() {
        assert_eq!(major("Debian clang version 19.1.7 (3+b1)"), Some(19));
        assert_eq!(major("clang version 22.1.8"), Some(22));
        assert_eq!(major("the compiler"), None);
    }
}
