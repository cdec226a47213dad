//! What the system allows: disk, core files, limits, address space, memory, cores.
//!
//! Everything is read from `/proc`; what is missing there, as on other systems than Linux, is no error.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Check, Place, targets, toolchain};
use crate::base::WORKER_MEMORY_MIB;
use crate::base::text::size;

/// With less than this, building the targets (0.7 GiB) or workers (0.5 GiB per build) may fail, and so may other writes.
const DISK_BYTES_MIN: u64 = 2 << 30;
/// What all builds, with a coverage build and room for corpora, take.
const DISK_BYTES_ENOUGH: u64 = 8 << 30;
/// Stack in KiB for which SQLite's recursion limits are made: the default of Linux.
const STACK_KIB: u64 = 8 << 10;
/// Bits of random address above which runtimes of AddressSanitizer before [`LLVM_MAJOR_MIN`] may not find their place.
const RANDOM_BITS_MAX: u32 = 28;
/// The first LLVM whose AddressSanitizer keeps its allocator out of their way (google/sanitizers#1614).
const LLVM_MAJOR_MIN: u32 = 17;

/// A file of `/proc`, without blanks around it.
fn read(place: &Place<'_>, path: &str) -> Option<String> {
    fs::read_to_string(place.root.join("proc").join(path)).ok().map(|text| text.trim().to_owned())
}

fn unknown(name: &'static str) -> Check {
    Check::ok(name, "this system does not report it")
}

/// Room for builds and corpora.
pub(super) fn disk(place: &Place<'_>) -> Check {
    const NAME: &str = "disk";
    let places = [place.project.to_owned(), targets::target_folder(place.project)];
    // What is built first makes its folder: until then, the disk is that of the folder above.
    let there = places
        .map(|folder| folder.ancestors().find(|above| above.exists()).map_or(folder.clone(), Path::to_owned));
    let mut least: Option<(u64, PathBuf)> = None;
    for folder in there {
        match (place.free_bytes)(&folder) {
            Ok(free) if least.as_ref().is_some_and(|(known, _)| *known <= free) => {}
            Ok(free) => least = Some((free, folder)),
            Err(error) => {
                return Check::error(
                    NAME,
                    format!("{}: {error}", folder.display()),
                    "name the working copy with --project",
                );
            }
        }
    }
    let Some((free, folder)) = least else { return unknown(NAME) };
    let found = format!("{} are free in {}", size(free), folder.display());
    let fix = || {
        format!("free some, or set CARGO_TARGET_DIR to another disk: {} are enough", size(DISK_BYTES_ENOUGH))
    };
    match free {
        ..DISK_BYTES_MIN => Check::error(NAME, found, fix()),
        DISK_BYTES_MIN..DISK_BYTES_ENOUGH => Check::warning(NAME, found, fix()),
        _ => Check::ok(NAME, found),
    }
}

/// Whether crashes write core files or start a program.
pub(super) fn core_files(place: &Place<'_>) -> Check {
    const NAME: &str = "core files";
    let Some(pattern) = read(place, "sys/kernel/core_pattern") else { return unknown(NAME) };
    if let Some(handler) = pattern.strip_prefix('|') {
        // The kernel does not look at the limit where a program takes the core.
        return Check::warning(
            NAME,
            format!(
                "each crash is piped through {}, which is slow",
                handler.split(' ').next().unwrap_or_default()
            ),
            "echo core | sudo tee /proc/sys/kernel/core_pattern",
        );
    }
    match limit(place, "Max core file size") {
        Some(Limit::Bytes(0)) | None => Check::ok(NAME, "none are written"),
        Some(_) => Check::warning(
            NAME,
            format!("each crash of a worker may write one, named {pattern}"),
            "ulimit -c 0",
        ),
    }
}

/// A soft limit of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Bytes(u64),
    None,
}

/// As `/proc/self/limits` has it (`man 5 proc_pid_limits`).
fn limit(place: &Place<'_>, name: &str) -> Option<Limit> {
    let text = read(place, "self/limits")?;
    let soft = text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.to_owned();
    if soft == "unlimited" { Some(Limit::None) } else { soft.parse().ok().map(Limit::Bytes) }
}

/// AddressSanitizer's shadow takes terabytes of addresses, of which almost none is memory.
pub(super) fn address_space(place: &Place<'_>) -> Check {
    const NAME: &str = "address space";
    match limit(place, "Max address space") {
        None => unknown(NAME),
        Some(Limit::None) => Check::ok(NAME, "unlimited"),
        Some(Limit::Bytes(bytes)) => Check::error(
            NAME,
            format!("limited to {}: AddressSanitizer cannot map its shadow", size(bytes)),
            "ulimit -v unlimited",
        ),
    }
}

/// SQLite's depth limits assume the usual stack: on a smaller one, a deep statement crashes.
pub(super) fn stack(place: &Place<'_>) -> Check {
    const NAME: &str = "stack";
    match limit(place, "Max stack size") {
        None => unknown(NAME),
        Some(Limit::Bytes(bytes)) if bytes < STACK_KIB << 10 => Check::error(
            NAME,
            format!("{}: deep statements overflow it, which is not a bug of SQLite", size(bytes)),
            format!("ulimit -s {STACK_KIB}"),
        ),
        Some(Limit::Bytes(bytes)) => Check::ok(NAME, size(bytes)),
        Some(Limit::None) => Check::ok(NAME, "unlimited"),
    }
}

/// With strict accounting the shadow counts as memory.
pub(super) fn overcommit(place: &Place<'_>) -> Check {
    const NAME: &str = "overcommit";
    match read(place, "sys/vm/overcommit_memory").as_deref() {
        None => unknown(NAME),
        Some("2") => Check::error(
            NAME,
            "vm.overcommit_memory is 2: AddressSanitizer cannot map its shadow",
            "sudo sysctl vm.overcommit_memory=0",
        ),
        Some(mode) => Check::ok(NAME, format!("vm.overcommit_memory is {mode}")),
    }
}

/// How random addresses are.
pub(super) fn randomization(place: &Place<'_>) -> Check {
    const NAME: &str = "random addresses";
    let Some(bits) = read(place, "sys/vm/mmap_rnd_bits").and_then(|text| text.parse::<u32>().ok()) else {
        return unknown(NAME);
    };
    let found = format!("vm.mmap_rnd_bits is {bits}");
    let llvm = toolchain::llvm_major(place);
    if bits <= RANDOM_BITS_MAX || llvm.is_some_and(|major| major >= LLVM_MAJOR_MIN) {
        return Check::ok(NAME, found);
    }
    let version = llvm.map_or_else(|| "of an unknown LLVM".to_owned(), |major| format!("of LLVM {major}"));
    Check::error(
        NAME,
        format!("{found}: AddressSanitizer {version} does not always start"),
        format!("sudo sysctl vm.mmap_rnd_bits={RANDOM_BITS_MAX}, or a newer Rust"),
    )
}

/// Memory for a worker on each core.
pub(super) fn memory(place: &Place<'_>) -> Check {
    const NAME: &str = "memory";
    let Some(text) = read(place, "meminfo") else { return unknown(NAME) };
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
    };
    let (Some(total), Some(free)) = (field("MemTotal:"), field("MemAvailable:")) else {
        return unknown(NAME);
    };
    let found = format!("{} of {} are available", size(free), size(total));
    let worker = WORKER_MEMORY_MIB << 20;
    let jobs = place.cores as u64;
    let fix = format!("--jobs {}: a worker may take {}", (free / worker).clamp(1, jobs), size(worker));
    match free {
        free if free < worker => Check::error(NAME, found, format!("close other programs, or {fix}")),
        free if free < worker * jobs => Check::warning(NAME, format!("{found}, for {jobs} workers"), fix),
        _ => Check::ok(NAME, found),
    }
}

/// Cores that may be used.
pub(super) fn cores(place: &Place<'_>) -> Check {
    const NAME: &str = "cores";
    match place.cores {
        1 => Check::warning(NAME, "1: fuzzing and reruns share it", "a machine with more"),
        cores => Check::ok(NAME, cores.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::doctor::State;
    use crate::doctor::State::Warning;

    /// A machine without problems.
    const FILES: [(&str, &str); 5] = [
        ("sys/kernel/core_pattern", "core\n"),
        ("sys/vm/overcommit_memory", "0\n"),
        ("sys/vm/mmap_rnd_bits", "28\n"),
        ("meminfo", "MemTotal:       800000000 kB\nMemFree: 1 kB\nMemAvailable:   700000000 kB\n"),
        (
            "self/limits",
            "Limit                     Soft Limit           Hard Limit           Units\n\
             Max stack size            8388608              unlimited            bytes\n\
             Max core file size        0                    unlimited            bytes\n\
             Max address space         unlimited            unlimited            bytes\n",
        ),
    ];

    /// What `probe` says where `change` stands in place of a file or of free bytes.
    fn said(probe: fn(&Place<'_>) -> Check, change: (&str, &str), free: u64) -> Check {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in FILES.into_iter().chain([change]) {
            let path = root.path().join("proc").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (free, stop) = (move |_: &Path| Ok(free), AtomicBool::new(false));
        let place = Place {
            root: root.path(),
            project,
            toolchain: None,
            free_bytes: &free,
            cores: 2,
            plant: None,
            stop: &stop,
        };
        probe(&place)
    }

    #[test]
    fn every_probe_can_turn_red() {
        let limits = FILES[4].1;
        let smaller = limits.replace("8388608  ", "1048576  ");
        let bounded =
            limits.replace("Max address space         unlimited", "Max address space         4294967296");
        let dumps = limits.replace("Max core file size        0 ", "Max core file size        unlimited ");
        type Probe = fn(&Place<'_>) -> Check;
        let trials: [(Probe, (&str, &str), State, &str); 7] = [
            (
                core_files,
                ("sys/kernel/core_pattern", "|/usr/share/apport/apport %p\n"),
                Warning,
                "core_pattern",
            ),
            (core_files, ("self/limits", &dumps), Warning, "ulimit -c 0"),
            (address_space, ("self/limits", &bounded), State::Error, "ulimit -v unlimited"),
            (stack, ("self/limits", &smaller), State::Error, "ulimit -s 8192"),
            (overcommit, ("sys/vm/overcommit_memory", "2\n"), State::Error, "overcommit_memory=0"),
            (memory, ("meminfo", "MemTotal: 900000 kB\nMemAvailable: 800000 kB\n"), State::Error, "--jobs 1"),
            (memory, ("meminfo", "MemTotal: 9000000 kB\nMemAvailable: 1100000 kB\n"), Warning, "--jobs 1"),
        ];
        for (probe, change, state, fix) in trials {
            let before = said(probe, FILES[0], u64::MAX);
            assert_eq!((before.state, before.fix), (State::Ok, None));
            let check = said(probe, change, u64::MAX);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.fix.as_ref().unwrap().contains(fix), "{check:?}");
        }
    }

    #[test]
    fn little_disk_is_noticed() {
        assert_eq!(said(disk, FILES[0], DISK_BYTES_ENOUGH).state, State::Ok);
        assert_eq!(said(disk, FILES[0], DISK_BYTES_ENOUGH - 1).state, Warning);
        let check = said(disk, FILES[0], DISK_BYTES_MIN - 1);
        assert_eq!(
            (check.state, check.found.starts_with("2.0 GiB are free")),
            (State::Error, true),
            "{check:?}"
        );
    }

    #[test]
    fn random_addresses_are_too_many_for_an_old_runtime_only() {
        assert_eq!(said(randomization, FILES[0], 0).state, State::Ok);
        let check = said(randomization, ("sys/vm/mmap_rnd_bits", "32\n"), 0);
        assert_eq!(check.state, State::Ok, "the LLVM of Rust 1.91 is newer: {check:?}");
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/sys/vm")).unwrap();
        fs::write(root.path().join("proc/sys/vm/mmap_rnd_bits"), "32").unwrap();
        let (free, stop) = (|_: &Path| Ok(0), AtomicBool::new(false));
        // Without a toolchain nobody knows how old its runtime is.
        let toolchain = Some("no-such-toolchain");
        let place = Place {
            root: root.path(),
            project: root.path(),
            toolchain,
            free_bytes: &free,
            cores: 2,
            plant: None,
            stop: &stop,
        };
        assert_eq!(randomization(&place).state, State::Error);
    }

    #[test]
    fn what_a_system_does_not_tell_is_no_fault() {
        let root = tempfile::tempdir().unwrap();
        let (free, stop) = (|_: &Path| Ok(0), AtomicBool::new(false));
        let place = Place {
            root: root.path(),
            project: root.path(),
            toolchain: None,
            free_bytes: &free,
            cores: 2,
            plant: None,
            stop: &stop,
        };
        for probe in [core_files, address_space, stack, overcommit, randomization, memory] {
            let check = probe(&place);
            assert_eq!((check.state, check.found.as_str()), (State::Ok, "this system does not report it"));
        }
    }
}
