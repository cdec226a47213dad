//! Reads llvm-cov's output for sqlite3.c, function by function and line by line.
//!
//! The JSON output has all of this, in 400 MB. The table of `llvm-cov report -show-functions` and the lcov output of
//! `llvm-cov export` have it in 3 MB. The table counts as the summary does (folded conditions are not branches, macros
//! are), so its sums must equal the summary's: [`Detail::check`].

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::build::{Count, Coverage};
use super::modules::Modules;
use super::reached::Module;

/// sqlite3.c.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    /// Functions, ordered by line.
    pub functions: Vec<Function>,
    /// How often each line of code ran, by number from 1.
    pub lines: BTreeMap<u32, u64>,
    /// Outcomes of conditions, in source order.
    pub branches: Vec<Branch>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name; if a macro creates several functions on one line, the name of the first.
    pub name: String,
    /// Where it begins, from 1.
    pub line: u32,
    /// How much of it ran.
    pub reached: Coverage,
}

/// An outcome of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Branch {
    /// Where the condition is, from 1.
    pub line: u32,
    /// Which of the line's outcomes, from 0: even ones are "true".
    pub index: u32,
    /// How often it occurred.
    pub count: u64,
}

impl Detail {
    /// Reads what `llvm-cov report -show-functions` and `llvm-cov export -format=lcov` print of one file.
    ///
    /// # Errors
    /// A malformed line, or functions that appear in only one of the two.
    pub(crate) fn parse(table: &str, lcov: &str) -> Result<Self> {
        let mut detail = Self::default();
        let mut begins = BTreeMap::new();
        let (mut line_of_index, mut index) = (0, 0);
        for row in lcov.lines() {
            let Some((kind, rest)) = row.split_once(':') else { continue };
            let what = || format!("llvm-cov export: what is `{row}`?");
            let number = |text: &str| text.parse::<u32>().with_context(what);
            let fields: Vec<&str> = rest.split(',').collect();
            match (kind, fields.as_slice()) {
                // Newer versions may also give the last line.
                ("FN", [line, .., name]) => {
                    begins.insert((*name).to_owned(), number(line)?);
                }
                ("DA", [line, count, ..]) => {
                    detail.lines.insert(number(line)?, count.parse().with_context(what)?);
                }
                ("BRDA", [line, _, _, count]) => {
                    let line = number(line)?;
                    index = if line == line_of_index { index + 1 } else { 0 };
                    line_of_index = line;
                    // "-" where the condition was never reached.
                    let count = if *count == "-" { 0 } else { count.parse().with_context(what)? };
                    detail.branches.push(Branch { line, index, count });
                }
                ("FN" | "DA" | "BRDA", _) => bail!("{}", what()),
                _ => {}
            }
        }
        detail.functions = functions(table, &begins)?;
        Ok(detail)
    }

    /// The sums over all functions.
    pub(crate) fn total(&self) -> Coverage {
        self.functions.iter().fold(Coverage::default(), |sum, function| plus(sum, function.reached))
    }

    /// Checks that nothing was lost or counted twice.
    ///
    /// # Errors
    /// If the sums differ from those of `summary`.
    pub(crate) fn check(&self, summary: &Coverage) -> Result<()> {
        let total = self.total();
        if total != *summary {
            bail!(
                "the functions of sqlite3.c do not add up to llvm-cov's summary: {total:?} against {summary:?}"
            );
        }
        Ok(())
    }

    /// The sums of each module that has functions, in amalgamation order.
    pub(crate) fn by_module(&self, modules: &Modules) -> Vec<Module> {
        let mut sums = vec![Coverage::default(); modules.names().len()];
        for function in &self.functions {
            let sum = &mut sums[modules.index_of_line(function.line)];
            *sum = plus(*sum, function.reached);
        }
        let all = modules.names().iter().zip(sums).filter(|(_, reached)| reached.functions.total > 0);
        all.map(|(name, reached)| Module { name: name.clone(), reached }).collect()
    }
}

fn plus(a: Coverage, b: Coverage) -> Coverage {
    let sum = |a: Count, b: Count| Count { covered: a.covered + b.covered, total: a.total + b.total };
    Coverage {
        branches: sum(a.branches, b.branches),
        lines: sum(a.lines, b.lines),
        functions: sum(a.functions, b.functions),
        regions: sum(a.regions, b.regions),
    }
}

/// The rows of the table: name, then regions, lines and branches, each as total, missed and percentage.
fn functions(table: &str, begins: &BTreeMap<String, u32>) -> Result<Vec<Function>> {
    let mut by_line: BTreeMap<u32, Function> = BTreeMap::new();
    for row in table.lines() {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [name, numbers @ ..] = words.as_slice() else { continue };
        if numbers.len() != 9 || numbers[0].parse::<u64>().is_err() || *name == "TOTAL" {
            continue;
        }
        let count = |at: usize| -> Result<Count> {
            let number = |at: usize| numbers[at].parse::<u64>();
            let (total, missed) = number(at)
                .and_then(|total| Ok((total, number(at + 1)?)))
                .with_context(|| format!("llvm-cov report: what is `{row}`?"))?;
            let covered =
                total.checked_sub(missed).with_context(|| format!("llvm-cov report: `{row}` misses more"))?;
            Ok(Count { covered, total })
        };
        let [regions, lines, branches] = [count(0)?, count(3)?, count(6)?];
        let functions = Count { covered: u64::from(regions.covered > 0), total: 1 };
        let reached = Coverage { branches, lines, functions, regions };
        let line = *begins.get(*name).with_context(|| format!("llvm-cov export does not know {name}"))?;
        // A static function has its file before its name.
        let name = name.rsplit_once(':').map_or(*name, |(_, name)| name).to_owned();
        let new = Function { name, line, reached };
        by_line.entry(line).and_modify(|known| known.reached = most(known.reached, reached)).or_insert(new);
    }
    if by_line.len() < begins.values().collect::<std::collections::BTreeSet<_>>().len() {
        bail!(
            "llvm-cov report lacks functions that llvm-cov export knows: {} of {}",
            by_line.len(),
            begins.len()
        );
    }
    Ok(by_line.into_values().collect())
}

/// Functions that a macro creates in one place count once, as in the summary.
fn most(a: Coverage, b: Coverage) -> Coverage {
    let most = |a: Count, b: Count| Count { covered: a.covered.max(b.covered), total: a.total.max(b.total) };
    Coverage {
        branches: most(a.branches, b.branches),
        lines: most(a.lines, b.lines),
        functions: most(a.functions, b.functions),
        regions: most(a.regions, b.regions),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const TABLE: &str = "\
File '/x/sqlite3.c':
Name                     Regions    Miss   Cover     Lines    Miss   Cover  Branches    Miss   Cover
-----------------------------------------------------------------------------------------------------
sqlite3.c:first                5       2  60.00%         3       1  66.67%         4       1  75.00%
second                         2       2   0.00%         4       4   0.00%         0       0   0.00%
sqlite3.c:twiceA               3       0 100.00%         2       0 100.00%         2       1  50.00%
sqlite3.c:twiceB               3       3   0.00%         2       2   0.00%         2       2   0.00%
-----------------------------------------------------------------------------------------------------
TOTAL                         13       7  46.15%        11       7  36.36%         8       4  50.00%
";
    pub(crate) const LCOV: &str = "\
SF:/x/sqlite3.c
FN:3,sqlite3.c:first
FN:6,second
FN:13,sqlite3.c:twiceA
FN:13,sqlite3.c:twiceB
FNDA:7,sqlite3.c:first
FNF:3
DA:3,7
DA:6,0
DA:13,2
BRDA:3,0,0,7
BRDA:3,0,1,-
BRDA:13,0,0,2
BRDA:13,0,1,0
BRF:4
LF:3
end_of_record
";

    const fn count(covered: u64, total: u64) -> Count {
        Count { covered, total }
    }

    #[test]
    fn sums_of_functions_are_the_summary_and_what_a_macro_doubles_counts_once() {
        let detail = Detail::parse(TABLE, LCOV).unwrap();
        let summary = Coverage {
            branches: count(4, 6),
            lines: count(4, 9),
            functions: count(2, 3),
            regions: count(6, 10),
        };
        assert_eq!(detail.total(), summary);
        detail.check(&summary).unwrap();
        let names: Vec<_> = detail.functions.iter().map(|f| (f.name.as_str(), f.line)).collect();
        assert_eq!(names, [("first", 3), ("second", 6), ("twiceA", 13)]);
        let counts: Vec<_> = detail.branches.iter().map(|b| (b.line, b.index, b.count)).collect();
        assert_eq!(counts, [(3, 0, 7), (3, 1, 0), (13, 0, 2), (13, 1, 0)]);
        // A difference of one branch is an error, whichever side has it.
        let planted =
            Detail::parse(&TABLE.replace(" 4       1  75.00%", " 4       0 100.00%"), LCOV).unwrap();
        assert!(format!("{:#}", planted.check(&summary).unwrap_err()).contains("do not add up"));
    }

    #[test]
    fn modules_add_up_to_the_total() {
        let detail = Detail::parse(TABLE, LCOV).unwrap();
        let source = "\
/************** Begin file a.c ***********************************************/

int first(){}
/************** End of a.c ***************************************************/
/************** Begin file b.c ***********************************************/
int second(){}
/************** Begin file c.h ***********************************************/
/************** End of c.h ***************************************************/
";
        let all = detail.by_module(&Modules::of(source));
        let names: Vec<&str> = all.iter().map(|module| module.name.as_str()).collect();
        // c.h has no functions; line 13 is past the end of b.c's file.
        assert_eq!(names, ["sqlite3.c", "a.c", "b.c"]);
        let sum = all.iter().fold(Coverage::default(), |sum, module| plus(sum, module.reached));
        assert_eq!(sum, detail.total());
        assert_eq!(all[1].reached.branches, count(3, 4));
    }

    #[test]
    fn what_only_one_of_the_two_knows_is_an_error() {
        let error = |table: &str, lcov: &str| format!("{:#}", Detail::parse(table, lcov).unwrap_err());
        assert!(error(TABLE, &LCOV.replace("FN:6,second\n", "")).contains("does not know second"));
        let fewer: String =
            TABLE.lines().filter(|row| !row.starts_with("second")).map(|row| format!("{row}\n")).collect();
        assert!(error(&fewer, LCOV).contains("lacks functions"));
        assert!(error(TABLE, "BRDA:x,0,0,1\n").contains("BRDA:x"));
        assert!(error(TABLE, "DA:3\n").contains("DA:3"));
    }
}
