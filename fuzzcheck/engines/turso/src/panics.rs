//! How a panic of Turso is reported.
//!
//! A panic may leave anything behind, locks among it, so the worker ends with it. fuzzcheck then names the
//! difference after the file of the panic; that is too coarse for files of twenty thousand lines, so the line is
//! made part of the name. The version of Turso is fixed, and with it the line. Where the place is in Rust's own
//! library, an index out of bounds for example, the first one in Turso above it says more.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;

/// Exit code of a Rust program that panics.
const EXIT_PANIC: i32 = 101;

/// From here on a panic ends the process at once, without unwinding through Turso.
pub fn exit_on_panics() {
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{}", told(info));
        std::process::exit(EXIT_PANIC);
    }));
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let location = info.location().map(|at| (at.file(), at.line()));
    let place = match location {
        Some((file, line)) if !file.starts_with("/rustc/") => place(file, line),
        _ => in_turso(&Backtrace::force_capture().to_string()).unwrap_or_else(|| "-".to_owned()),
    };
    format!("tandem-turso panicked at {place}:\n{}", info.payload_as_str().unwrap_or("-"))
}

/// The innermost place in Turso that a backtrace names: a line `at FOLDER/turso_core-…/FILE:LINE:COLUMN`.
fn in_turso(backtrace: &str) -> Option<String> {
    let places = backtrace.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let at = places.into_iter().find(|at| at.contains("/turso_"))?;
    let mut parts = at.split(':');
    Some(place(parts.next()?, parts.next()?.parse().ok()?))
}

/// File and line without what differs between machines: where cargo keeps sources.
fn place(file: &str, line: u32) -> String {
    let file = file.rsplit_once("/registry/src/").map_or(file, |(_, inner)| inner);
    let parts: Vec<&str> = file.split('/').collect();
    let crate_at = parts.iter().position(|part| part.starts_with("turso_")).unwrap_or(0);
    format!("{}-{line}", parts[crate_at..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_on_every_machine() {
        let file = "/any/registry/src/index.crates.io-1949/turso_core-0.8.3/vdbe/execute.rs";
        assert_eq!(place(file, 7), "turso_core-0.8.3/vdbe/execute.rs-7");
        assert_eq!(place("src/lib.rs", 3), "src/lib.rs-3");
        let backtrace =
            format!("  3: core::slice\n   at /rustc/1/core/slice.rs:9:1\n  4: x\n   at {file}:12:5\n");
        assert_eq!(in_turso(&backtrace).as_deref(), Some("turso_core-0.8.3/vdbe/execute.rs-12"));
    }
}
