//! What a target's ELF file says: machine, libraries, sanitizer calls.

use std::collections::BTreeSet;

use object::read::elf::{Dyn, ElfFile64, FileHeader, SectionHeader};
use object::{Architecture, Endianness, Object, ObjectSection, ObjectSymbol, SectionKind, elf};

use tandem::oracles::ORACLES;

use crate::ossfuzz::SanitizerArg;

/// What the image in which targets run brings: glibc, and what unwinds stacks.
const LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libpthread.so.0",
    "libgcc_s.so.1",
    "libresolv.so.2",
    "ld-linux-x86-64.so.2",
];

/// `bad_build_check` of OSS-Fuzz: the fewest calls of a build with AddressSanitizer.
const ASAN_CALLS_MIN: usize = 1000;
/// The most of a build without MemorySanitizer.
const MSAN_CALLS_MAX: usize = 3;
/// The most of a build without the undefined-behavior sanitizer; the runtime of AddressSanitizer has a few.
const UBSAN_CALLS_MAX: usize = 200;

/// Call instructions to the runtime of each sanitizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Calls {
    pub asan: usize,
    pub dfsan: usize,
    pub msan: usize,
    pub ubsan: usize,
}

/// What is read of a program.
#[derive(Debug)]
pub(crate) struct Program {
    /// Whether it is for x86-64.
    pub is_x86_64: bool,
    /// The shared libraries that it names.
    pub libraries: BTreeSet<String>,
    /// Calls of sanitizers.
    pub calls: Calls,
    /// Counters that llvm-cov reads.
    pub profile_counters: usize,
    /// Those of the compile options asked for that are not in it.
    missing_options: Vec<String>,
    /// The addresses of the functions in which each oracle panics.
    frames: Vec<(&'static str, Vec<u64>)>,
}

impl Program {
    /// Reads a program. `options` are those with which its SQLite is to be compiled, as `PRAGMA compile_options` has them.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(content: &[u8], options: &[String]) -> Result<Self, String> {
        if !content.starts_with(b"\x7fELF") {
            return Err("not an ELF program: OSS-Fuzz cannot tell its sanitizer".to_owned());
        }
        let file = ElfFile64::<Endianness>::parse(content)
            .map_err(|error| format!("a damaged ELF file: {error}"))?;
        let counters = file.section_by_name("__llvm_prf_cnts").map_or(0, |section| section.size());
        Ok(Self {
            is_x86_64: file.architecture() == Architecture::X86_64,
            libraries: libraries(&file).map_err(|error| format!("its libraries cannot be read: {error}"))?,
            calls: calls(&file),
            profile_counters: usize::try_from(counters / 8).unwrap_or(usize::MAX),
            missing_options: missing(&file, options),
            frames: frames(&file),
        })
    }

    /// Each oracle panics in a function of its own: ClusterFuzz takes crashes with the same frames for one, and the
    /// optimizer functions with the same body.
    pub(crate) fn has_frames(&self) -> Result<String, String> {
        let mut seen = BTreeSet::new();
        let (own, shared): (Vec<_>, Vec<_>) = self
            .frames
            .iter()
            .partition(|(_, addresses)| matches!(addresses[..], [address] if seen.insert(address)));
        if shared.is_empty() {
            return Ok(format!("{} oracles, each with its own", own.len()));
        }
        let names: Vec<&str> = shared.iter().map(|(name, _)| *name).collect();
        Err(format!("{} have no function of their own to panic in, or it is stripped", names.join(", ")))
    }

    /// It runs on x86-64.
    pub(crate) fn machine(&self) -> Result<String, String> {
        if self.is_x86_64 { Ok("x86-64".to_owned()) } else { Err("not an x86-64 program".to_owned()) }
    }

    /// All but glibc is linked statically.
    pub(crate) fn is_static(&self) -> Result<String, String> {
        let others: Vec<&str> =
            self.libraries.iter().map(String::as_str).filter(|name| !LIBRARIES.contains(name)).collect();
        if others.is_empty() {
            Ok(self.libraries.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        } else {
            Err(format!("needs {}, which are not where targets run: link them statically", others.join(", ")))
        }
    }

    /// Its SQLite is the one that is fuzzed elsewhere, too.
    pub(crate) fn has_options(&self) -> Result<String, String> {
        if self.missing_options.is_empty() {
            return Ok("as in this program".to_owned());
        }
        let missing = self.missing_options.join(", ");
        Err(format!(
            "SQLite is compiled without {missing}: LIBSQLITE3_FLAGS of .cargo/config.toml does not apply"
        ))
    }

    /// It was built with this sanitizer and no other.
    pub(crate) fn sanitizer(&self, sanitizer: SanitizerArg) -> Result<String, String> {
        let Calls { asan, dfsan, msan, ubsan } = self.calls;
        let seen = format!("calls: {asan} asan, {dfsan} dfsan, {msan} msan, {ubsan} ubsan");
        let is_asan = sanitizer == SanitizerArg::Address;
        let problem = if is_asan && asan < ASAN_CALLS_MIN {
            Some("it is not compiled with AddressSanitizer, or stripped")
        } else if !is_asan && asan > 0 {
            Some("it is compiled with AddressSanitizer")
        } else if dfsan > 0 {
            Some("it is compiled with DataFlowSanitizer")
        } else if msan > MSAN_CALLS_MAX {
            Some("it is compiled with MemorySanitizer")
        } else if ubsan > UBSAN_CALLS_MAX {
            Some("it is compiled with the undefined-behavior sanitizer")
        } else {
            None
        };
        match problem {
            None => Ok(seen),
            Some(problem) => Err(format!("{seen}: {problem}")),
        }
    }
}

fn libraries(file: &ElfFile64<'_, Endianness>) -> object::Result<BTreeSet<String>> {
    let (endian, data) = (file.endian(), file.data());
    let sections = file.elf_header().sections(endian, data)?;
    let mut names = BTreeSet::new();
    for section in sections.iter() {
        let Some((entries, strings)) = section.dynamic(endian, data)? else {
            continue;
        };
        let strings = sections.strings(endian, data, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
            names.insert(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
        }
    }
    Ok(names)
}

/// The options that SQLite's table of them does not have. What names the compiler is another matter.
fn missing(file: &ElfFile64<'_, Endianness>, options: &[String]) -> Vec<String> {
    let mut missing: BTreeSet<&str> =
        options.iter().map(String::as_str).filter(|option| !option.starts_with("COMPILER=")).collect();
    let strings = file.section_by_name(".rodata").and_then(|section| section.data().ok()).unwrap_or_default();
    for string in strings.split(|&byte| byte == 0).filter(|string| !string.is_empty()) {
        // The end of one: what lies before may have no zero behind it.
        missing.retain(|option| !string.ends_with(option.as_bytes()));
    }
    missing.into_iter().map(str::to_owned).collect()
}

/// Where each oracle panics, by the names of the functions as both of Rust's manglings have them.
fn frames(file: &ElfFile64<'_, Endianness>) -> Vec<(&'static str, Vec<u64>)> {
    let mut frames: Vec<_> = ORACLES.iter().map(|entry| (entry.name, Vec::new())).collect();
    let part = |name: &str| format!("7oracles5raise{}{name}7finding", name.len());
    let parts: Vec<String> = ORACLES.iter().map(|entry| part(entry.name)).collect();
    for symbol in file.symbols().filter(|symbol| symbol.is_definition()) {
        let name = symbol.name().unwrap_or_default();
        if let Some(found) = parts.iter().position(|part| name.contains(part)) {
            frames[found].1.push(symbol.address());
        }
    }
    frames
}

/// The sanitizer to whose runtime a function belongs, by its name; C++ names are as they are mangled.
fn count_of<'a>(calls: &'a mut Calls, name: &str) -> Option<&'a mut usize> {
    let of = |short: &str, mangled: &str| {
        let inner = name.strip_prefix("_ZNK").or_else(|| name.strip_prefix("_ZN"));
        name.starts_with(short) || inner.is_some_and(|inner| inner.starts_with(mangled))
    };
    if of("__asan", "6__asan") {
        Some(&mut calls.asan)
    } else if of("__dfsan", "7__dfsan") {
        Some(&mut calls.dfsan)
    } else if of("__msan", "6__msan") {
        Some(&mut calls.msan)
    } else if of("__ubsan", "7__ubsan") {
        Some(&mut calls.ubsan)
    } else {
        None
    }
}

/// Counts call instructions, as `objdump -d | grep` would, without a disassembler: byte 0xe8 and a distance that leads
/// to the first byte of such a function. That the bytes of something else do so by chance is not likely: in 20 MB of code
/// 80,000 bytes are 0xe8, of 2^32 distances some hundreds count.
fn calls(file: &ElfFile64<'_, Endianness>) -> Calls {
    let mut calls = Calls::default();
    let mut functions: Vec<(u64, &str)> = file
        .symbols()
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            count_of(&mut calls, name).map(|_| (symbol.address(), name))
        })
        .collect();
    functions.sort_unstable();
    functions.dedup_by_key(|(address, _)| *address);
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let Ok(code) = section.data() else {
            continue;
        };
        for (at, window) in code.windows(5).enumerate().filter(|(_, window)| window[0] == 0xe8) {
            let distance = i32::from_le_bytes(window[1..].try_into().expect("four bytes"));
            let next = section.address() + at as u64 + 5;
            let target = next.wrapping_add_signed(i64::from(distance));
            if let Ok(found) = functions.binary_search_by_key(&target, |(address, _)| *address)
                && let Some(count) = count_of(&mut calls, functions[found].1)
            {
                *count += 1;
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        Program {
            is_x86_64: true,
            libraries: ["libc.so.6".to_owned()].into(),
            calls: Calls { asan: 83_494, ubsan: 5, ..Calls::default() },
            profile_counters: 0,
            missing_options: Vec::new(),
            frames: vec![("close", vec![16]), ("memory", vec![32])],
        }
    }

    #[test]
    fn every_threshold_counts() {
        let check = |calls, sanitizer| Program { calls, ..program() }.sanitizer(sanitizer).is_ok();
        let asan =
            |asan, dfsan, msan, ubsan| check(Calls { asan, dfsan, msan, ubsan }, SanitizerArg::Address);
        assert!(asan(1000, 0, 3, 200));
        assert!(!asan(999, 0, 0, 0));
        assert!(!asan(1000, 1, 0, 0));
        assert!(!asan(1000, 0, 4, 0));
        assert!(!asan(1000, 0, 0, 201));
        for sanitizer in [SanitizerArg::None, SanitizerArg::Coverage] {
            assert!(check(Calls::default(), sanitizer));
            assert!(!check(Calls { asan: 1, ..Calls::default() }, sanitizer));
        }
    }

    #[test]
    fn oracles_that_share_a_function_or_have_none_are_named() {
        assert!(program().has_frames().is_ok());
        for (frames, names) in [
            (vec![("close", vec![16]), ("memory", vec![16])], "memory have"),
            (vec![("close", vec![]), ("memory", vec![])], "close, memory have"),
        ] {
            let error = Program { frames, ..program() }.has_frames().unwrap_err();
            assert!(error.starts_with(names), "{error}");
        }
    }

    #[test]
    fn this_very_program_is_read() {
        let content = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let options = tandem::engine::sqlite::compile_options();
        let this = Program::parse(&content, &options).unwrap();
        assert!(options.len() > 20 && this.has_options().is_ok(), "{:?}", this.has_options());
        // Written here, it would be found.
        let others = [format!("ENABLE_{}", 1_234_567)];
        let error = Program::parse(&content, &others).unwrap().has_options().unwrap_err();
        assert!(error.contains(&others[0]), "{error}");
        assert!(this.libraries.contains("libc.so.6"), "{:?}", this.libraries);
        assert_eq!(this.machine().is_ok(), cfg!(target_arch = "x86_64"));
        assert_eq!(this.calls, Calls::default());
        assert_eq!(this.frames.len(), ORACLES.len());
        assert!(Program::parse(&content[..4000], &[]).is_err());
        assert!(Program::parse(b"#!/bin/sh\n", &[]).unwrap_err().contains("not an ELF"));
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let libraries = ["libc.so.6", "libstdc++.so.6"].map(str::to_owned).into();
        let error = Program { libraries, ..program() }.is_static().unwrap_err();
        assert!(error.contains("libstdc++.so.6") && !error.contains("libc.so.6"), "{error}");
    }
}
