//! Saves what a corpus reached to a file, and compares two such files.
//!
//! Outcomes of conditions are named by line and place in the line, which mean something in one build alone: two builds are
//! never compared. lcov, from which they are, also counts conditions that are constant, so that there are some more
//! than in the totals.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::build::{Count, Coverage, CoverageBuild};
use super::export::Detail;
use super::measure::{Measured, read_source};
use super::modules::Modules;
use crate::build::worker::Identity;
use crate::files;

/// The first bytes of a saved file, to tell it from a case.
const FORMAT: &str = "fuzzcheck coverage 1";
/// Rows of a comparison that are printed for people.
const ROWS_MAX: usize = 30;

/// Saved coverage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    format: String,
    /// The build.
    pub sqlite: Identity,
    /// Cases that ran.
    pub cases: u64,
    /// The totals.
    pub total: Coverage,
    /// Functions that have code, in the order of their lines.
    pub functions: Vec<Function>,
    /// Outcomes that came, by line.
    pub branches: BTreeMap<u32, Vec<u32>>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Function {
    /// Its name.
    pub name: String,
    /// Its source file.
    pub module: String,
    /// Where it begins.
    pub line: u32,
    /// Whether it ran.
    pub is_reached: bool,
}

impl Saved {
    /// What was measured.
    pub(crate) fn of(measured: &Measured) -> Self {
        let Measured { identity, cases, files, detail, modules, .. } = measured;
        Self::new(identity, *cases, files.sqlite, detail, modules)
    }

    /// What so many cases reached, by the profile that they left.
    ///
    /// # Errors
    /// As [`CoverageBuild::detail`]; sqlite3.c is not there any more.
    pub(crate) fn of_profile(build: &CoverageBuild, profile: &Path, cases: u64) -> Result<Self> {
        let files = build.by_file(profile)?;
        let detail = build.detail(profile, &files.source, Some(&files.sqlite))?;
        let modules = Modules::of(&read_source(&files.source)?);
        Ok(Self::new(&build.worker.identity, cases, files.sqlite, &detail, &modules))
    }

    fn new(identity: &Identity, cases: u64, total: Coverage, detail: &Detail, modules: &Modules) -> Self {
        let function = |function: &super::export::Function| Function {
            name: function.name.clone(),
            module: modules.of_line(function.line).to_owned(),
            line: function.line,
            is_reached: function.reached.functions.covered > 0,
        };
        let mut branches: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for branch in detail.branches.iter().filter(|branch| branch.count > 0) {
            branches.entry(branch.line).or_default().push(branch.index);
        }
        Self {
            format: FORMAT.to_owned(),
            sqlite: identity.clone(),
            cases,
            total,
            functions: detail.functions.iter().map(function).collect(),
            branches,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The file cannot be written, or is something else than such a file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        files::write(path, &serde_json::to_vec(self)?)
    }

    /// Checks that nothing else is at `path`.
    ///
    /// # Errors
    /// Something else is.
    pub(crate) fn check_place(path: &Path) -> Result<()> {
        files::refuse_special(path)?;
        if path.exists() && !Self::is_at(path)? {
            bail!(
                "{}: refusing to overwrite a file that is not saved coverage: name another file",
                path.display()
            );
        }
        Ok(())
    }

    /// Whether a file is one of these, not cases.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn is_at(path: &Path) -> Result<bool> {
        use std::io::Read;
        if !path.is_file() {
            return Ok(false);
        }
        let mut begin = Vec::new();
        let file = std::fs::File::open(path).with_context(|| format!("{}", path.display()))?;
        file.take(64).read_to_end(&mut begin).with_context(|| format!("{}", path.display()))?;
        Ok(begin.starts_with(br#"{"format":"fuzzcheck coverage"#))
    }

    /// Reads it.
    ///
    /// # Errors
    /// The file cannot be read, is of another version or cut short.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        let saved: Self = serde_json::from_slice(&bytes).with_context(|| {
            format!("{}: damaged, or saved by another version: save it again", path.display())
        })?;
        if saved.format != FORMAT {
            bail!("{}: saved as `{}`, this program reads `{FORMAT}`", path.display(), saved.format);
        }
        Ok(saved)
    }

    /// The function of a line: the last that begins before it.
    fn function_at(&self, line: u32) -> Option<&Function> {
        let after = self.functions.partition_point(|function| function.line <= line);
        self.functions.get(after.checked_sub(1)?)
    }
}

/// What one side reaches and the other does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Only {
    /// Outcomes that only the first reaches.
    pub first: u64,
    /// Outcomes that only the second reaches.
    pub second: u64,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Side {
    /// Its name.
    pub name: String,
    /// Cases.
    pub cases: u64,
    /// Its totals.
    pub total: Coverage,
}

/// A function that the two reach differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    /// Its name.
    pub name: String,
    /// Its source file.
    pub module: String,
    /// Branches.
    pub branches: Only,
    /// The side that alone reaches the function at all: `first` or `second`.
    pub only: Option<&'static str>,
}

/// Two of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Comparison {
    version: u32,
    /// The first.
    pub first: Side,
    /// The second.
    pub second: Side,
    /// Branches in all.
    pub branches: Only,
    /// Functions in all.
    pub functions: Only,
    /// Source files with a difference, largest first.
    pub modules: BTreeMap<String, Only>,
    /// Functions with a difference, largest first.
    pub by_function: Vec<Row>,
}

/// Compares what two corpora reach.
///
/// # Errors
/// They were run on different builds.
pub(crate) fn compare(names: [String; 2], first: &Saved, second: &Saved) -> Result<Comparison> {
    if first.sqlite != second.sqlite {
        let [a, b] = [&first.sqlite, &second.sqlite].map(|identity| &identity.source_id);
        let what =
            if a == b { "the same SQLite with other options".to_owned() } else { format!("{b} against {a}") };
        bail!(
            "{} and {} were measured in different builds ({what}): lines and branches are not the same ones",
            names[0],
            names[1]
        );
    }
    let mut rows: BTreeMap<u32, Row> = BTreeMap::new();
    let row = |rows: &mut BTreeMap<u32, Row>, function: &Function, count: &dyn Fn(&mut Row)| {
        let new = || Row {
            name: function.name.clone(),
            module: function.module.clone(),
            branches: Only::default(),
            only: None,
        };
        count(rows.entry(function.line).or_insert_with(new));
    };
    let pairs = |saved: &Saved| -> BTreeSet<(u32, u32)> {
        saved.branches.iter().flat_map(|(line, all)| all.iter().map(|index| (*line, *index))).collect()
    };
    let (a, b) = (pairs(first), pairs(second));
    for (line, _) in a.difference(&b) {
        first.function_at(*line).into_iter().for_each(|f| row(&mut rows, f, &|row| row.branches.first += 1));
    }
    for (line, _) in b.difference(&a) {
        first.function_at(*line).into_iter().for_each(|f| row(&mut rows, f, &|row| row.branches.second += 1));
    }
    let mut functions = Only::default();
    for (one, other) in first.functions.iter().zip(&second.functions) {
        if one.is_reached && !other.is_reached {
            functions.first += 1;
            row(&mut rows, one, &|row| row.only = Some("first"));
        } else if other.is_reached && !one.is_reached {
            functions.second += 1;
            row(&mut rows, one, &|row| row.only = Some("second"));
        }
    }
    let mut by_function: Vec<Row> = rows.into_values().collect();
    by_function.sort_by_key(|row| std::cmp::Reverse(row.branches.first + row.branches.second));
    let (mut branches, mut modules) = (Only::default(), BTreeMap::new());
    for row in &by_function {
        let module: &mut Only = modules.entry(row.module.clone()).or_default();
        for sum in [&mut branches, module] {
            sum.first += row.branches.first;
            sum.second += row.branches.second;
        }
    }
    let [first, second] = [first, second].map(|saved| (saved.cases, saved.total)).map(Some);
    let mut names = names.into_iter();
    let mut side = |saved: Option<(u64, Coverage)>| {
        let (cases, total) = saved.unwrap_or_default();
        Side { name: names.next().unwrap_or_default(), cases, total }
    };
    Ok(Comparison {
        version: 1,
        first: side(first),
        second: side(second),
        branches,
        functions,
        modules,
        by_function,
    })
}

impl Comparison {
    /// Prints it for people.
    pub(crate) fn print(&self, out: &mut dyn Write) -> Result<()> {
        for (letter, side, branches, functions) in [
            ("A", &self.first, self.branches.first, self.functions.first),
            ("B", &self.second, self.branches.second, self.functions.second),
        ] {
            let Count { covered, total } = side.total.branches;
            writeln!(
                out,
                "{letter}: {}: {} cases, {covered} of {total} branches; {branches} branches and {functions} functions \
                 only there",
                side.name, side.cases
            )?;
        }
        writeln!(out, "{:<20} {:<34} {:>7} {:>7}", "module", "function", "only A", "only B")?;
        let mut modules: Vec<_> = self.modules.iter().collect();
        modules.sort_by_key(|(_, only)| std::cmp::Reverse(only.first + only.second));
        for (name, Only { first, second }) in modules {
            writeln!(out, "{name:<20} {:<34} {first:>7} {second:>7}", "")?;
        }
        for Row { name, module, branches: Only { first, second }, only } in
            self.by_function.iter().take(ROWS_MAX)
        {
            let only = match only {
                Some("first") => "  the function itself only in A",
                Some(_) => "  the function itself only in B",
                None => "",
            };
            writeln!(out, "{module:<20} {name:<34} {first:>7} {second:>7}{only}")?;
        }
        let more = self.by_function.len().saturating_sub(ROWS_MAX);
        if more > 0 {
            writeln!(out, "... and {more} more functions: --json has them all")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(branches: &[(u32, &[u32])], reached: [bool; 2]) -> Saved {
        let function = |name: &str, module: &str, line, is_reached| Function {
            name: name.to_owned(),
            module: module.to_owned(),
            line,
            is_reached,
        };
        Saved {
            format: FORMAT.to_owned(),
            sqlite: Identity::of_this_program(),
            cases: 7,
            total: Coverage::default(),
            functions: vec![function("f", "a.c", 10, reached[0]), function("g", "b.c", 20, reached[1])],
            branches: branches.iter().map(|(line, all)| (*line, all.to_vec())).collect(),
        }
    }

    fn names() -> [String; 2] {
        ["one", "two"].map(str::to_owned)
    }

    #[test]
    fn what_only_one_reaches_is_told_by_function_and_module() {
        let a = saved(&[(11, &[0, 1]), (21, &[0])], [true, true]);
        let b = saved(&[(11, &[1, 2]), (12, &[0, 1])], [true, false]);
        let found = compare(names(), &a, &b).unwrap();
        assert_eq!(
            (found.branches, found.functions),
            (Only { first: 2, second: 3 }, Only { first: 1, second: 0 })
        );
        let rows: Vec<_> = found.by_function.iter().map(|r| (r.name.as_str(), r.branches, r.only)).collect();
        assert_eq!(
            rows,
            [("f", Only { first: 1, second: 3 }, None), ("g", Only { first: 1, second: 0 }, Some("first"))]
        );
        assert_eq!(found.modules["b.c"], Only { first: 1, second: 0 });
        let mut text = Vec::new();
        found.print(&mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("the function itself only in A"));
        let same = compare(names(), &a, &a).unwrap();
        assert!(same.by_function.is_empty() && same.branches == Only::default());
    }

    #[test]
    fn another_build_is_refused() {
        let a = saved(&[], [true, true]);
        let mut b = a.clone();
        b.sqlite.source_id = "2020-01-01 abc".to_owned();
        let error = |b: &Saved| format!("{:#}", compare(names(), &a, b).unwrap_err());
        assert!(error(&b).contains("one and two were measured in different builds (2020-01-01 abc against"));
        b = a.clone();
        b.sqlite.compile_options.push("DEBUG".to_owned());
        assert!(error(&b).contains("other options"));
    }

    #[test]
    fn a_file_is_read_back_and_a_damaged_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("night.json");
        let a = saved(&[(11, &[0, 1])], [true, false]);
        a.write(&path).unwrap();
        assert!(Saved::is_at(&path).unwrap());
        Saved::check_place(&path).unwrap();
        assert_eq!(Saved::read(&path).unwrap(), a);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(format!("{:#}", Saved::read(&path).unwrap_err()).contains("night.json: damaged"));
        std::fs::write(&path, String::from_utf8(bytes).unwrap().replace("coverage 1", "coverage 2")).unwrap();
        assert!(format!("{:#}", Saved::read(&path).unwrap_err()).contains("this program reads"));
        std::fs::write(&path, "SELECT 1").unwrap();
        assert!(!Saved::is_at(&path).unwrap());
        assert!(Saved::check_place(&path).unwrap_err().to_string().contains("refusing to overwrite"));
        assert!(Saved::check_place(folder.path()).is_err());
    }
}
