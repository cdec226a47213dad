//! `--directed`: resolves the words of a command line to functions and their callers, and reports the results.
//!
//! The target itself lists its instrumented functions ([`Inventory`]), including inlined ones. Modules and diffs are resolved against the text of the SQLite that it was built from; callers are read from the
//! same text. What the target then does is in [`tandem::targets::directed`].

mod choose;
mod diff;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tandem::targets::directed::{Inventory, LIST_VARIABLE, Order, Report};
use tempfile::TempDir;

use crate::coverage::build::Coverage;
use crate::coverage::export::Function;
use crate::coverage::modules::Modules;
use crate::files;
use crate::gaps::graph::Graph;

/// How far from the functions callers are looked for.
const LEVELS_MAX: usize = 3;
/// How many functions the summary lists, those with most unreached edges first.
const FUNCTIONS_SHOWN: usize = 10;

/// The text of an SQLite, with the functions that a target counts.
pub(super) struct Sqlite {
    text: String,
    functions: Vec<Function>,
    modules: Modules,
    graph: Graph,
}

impl Sqlite {
    fn new(text: String, inventory: &Inventory) -> Self {
        let new = |(name, (_, line)): (&String, &(u64, u32))| Function {
            name: name.clone(),
            line: *line,
            reached: Coverage::default(),
        };
        let mut functions: Vec<Function> = inventory.functions.iter().map(new).collect();
        functions.sort_by_key(|function| function.line);
        let (modules, graph) = (Modules::of(&text), Graph::new(&text, &functions));
        Self { text, functions, modules, graph }
    }

    /// The functions, their callers, and theirs.
    fn levels(&self, wanted: BTreeSet<String>) -> Vec<BTreeSet<String>> {
        let mut levels = vec![wanted];
        while levels.len() < LEVELS_MAX {
            let callers = levels.last().into_iter().flatten().flat_map(|name| self.graph.callers(name));
            let callers: BTreeSet<String> =
                callers.map(|function| self.functions[function].name.clone()).collect();
            let new: BTreeSet<String> =
                callers.into_iter().filter(|name| !levels.iter().any(|level| level.contains(name))).collect();
            if new.is_empty() {
                break;
            }
            levels.push(new);
        }
        levels
    }
}

/// Prepared directed fuzzing: a file for the target, and a folder for its reports.
pub(crate) struct Prepared {
    folder: TempDir,
    levels: Vec<BTreeSet<String>>,
}

impl Prepared {
    /// Asks `program` for its functions and resolves `words`: names of functions, of modules, or a file with a diff.
    ///
    /// # Errors
    /// A word that is none of these, with names that are near; a diff that changes no function of this SQLite; a target that
    /// was built without debug information.
    pub(crate) fn new(
        program: &Path,
        environment: &[(String, String)],
        words: &[String],
        steers: bool,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let inventory = inventory(program, environment, folder.path())?;
        let bytes = std::fs::read(&inventory.source)
            .with_context(|| format!("{}: the SQLite that was built", inventory.source.display()))?;
        let sqlite = Sqlite::new(String::from_utf8_lossy(&bytes).into_owned(), &inventory);
        let levels = sqlite.levels(choose::functions(words, &sqlite)?);
        let order = Order { levels: levels.clone(), steers, reports: folder.path().join("reports") };
        let prepared = Self { folder, levels };
        files::write(&prepared.order(), &serde_json::to_vec(&order)?)?;
        Ok(prepared)
    }

    /// The file for the target.
    pub(crate) fn order(&self) -> PathBuf {
        self.folder.path().join("order.json")
    }

    /// The target functions, in a line.
    pub(crate) fn in_words(&self) -> String {
        let count = |level: usize| self.levels.get(level).map_or(0, BTreeSet::len);
        format!("{} functions, {} that call them, {} that call these", count(0), count(1), count(2))
    }

    /// What all processes did.
    ///
    /// # Errors
    /// No process wrote a report, or one cannot be read.
    pub(crate) fn report(&self) -> Result<Report> {
        let mut sum = Report::default();
        let folder = self.folder.path().join("reports");
        let paths =
            files::in_folder(&folder).context("the target wrote no report of its directed fuzzing")?;
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "json")) {
            let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
            sum.add(&serde_json::from_slice(&bytes).with_context(|| format!("{}", path.display()))?);
        }
        Ok(sum)
    }
}

/// Asks a target which functions it counts.
fn inventory(program: &Path, environment: &[(String, String)], folder: &Path) -> Result<Inventory> {
    let path = folder.join("inventory.json");
    let mut command = Command::new(program);
    command.envs(environment.iter().map(|(name, value)| (name, value))).env(LIST_VARIABLE, &path);
    let output = command.arg("-runs=0").stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("{} does not run: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    let bytes = std::fs::read(&path).with_context(|| format!("{} listed no functions", program.display()))?;
    let inventory: Inventory =
        serde_json::from_slice(&bytes).context("reading the functions of the target")?;
    if inventory.functions.is_empty() {
        bail!("{} has no debug information for sqlite3.c, which --directed needs", program.display());
    }
    Ok(inventory)
}

/// Prints the results of directed fuzzing.
pub(crate) fn print(report: &Report, out: &mut dyn Write) -> Result<()> {
    let share = 100.0 * report.reached as f64 / report.runs.max(1) as f64;
    let seen: usize = report.functions.values().map(|reached| reached.seen.len()).sum();
    let edges: u64 = report.functions.values().map(|reached| reached.edges).sum();
    writeln!(
        out,
        "directed: {} of {} mutated inputs reached the target functions ({share:.2} %), {seen} of {edges} edges; {} were \
         mutated from a case that had",
        report.reached, report.runs, report.steered
    )?;
    let mut all: Vec<_> = report.functions.iter().collect();
    all.sort_by_key(|(_, reached)| std::cmp::Reverse(reached.edges - reached.seen.len() as u64));
    for (name, reached) in all.iter().take(FUNCTIONS_SHOWN) {
        let (seen, edges, runs) = (reached.seen.len(), reached.edges, reached.runs);
        writeln!(out, "directed: {name}: {seen} of {edges} edges, {runs} inputs")?;
    }
    if let Some(more) = all.len().checked_sub(FUNCTIONS_SHOWN).filter(|&more| more > 0) {
        writeln!(out, "directed: and {more} more functions: --json has them all")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a target would list it.
    pub(super) fn made() -> Sqlite {
        let text = "\
/************** Begin file a.c ***********************************************/
static int leaf(
  int a
){
  a++;
  return a;
}
static int middle(int a){
  return leaf(a);
}
/************** End of a.c ***************************************************/
/************** Begin file b.c ***********************************************/
int top(int a){
  return middle(a);
}
/************** End of b.c ***************************************************/
";
        let functions = [("leaf", 2), ("middle", 8), ("top", 13)];
        let functions = functions.map(|(name, line)| (name.to_owned(), (3, line))).into();
        Sqlite::new(text.to_owned(), &Inventory { source: PathBuf::new(), functions })
    }

    #[test]
    fn callers_are_found_level_by_level() {
        let levels = made().levels(["leaf".to_owned()].into());
        let names: Vec<Vec<&str>> =
            levels.iter().map(|level| level.iter().map(String::as_str).collect()).collect();
        assert_eq!(names, [["leaf"], ["middle"], ["top"]]);
    }

    #[test]
    fn a_target_that_lists_nothing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = inventory(Path::new("/bin/true"), &[], folder.path()).unwrap_err();
        assert!(format!("{error:#}").contains("/bin/true listed no functions"));
        assert!(inventory(Path::new("/bin/false"), &[], folder.path()).is_err());
    }
}
