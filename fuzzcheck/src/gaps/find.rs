//! See [`super`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tandem::engine::sqlite::Executor;
use tandem::sql::vocabulary::{DENIED_FUNCTIONS, is_denied_pragma};

use super::graph::{Graph, Way};
use super::labels::{Label, labels};
use super::{names, reasons};
use crate::campaign::record::{Gap, GapKind};
use crate::coverage::export::Function;
use crate::coverage::measure::Measured;

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
                "none: a script may not call it".to_owned()
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
                "none: a script may not run it"
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
            Ok(Way { from, through }) => {
                let targets = self.targets_of(from).join(", ");
                let via = match through.as_slice() {
                    [] => String::new(),
                    through => format!(" through {}", through.join(", ")),
                };
                format!("{targets}: refers to it{via}: {}, which is reached", self.all()[from].name)
            }
            Err(roots) => {
                let api: Vec<&str> = roots
                    .iter()
                    .map(String::as_str)
                    .filter(|root| root.starts_with("sqlite3_"))
                    .take(3)
                    .collect();
                if api.is_empty() {
                    "none: nothing that is compiled in refers to it".to_owned()
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
