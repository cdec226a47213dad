//! Modules use each other one way, as the map in `lib.rs` has it: what stands further down uses what stands above it.
//!
//! What is read is the code, without comments and strings: every path that begins with `crate::`, or with as many `super::`
//! as lead to the root, in a `use` or anywhere else.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{file, folder, project};

/// A use of a module by one that the map has above it, or that is not in the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// The file, from the root of the crate's sources.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// The module that the file belongs to.
    pub from: String,
    /// The module that it uses.
    pub to: String,
    /// Whether it is a test that does: a `#[cfg(test)] mod`, here or in a file of its own.
    pub is_in_test: bool,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let test = if self.is_in_test { " (in a test)" } else { "" };
        write!(f, "{}:{}: {} -> {}{test}", self.file.display(), self.line, self.from, self.to)
    }
}

/// The modules of the map in the documentation of a `lib.rs`: the first cells of its table, in their order.
fn map(lib: &str) -> Vec<String> {
    let docs = lib.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let rows = docs.skip_while(|line| *line != "# Map").skip(1).take_while(|line| !line.starts_with('#'));
    let cells = rows.filter_map(|row| row.strip_prefix('|')?.split('|').next());
    let names =
        cells.filter_map(|cell| cell.trim().trim_matches(['[', ']']).strip_prefix('`')?.strip_suffix('`'));
    names.map(str::to_owned).collect()
}

/// The arrows of a crate that run against its map, and the modules that are not in it; `root` is its `src`.
pub fn arrows(root: &Path) -> Vec<Arrow> {
    let lib = fs::read_to_string(root.join("lib.rs")).expect("a library");
    let map = map(&lib);
    assert!(map.len() > 1, "no map in {}", root.display());
    let place = |name: &str| map.iter().position(|own| own == name);
    let code = code(&lib);
    let mut found = Vec::new();
    // What the root hands on, by its name there.
    let mut handed_on = BTreeMap::new();
    for (line, path) in uses(&code, &[]) {
        if let [module, .., name] = &path[..] {
            handed_on.insert(name.clone(), module.clone());
        } else if let [name] = &path[..]
            && place(name).is_none()
        {
            let (from, to) = ("the map".to_owned(), name.clone());
            found.push(Arrow { file: "lib.rs".into(), line, from, to, is_in_test: false });
        }
    }
    let sources: Vec<(PathBuf, Vec<String>, Vec<Line>)> = files(root)
        .into_iter()
        .map(|(path, module)| {
            let source = fs::read_to_string(root.join(&path)).expect("a source");
            (path, module, self::code(&source))
        })
        .collect();
    let tests: Vec<Vec<String>> =
        sources.iter().flat_map(|(_, module, code)| tests_in(code, module)).collect();
    for (path, module, code) in &sources {
        let from = &module[0];
        let is_test_file = path.to_string_lossy().ends_with("_tests.rs")
            || tests.iter().any(|test| module.starts_with(test));
        for (line, used) in uses(code, module) {
            let to = handed_on.get(&used[0]).unwrap_or(&used[0]);
            let is_right =
                to == from || place(to).is_some_and(|to| place(from).is_some_and(|from| to < from));
            // A macro of the crate is used where it is defined above, or nothing is compiled.
            if is_right || (used.len() == 1 && code[line - 1].text.contains(&format!("{to}!"))) {
                continue;
            }
            let is_in_test = is_test_file || code[line - 1].is_test;
            found.push(Arrow { file: path.clone(), line, from: from.clone(), to: to.clone(), is_in_test });
        }
    }
    found.dedup();
    found
}

/// The modules that a file declares as tests, in files of their own.
fn tests_in(code: &[Line], module: &[String]) -> Vec<Vec<String>> {
    let names = code.iter().filter(|line| line.is_test).filter_map(|line| {
        let name = line.text.trim().strip_suffix(';')?.rsplit_once("mod ")?.1;
        Some(name.to_owned())
    });
    names.map(|name| module.iter().cloned().chain([name]).collect()).collect()
}

/// The files of a crate, each with its module; not the root, which may use all.
fn files(root: &Path) -> Vec<(PathBuf, Vec<String>)> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let inner = path.strip_prefix(root).expect("it is below").to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let names = inner.with_extension("");
                let mut module: Vec<String> =
                    names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
                module.pop_if(|name| name == "mod");
                // `#[path = "x_tests.rs"] mod tests` in `x.rs`.
                if let Some(tested) = module.last().and_then(|name| name.strip_suffix("_tests")) {
                    *module.last_mut().expect("it has a name") = tested.to_owned();
                    module.push("tests".to_owned());
                }
                if !["lib", "main"].contains(&module[0].as_str()) {
                    files.push((inner, module));
                }
            }
        }
    }
    files.sort();
    files
}

/// A line of code.
struct Line {
    text: String,
    /// How many modules are open around its beginning, in this file.
    depth: usize,
    /// Whether one of them is a test.
    is_test: bool,
}

/// Lines without comments and what is in quotes.
fn code(source: &str) -> Vec<Line> {
    let plain = without_comments_and_strings(source);
    let mut lines = Vec::new();
    // Braces that are open, and which of them are of modules.
    let (mut braces, mut modules, mut is_next_test) = (0_usize, Vec::<(usize, bool)>::new(), false);
    for text in plain.lines() {
        let trimmed = text.trim();
        lines.push(Line {
            text: text.to_owned(),
            depth: modules.len(),
            is_test: is_next_test || modules.iter().any(|(_, is_test)| *is_test),
        });
        is_next_test |= trimmed.starts_with("#[cfg(") && trimmed.contains("test");
        let opens_module = trimmed.ends_with('{')
            && trimmed.split('{').next().is_some_and(|head| {
                let words: Vec<&str> = head.split_whitespace().collect();
                matches!(&words[..], [.., "mod", _])
            });
        if opens_module {
            modules.push((braces, is_next_test));
        }
        if !trimmed.is_empty() && !trimmed.starts_with("#[") {
            is_next_test = false;
        }
        for letter in text.chars() {
            match letter {
                '{' => braces += 1,
                '}' => {
                    braces = braces.saturating_sub(1);
                    modules.pop_if(|(open, _)| *open == braces);
                }
                _ => {}
            }
        }
    }
    lines
}

/// The source with blanks in the place of comments and of what is in quotes, line by line.
fn without_comments_and_strings(source: &str) -> String {
    let letters: Vec<char> = source.chars().collect();
    let is_at =
        |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| letters.get(at + i) == Some(&c));
    let end_of =
        |from: usize, text: &str| (from..letters.len()).find(|&at| is_at(at, text)).map(|at| at + text.len());
    let (mut plain, mut at) = (String::new(), 0);
    while at < letters.len() {
        let is_in_word = at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_');
        let hashes = letters[at + 1..].iter().take_while(|letter| **letter == '#').count();
        let end = if is_at(at, "//") {
            (at..letters.len()).find(|&at| letters[at] == '\n')
        } else if is_at(at, "/*") {
            end_of(at + 2, "*/")
        } else if letters[at] == 'r' && !is_in_word && letters.get(at + 1 + hashes) == Some(&'"') {
            end_of(at + 2 + hashes, &format!("\"{}", "#".repeat(hashes)))
        } else if letters[at] == '"' {
            let mut end = at + 1;
            while end < letters.len() && letters[end] != '"' {
                end += if letters[end] == '\\' { 2 } else { 1 };
            }
            Some(end + 1)
        } else if letters[at] == '\'' && letters.get(at + 1) == Some(&'\\') {
            end_of(at + 3, "'")
        } else if letters[at] == '\'' && letters.get(at + 2) == Some(&'\'') {
            Some(at + 3)
        } else {
            plain.push(letters[at]);
            at += 1;
            continue;
        };
        let end = end.unwrap_or(letters.len()).min(letters.len());
        plain.extend(letters[at..end].iter().map(|letter| if *letter == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    plain
}

/// The paths from the root that a file uses, each with its line; in the root itself, what it hands on and declares.
fn uses(code: &[Line], module: &[String]) -> Vec<(usize, Vec<String>)> {
    let all: Vec<(usize, String)> =
        code.iter().enumerate().flat_map(|(i, line)| tokens(&line.text, i + 1)).collect();
    let is = |at: usize, text: &str| all.get(at).is_some_and(|(_, token)| token == text);
    let mut found = Vec::new();
    for at in 0..all.len() {
        if at > 0 && is(at - 1, "::") {
            continue;
        }
        let line = all[at].0;
        let start = if is(at, "crate") && is(at + 1, "::") {
            Some(at + 2)
        } else if is(at, "super") {
            let mut end = at;
            while is(end, "super") && is(end + 1, "::") {
                end += 2;
            }
            ((end - at) / 2 == module.len() + code[line - 1].depth).then_some(end)
        } else if module.is_empty() && (is(at, "use") || is(at, "mod")) {
            Some(at + 1)
        } else {
            None
        };
        if let Some(start) = start {
            paths(&all, start, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// The paths that begin at a token, with those in braces; where the next token is.
fn paths(
    all: &[(usize, String)],
    mut at: usize,
    before: &mut Vec<String>,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let own = before.len();
    while let Some((line, token)) = all.get(at) {
        at += 1;
        if token == "{" {
            while all.get(at).is_some_and(|(_, token)| token != "}") {
                at = paths(all, at, before, found);
                at += usize::from(all.get(at).is_some_and(|(_, token)| token == ","));
            }
            at += 1;
            break;
        }
        before.push(token.clone());
        if all.get(at).is_some_and(|(_, token)| token == "::") {
            at += 1;
            continue;
        }
        if all.get(at).is_some_and(|(_, token)| token == "as") {
            *before.last_mut().expect("one was put there") =
                all.get(at + 1).map_or_else(String::new, |(_, name)| name.clone());
            at += 2;
        }
        found.push((*line, before.clone()));
        break;
    }
    before.truncate(own);
    at
}

/// Words, `::`, and every other sign by itself.
fn tokens(text: &str, line: usize) -> Vec<(usize, String)> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = if is_of_word(first) {
            rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push((line, rest[..length].to_owned()));
        }
        rest = &rest[length..];
    }
    tokens
}

#[track_caller]
fn assert_one_way(root: &Path) {
    let arrows: Vec<String> = arrows(root).iter().map(ToString::to_string).collect();
    assert!(arrows.is_empty(), "against the map in {}/lib.rs:\n{}", root.display(), arrows.join("\n"));
}

#[test]
fn modules_of_fuzzcheck_use_each_other_one_way() {
    assert_one_way(&project().join("fuzzcheck/src"));
}

/// Its tests may use all: they build their cases from the seeds of the targets.
#[test]
fn modules_of_the_library_use_each_other_one_way() {
    let mut found = arrows(&project().join("src"));
    found.retain(|arrow| !arrow.is_in_test);
    assert!(found.is_empty(), "{}", found.iter().map(Arrow::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn arrows_against_the_map_are_seen_in_every_form() {
    let folder = folder();
    let root = folder.path();
    let write = |name: &str, content: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        file(path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap(), content);
        arrows(root).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let lib = "//! x\n//!\n//! # Map\n//!\n//! | Module | Holds |\n//! |---|---|\n//! | `low` | x |\n//! | [`high`] | x |\n\
               //!\n//! # Words\n//! | `other` | x |\npub mod high;\nmod low;\npub use high::inner::Thing;\n";
    file(root, "lib.rs", lib);
    assert_eq!(
        write("high/inner.rs", "use crate::low::A;\nuse super::super::low;\npub struct Thing;"),
        [""; 0]
    );
    let harmless = "//! [`crate::high`]\nconst A: &str = \"crate::high\"; // crate::high\n/* crate::high */\n\
                    const B: &str = r#\"\"crate::high\"#;\nconst C: char = '\"'; fn f<'a>(_: &'a str) {}\nuse crate::low::x;";
    assert_eq!(write("low.rs", harmless), [""; 0]);
    for (planted, line) in [
        ("use crate::high::x;", 1),
        ("\nuse crate::{low::x, high::{self, y}};", 2),
        ("\n\nfn f() { let x = crate::high::inner::f(); }", 3),
        ("use super::high;", 1),
        ("use crate::Thing;", 1),
        ("use crate::{\n    low,\n    Thing as Other,\n};", 3),
        ("const A: char = '\\'';\nfn f(_: super::high::T) {}", 2),
        ("mod inline {\n    use super::super::high;\n}", 2),
    ] {
        let found = write("low.rs", planted);
        assert!(
            !found.is_empty()
                && found
                    .iter()
                    .all(|arrow| arrow
                        == &format!("low.rs:{line}: low -> {}", arrow.split("-> ").nth(1).unwrap())),
            "{planted}: {found:?}"
        );
    }
    assert_eq!(write("low.rs", "use crate::high;"), ["low.rs:1: low -> high"]);
    let test = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::high;\n}";
    assert_eq!(write("low.rs", test), ["low.rs:4: low -> high (in a test)"]);
    assert_eq!(write("low.rs", "mod inline {\n    use super::high;\n}"), [""; 0]);
    // A module that the map does not have is one that anything might use.
    file(root, "lib.rs", format!("{lib}mod lost;\n"));
    assert_eq!(
        write("high/mod.rs", "use crate::lost;"),
        ["lib.rs:15: the map -> lost", "high/mod.rs:1: high -> lost"]
    );
}
