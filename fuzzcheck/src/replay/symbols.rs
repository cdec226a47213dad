//! Symbolizes stacks: functions, files and lines, as `llvm-symbolizer` does for a sanitizer, but within the parent.
//! It reads the debug information of a worker once, where a symbolizer would do so at each crash.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use addr2line::Loader;
use tandem::stack::{LINE_PREFIX, is_ignored};

/// Largest source file to read for the opcode at a line.
const SOURCE_BYTES_MAX: u64 = 64 << 20;
/// Lines before the one of the stack among which an opcode's `case` is looked for.
const OPCODE_LINES_MAX: usize = 1500;
/// What stands before the number of the signal of a stack of our own.
pub(crate) const SIGNAL_PREFIX: &str = "tandem: signal ";
/// Symbols that a linker sets behind what a program holds, nearest to an address that is in none of its functions.
const OF_THE_LINKER: [&str; 4] = ["_end", "_edata", "_etext", "__bss_start"];
/// The function that runs all opcodes; where in it something happened, its name does not say.
const INTERPRETER: &str = "sqlite3VdbeExec";

/// A symbolizer.
#[derive(Default)]
pub(crate) struct Symbolizer {
    /// By path; `None` for a file without symbols.
    programs: HashMap<PathBuf, Option<Loader>>,
    /// Lines of source files.
    sources: HashMap<PathBuf, Option<Vec<String>>>,
}

/// A function of a stack.
struct Frame {
    function: String,
    place: Option<(String, u32)>,
}

impl Frame {
    /// Whether it may be SQLite's: Rust's functions have names of all kinds, and files that tell.
    fn is_of_sqlite(&self) -> bool {
        let is_rust = self.place.as_ref().is_some_and(|(file, _)| file.ends_with(".rs"));
        !is_rust && !is_ignored(&self.function)
    }
}

impl Symbolizer {
    /// The one of this process: what it has read serves all.
    pub(crate) fn shared() -> MutexGuard<'static, Self> {
        static SHARED: LazyLock<Mutex<Symbolizer>> = LazyLock::new(Mutex::default);
        SHARED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text with its stacks in words: lines of a sanitizer that have an address alone, and lines of
    /// [`tandem::stack::report_signals`], which is in `program`.
    pub(crate) fn in_words(&mut self, text: &str, program: &Path) -> String {
        let mut out = String::with_capacity(text.len());
        let mut number = 0;
        for line in text.lines() {
            if let Some(addresses) = line.strip_prefix(LINE_PREFIX) {
                // Of its own program, all but the handler and the harness is worth reading.
                number = 0;
                let mut numbers = addresses.split_ascii_whitespace();
                if let Some(signal) = numbers.next().and_then(|signal| i32::from_str_radix(signal, 16).ok()) {
                    writeln!(out, "{SIGNAL_PREFIX}{signal}").expect("writing to a String does not fail");
                }
                for address in numbers {
                    if let Ok(address) = u64::from_str_radix(address, 16) {
                        // A call stands before where it returns to.
                        let address = address.saturating_sub(1);
                        self.write(&mut out, &mut number, address, program, Frame::is_of_sqlite);
                    }
                }
            } else if let Some((first, path, address)) = of_sanitizer(line) {
                if first {
                    number = 0;
                }
                if !self.write(&mut out, &mut number, address, Path::new(path), |_| true) {
                    out.push_str(line);
                    out.push('\n');
                    number += 1;
                }
            } else {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }

    /// Writes those frames of an address that are wanted, as sanitizers do; false if nothing is known of it.
    fn write(
        &mut self,
        out: &mut String,
        number: &mut usize,
        address: u64,
        program: &Path,
        is_wanted: impl Fn(&Frame) -> bool,
    ) -> bool {
        let frames = self.frames(address, program);
        for frame in frames.iter().filter(|frame| is_wanted(frame)) {
            let opcode = frame.place.as_ref().filter(|_| frame.function == INTERPRETER);
            let opcode = opcode.and_then(|(file, line)| self.opcode(Path::new(file), *line));
            let opcode = opcode.map(|name| format!(":{name}")).unwrap_or_default();
            let place = frame.place.as_ref().map(|(file, line)| format!(" {file}:{line}"));
            let (function, place) = (&frame.function, place.unwrap_or_default());
            writeln!(out, "    #{number} {address:#x} in {function}{opcode}{place}")
                .expect("writing to a String does not fail");
            *number += 1;
        }
        !frames.is_empty()
    }

    /// The functions at an address, inlined ones first.
    fn frames(&mut self, address: u64, program: &Path) -> Vec<Frame> {
        let loader =
            self.programs.entry(program.to_owned()).or_insert_with(|| Loader::new(program).ok()).as_ref();
        let Some(loader) = loader else {
            return Vec::new();
        };
        let probe = address.wrapping_add(loader.relative_address_base());
        let symbol = loader.find_symbol(probe).filter(|name| !OF_THE_LINKER.contains(name));
        let mut frames = Vec::new();
        let mut found = loader.find_frames(probe).ok();
        while let Some(Ok(Some(frame))) = found.as_mut().map(|found| found.next()) {
            let name = frame.function.as_ref().and_then(|name| name.demangle().ok());
            let Some(function) = name.map(std::borrow::Cow::into_owned).or(symbol.map(str::to_owned)) else {
                continue;
            };
            let place = frame.location.and_then(|at| Some((at.file?.to_owned(), at.line?)));
            frames.push(Frame { function, place });
        }
        if frames.is_empty() {
            frames.extend(symbol.map(|name| Frame { function: name.to_owned(), place: None }));
        }
        frames
    }

    /// The opcode to which a line of the interpreter belongs, without `OP_`.
    fn opcode(&mut self, source: &Path, line: u32) -> Option<String> {
        let read = || {
            fs::metadata(source).ok().filter(|file| file.len() <= SOURCE_BYTES_MAX)?;
            let text = fs::read(source).ok()?;
            Some(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
        };
        let lines = self.sources.entry(source.to_owned()).or_insert_with(read).as_ref()?;
        let end = (line as usize).min(lines.len());
        let before = lines[..end].iter().rev().take(OPCODE_LINES_MAX);
        let label = before.map(|line| line.trim_start()).find_map(|line| line.strip_prefix("case OP_"))?;
        Some(label.split(':').next()?.to_owned())
    }
}

/// Of a line `#0 0x55d2b0  (/path/program+0x1234)`: whether it is the first of a stack, the path and the address within.
fn of_sanitizer(line: &str) -> Option<(bool, &str, u64)> {
    let line = line.trim_start();
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    if rest.contains(" in ") {
        return None;
    }
    let (path, address) = rest.split_once(" (")?.1.split_once("+0x")?;
    let address = address.split(')').next()?;
    Some((number == "0", path, u64::from_str_radix(address, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_functions() {
        let program = std::env::current_exe().unwrap();
        // What this very program says of itself, as a handler would print it.
        let base = base();
        let here = addresses_become_functions as *const () as usize - base;
        let text = format!("before\n{LINE_PREFIX} b {:x}\nbehind", here + 1);
        // This is Rust, which is left out of a stack of our own.
        assert_eq!(Symbolizer::default().in_words(&text, &program), "before\ntandem: signal 11\nbehind\n");
        let asan = format!("    #0 0x7f  ({}+{here:#x})  (BuildId: 7)", program.display());
        assert!(Symbolizer::default().in_words(&asan, &program).contains("addresses_become_functions"));
        let unknown = "    #1 0x7f  (/nowhere/lib.so+0x12)  (BuildId: 7)\n";
        assert_eq!(Symbolizer::default().in_words(unknown, &program), unknown);
    }

    /// Where this program is in memory, from the system's list.
    fn base() -> usize {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        usize::from_str_radix(maps.split('-').next().unwrap(), 16).unwrap()
    }

    #[test]
    fn the_interpreter_is_told_apart_by_opcode() {
        let source = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            source.path(),
            "switch(op){\ncase OP_Goto: {\n  x();\n}\ncase OP_Column: {  /* y */\n  z();\n",
        )
        .unwrap();
        let mut symbolizer = Symbolizer::default();
        assert_eq!(symbolizer.opcode(source.path(), 3).as_deref(), Some("Goto"));
        assert_eq!(symbolizer.opcode(source.path(), 6).as_deref(), Some("Column"));
        assert_eq!(symbolizer.opcode(source.path(), 1), None);
        assert_eq!(symbolizer.opcode(Path::new("/nowhere"), 1), None);
    }
}
