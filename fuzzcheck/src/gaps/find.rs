//! See [`super`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tandem::engine::sqlite::Executor;
use tandem::sql::vocabulary::{DENIED_FUNCTIONS, is_denied_pragma};

use super::graph::{Graph, Way, is_api};
use super::labels::{Label, labels};
use super::{names, reasons};
use crate::coverage::export::Function;
use crate::coverage::measure::Measured;
use crate::coverage::reached::{Gap, GapKind};

/// Functions that mention opcodes without making any.
const NO_EMITTERS: [&str; 3] = ["sqlite3VdbeExec", "resolveP2Values", "sqlite3VdbeList"];
/// The interpreter, and what runs pragmas.
const INTERPRETER: &str = "sqlite3VdbeExec";
const PRAGMAS: &str = "sqlite3Pragma";

/// SQL functions and pragmas of a build, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names {
    /// Those of `pragma_function_list`, those that a script may not call among them.
    pub functions: BTreeSet<String>,
    /// Those of `pragma_pragma_list`.
    pub pragmas: BTreeSet<String>,
}

impl Names {
    /// Of the SQLite in this program.
    pub(crate) fn of_this_program() -> Self {
        let words = Executor::shared().vocabulary();
        let functions = words.functions.into_iter().map(|function| function.name.to_lowercase());
        Self {
            functions: functions.chain(DENIED_FUNCTIONS.map(str::to_owned)).collect(),
            pragmas: words.pragmas.into_iter().map(|name| name.to_lowercase()).collect(),
        }
    }

    /// Of the SQLite in another one of our programs.
    ///
    /// # Errors
    /// It does not run, or its SQLite does not list its pragmas.
    pub(crate) fn of(program: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        // This run counts nothing.
        command.arg("names").env("LLVM_PROFILE_FILE", "/dev/null").stdin(Stdio::null());
        let output = command.output().with_context(|| format!("cannot run {}", program.display()))?;
        if !output.status.success() {
            bail!("{} does not run: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
        }
        let names: Self = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{} says which functions it has", program.display()))?;
        if names.functions.is_empty() || names.pragmas.is_empty() {
            bail!("the SQLite of {} does not list its functions and pragmas", program.display());
        }
        Ok(names)
    }
}

/// All gaps, largest first, those of the same size by kind and name.
pub(crate) fn find(measured: &Measured, names: &Names) -> Vec<Gap> {
    let graph = Graph::new(&measured.source, &measured.detail.functions);
    let finder = Finder { measured, names, graph };
    let mut gaps = finder.functions();
    gaps.extend(finder.opcodes());
    gaps.extend(finder.sql_functions());
    gaps.extend(finder.pragmas());
    gaps.extend(finder.result_codes());
    gaps.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| (a.kind, &a.name).cmp(&(b.kind, &b.name))));
    gaps
}

struct Finder<'a> {
    measured: &'a Measured,
    names: &'a Names,
    graph: Graph,
}

impl Finder<'_> {
    fn all(&self) -> &[Function] {
        &self.measured.detail.functions
    }

    fn functions(&self) -> Vec<Gap> {
        let missed = self.all().iter().filter(|function| function.reached.functions.covered == 0);
        let gap = |function: &Function| {
            let module = self.measured.modules.of_line(function.line).to_owned();
            let why = reasons::of_function(&function.name, &module).map(str::to_owned);
            let reached = &function.reached;
            let size = if reached.branches.total > 0 { reached.branches.total } else { reached.lines.total };
            Gap {
                kind: GapKind::Function,
                size,
                target: Some(why.unwrap_or_else(|| self.who(&function.name, &[]))),
                name: function.name.clone(),
                module: Some(module),
            }
        };
        missed.map(gap).collect()
    }

    /// The labels of a switch in a function.
    fn labels(&self, function: &str, prefix: &str) -> Vec<Label> {
        let index = self.all().iter().position(|known| known.name == function);
        let lines = index.and_then(|index| self.graph.lines_of(index));
        lines.map_or_else(Vec::new, |lines| {
            labels(&self.measured.source, &self.measured.detail, prefix, lines)
        })
    }

    fn opcodes(&self) -> Vec<Gap> {
        let missed = self.labels(INTERPRETER, "OP_").into_iter().filter(|label| !label.is_reached);
        let gap = |label: Label| Gap {
            kind: GapKind::Opcode,
            target: Some(self.who(&label.name, &NO_EMITTERS)),
            module: Some(self.measured.modules.of_line(label.line).to_owned()),
            name: label.name.trim_start_matches("OP_").to_owned(),
            size: label.branches,
        };
        missed.map(gap).collect()
    }

    fn sql_functions(&self) -> Vec<Gap> {
        let code = names::implementations(&self.measured.source, self.all(), &self.names.functions);
        let mut users: BTreeMap<usize, usize> = BTreeMap::new();
        code.values().flatten().for_each(|&function| *users.entry(function).or_default() += 1);
        let mut gaps = Vec::new();
        for name in &self.names.functions {
            let own = code.get(name);
            let has_run = |function: &usize| self.all()[*function].reached.functions.covered > 0;
            let unshared: Vec<usize> =
                own.into_iter().flatten().copied().filter(|function| users[function] == 1).collect();
            let is_named = self.measured.evidence.functions.contains(name);
            let is_reached = if unshared.is_empty() {
                is_named && own.is_none_or(|own| own.iter().any(has_run))
            } else {
                unshared.iter().any(has_run)
            };
            if is_reached {
                continue;
            }
            let target = if DENIED_FUNCTIONS.contains(&name.as_str()) {
                "none: scripts may not call it".to_owned()
            } else if is_named {
                "sql, db_sql: statements with it ran, without calling it".to_owned()
            } else {
                "sql, db_sql: a statement that calls it".to_owned()
            };
            let module = own
                .and_then(|own| own.first())
                .map(|&function| self.measured.modules.of_line(self.all()[function].line).to_owned());
            let size = unshared.iter().map(|&function| self.all()[function].reached.branches.total).sum();
            gaps.push(Gap {
                kind: GapKind::SqlFunction,
                name: name.clone(),
                size,
                module,
                target: Some(target),
            });
        }
        gaps
    }

    fn pragmas(&self) -> Vec<Gap> {
        let types = names::pragma_types(&self.measured.source);
        let labels = self.labels(PRAGMAS, "PragTyp_");
        let mut gaps = Vec::new();
        for name in self.names.pragmas.iter().filter(|name| !self.measured.evidence.pragmas.contains(*name)) {
            let kind = types.get(name);
            let is_shared = types.values().filter(|&other| Some(other) == kind).count() > 1;
            let label = labels.iter().find(|label| !is_shared && Some(&label.name) == kind);
            let target = if is_denied_pragma(name) {
                "none: scripts may not run it"
            } else {
                "sql, db_sql: a statement that runs it"
            };
            gaps.push(Gap {
                kind: GapKind::Pragma,
                name: name.clone(),
                size: label.map_or(0, |label| label.branches),
                module: label.map(|label| self.measured.modules.of_line(label.line).to_owned()),
                target: Some(target.to_owned()),
            });
        }
        gaps
    }

    fn result_codes(&self) -> Vec<Gap> {
        let seen = &self.measured.evidence.codes;
        let missed = names::result_codes(&self.measured.source).into_iter().filter(|(code, _)| {
            // A statement that ran is one without an error.
            !seen.contains(code) && *code != 0
        });
        let gap = |(_, name): (i32, String)| Gap {
            kind: GapKind::ResultCode,
            size: 0,
            module: None,
            target: Some(reasons::of_code(&name).map_or_else(|| self.who(&name, &[]), str::to_owned)),
            name,
        };
        missed.map(gap).collect()
    }

    /// The targets that reach a function.
    fn targets_of(&self, function: usize) -> Vec<&'static str> {
        let line = self.all()[function].line;
        let reaches = |functions: &[Function]| {
            let at = functions.binary_search_by_key(&line, |function| function.line).ok();
            at.is_some_and(|at| functions[at].reached.functions.covered > 0)
        };
        let all = self.measured.by_target.iter().filter(|(_, detail)| reaches(&detail.functions));
        all.map(|(name, _)| *name).collect()
    }

    /// Which target could reach a name, in words.
    fn who(&self, name: &str, without: &[&str]) -> String {
        let counts = |function: usize| !without.contains(&self.all()[function].name.as_str());
        let is_reached =
            |function: usize| counts(function).then(|| self.all()[function].reached.functions.covered > 0);
        let merit =
            |function: usize| (self.targets_of(function).len(), self.all()[function].reached.regions.covered);
        match self.graph.way(name, is_reached, merit) {
            // How targets call the interface is fixed.
            Ok(Way { from, .. }) if is_api(&self.all()[from].name) => {
                format!("none yet: needs a target that calls {} differently", self.all()[from].name)
            }
            Ok(Way { from, through }) => {
                let targets = self.targets_of(from).join(", ");
                let via = match through.as_slice() {
                    [] => String::new(),
                    through => format!(" through {}", through.join(", ")),
                };
                format!("{targets}: refers to it{via}: {}, which is reached", self.all()[from].name)
            }
            Err(roots) => {
                let api: Vec<&str> =
                    roots.iter().map(String::as_str).filter(|root| is_api(root)).take(3).collect();
                if api.is_empty() {
                    "none: no compiled code refers to it".to_owned()
                } else {
                    format!("none yet: needs a target that calls {}", api.join(" or "))
                }
            }
        }
    }
}

/// Prints gaps as a table.
pub(crate) fn print(gaps: &[Gap], all: usize, out: &mut dyn Write) -> Result<()> {
    let kind = |kind: GapKind| match kind {
        GapKind::Function => "function",
        GapKind::Opcode => "opcode",
        GapKind::SqlFunction => "sql-function",
        GapKind::Pragma => "pragma",
        GapKind::ResultCode => "result-code",
    };
    writeln!(out, "{:<12} {:>5}  {:<34} {:<16} target that could", "kind", "size", "name", "module")?;
    for gap in gaps {
        let (module, target) = (gap.module.as_deref().unwrap_or("-"), gap.target.as_deref().unwrap_or("-"));
        writeln!(out, "{:<12} {:>5}  {:<34} {module:<16} {target}", kind(gap.kind), gap.size, gap.name)?;
    }
    writeln!(out, "fuzzcheck: {} of {all} gaps; the size is in branches, or lines without any", gaps.len())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::build::{Count, Coverage, Files};
    use crate::coverage::evidence::Evidence;
    use crate::coverage::export::Detail;
    use crate::coverage::modules::Modules;
    use crate::gaps::graph::tests as made;

    fn names() -> Names {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Names {
            functions: set(&["abs", "load_extension", "pow", "power"]),
            pragmas: set(&["page_count", "sql_trace"]),
        }
    }

    /// A made SQLite of which the functions `reached` ran, with what statements showed.
    fn measured(reached: &[&str], evidence: Evidence) -> Measured {
        let source = format!(
            "{}\
  FUNCTION(abs, 1, 0, 0, leaf),
  FUNCTION(pow, 2, 0, 0, start),
  FUNCTION(power, 2, 0, 0, start),
** CAPI3REF: Result Codes
#define SQLITE_PERM        3   /* Access permission denied */
#define SQLITE_IOERR      10   /* Some kind of disk I/O error occurred */
",
            made::SOURCE
        );
        let mut functions = made::functions();
        for function in &mut functions {
            let covered = u64::from(reached.contains(&function.name.as_str()));
            function.reached = Coverage {
                branches: Count { covered: 0, total: function.name.len() as u64 },
                functions: Count { covered, total: 1 },
                ..Coverage::default()
            };
        }
        let detail = Detail { functions, ..Detail::default() };
        Measured {
            cases: 1,
            cases_with_findings: 0,
            harness_errors: Vec::new(),
            files: Files { sqlite: detail.total(), ..Files::default() },
            by_target: vec![("sql", detail.clone())],
            detail,
            evidence,
            modules: Modules::of(&source),
            source,
            identity: crate::build::worker::Identity::of_this_program(),
            corpus: Default::default(),
        }
    }

    fn evidence(statements: &[&str], codes: &[i32]) -> Evidence {
        let mut evidence = Evidence { codes: codes.iter().copied().collect(), ..Evidence::default() };
        statements.iter().for_each(|statement| evidence.add_statement(statement.as_bytes()));
        evidence
    }

    fn of_kind(gaps: &[Gap], kind: GapKind) -> Vec<&str> {
        gaps.iter().filter(|gap| gap.kind == kind).map(|gap| gap.name.as_str()).collect()
    }

    #[test]
    fn a_statement_that_runs_closes_its_gap() {
        let reached = ["start", "viaMacro", "leaf", "xMethod", "machine"];
        let before = find(&measured(&reached, evidence(&["SELECT pow(1, 2)"], &[101])), &names());
        assert_eq!(of_kind(&before, GapKind::Pragma), ["page_count", "sql_trace"]);
        // `power` has the code of `pow`: that it ran says nothing of the name.
        assert_eq!(of_kind(&before, GapKind::SqlFunction), ["load_extension", "power"]);
        assert_eq!(of_kind(&before, GapKind::ResultCode), ["SQLITE_IOERR", "SQLITE_PERM"]);
        let more = evidence(&["PRAGMA page_count", "SELECT pow(1, 2), power(1, 2)"], &[101, 3]);
        let after = find(&measured(&reached, more), &names());
        assert_eq!(of_kind(&after, GapKind::Pragma), ["sql_trace"]);
        assert_eq!(of_kind(&after, GapKind::SqlFunction), ["load_extension"]);
        assert_eq!(of_kind(&after, GapKind::ResultCode), ["SQLITE_IOERR"]);
    }

    #[test]
    fn each_gap_has_the_target_that_could_or_why_none_can() {
        let gaps = find(&measured(&["start", "machine"], Evidence::default()), &names());
        let target = |name: &str| {
            gaps.iter().find(|gap| gap.name == name).and_then(|gap| gap.target.as_deref()).unwrap()
        };
        assert_eq!(target("xMethod"), "sql: refers to it through aModule: start, which is reached");
        assert_eq!(target("viaMacro"), "sql: refers to it: start, which is reached");
        assert_eq!(target("island"), "none yet: needs a target that calls sqlite3_api or sqlite3_circle");
        assert_eq!(target("sql_trace"), "none: scripts may not run it");
        assert_eq!(target("abs"), "sql, db_sql: a statement that calls it");
        assert_eq!(target("SQLITE_IOERR"), "none yet: needs faults: files that fail");
        // Largest first.
        let sizes: Vec<u64> = gaps.iter().map(|gap| gap.size).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b) && gaps[0].name == "sqlite3_circle", "{sizes:?}");
        let mut text = Vec::new();
        print(&gaps[..1], gaps.len(), &mut text).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("1 of"));
    }

    #[test]
    fn names_are_those_of_this_sqlite() {
        let names = Names::of_this_program();
        assert!(names.functions.contains("abs") && names.functions.contains("load_extension"));
        assert!(names.pragmas.contains("page_count"));
        assert!(Names::of(Path::new("/bin/true")).is_err());
    }
}
