//! What a simulation leaves in its folder.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use serde::Serialize;
use tandem::TestCase;
use tandem::generators::simulation::Simulation;
use tandem::minimize::Part;
use tandem::sql::{self, tree::Kind};
use tandem::targets::SQL;
use tandem::testcase::{MAIN_DB, OpenConfig};

use super::count::title;
use super::{Finding, Outcome, Simulator, Verdict, dump};
use crate::files;
use crate::minimizing::arguments::SearchArgs;
use crate::minimizing::work::Work;
use crate::replay::protocol::Files;

/// An object of the schema.
#[derive(Serialize)]
struct Object<'s> {
    r#type: &'s str,
    name: &'s str,
    table: &'s str,
    sql: &'s str,
}

/// Writes all but the smaller scripts; `repeat` is the command that does it again.
///
/// # Errors
/// If a file cannot be written, or no worker started.
pub(crate) fn write(
    folder: &Path,
    simulation: &Simulation,
    outcome: &Outcome,
    simulator: &Simulator,
    repeat: &str,
    keeps_files: bool,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    files::write(&folder.join("test.sql"), script(simulation, outcome, repeat).as_bytes())?;
    let object = |[kind, name, table, sql]: &'_ [String; 4]| {
        serde_json::to_value(Object { r#type: kind, name, table, sql }).expect("it is plain data")
    };
    let schema: Vec<serde_json::Value> = simulation.schema.iter().map(object).collect();
    files::write(&folder.join("schema.json"), serde_json::to_string_pretty(&schema)?.as_bytes())?;
    files::write(&folder.join("coverage.txt"), simulation.coverage.to_string().as_bytes())?;
    let left = simulator.files_left(&outcome.case)?;
    for (side, files) in ["a", "b"].iter().zip(left) {
        let text = end_state(files.as_ref(), &simulator.names[usize::from(*side == "b")])?;
        files::write(&folder.join(format!("{side}.sql")), text.as_bytes())?;
        for (name, content) in files.iter().flatten().filter(|_| keeps_files) {
            let end = name.strip_prefix(MAIN_DB).unwrap_or(name);
            files::write(&folder.join(format!("{side}.db{end}")), content)?;
        }
    }
    Ok(())
}

/// All statements; those that did not pass have a comment that says what they came to.
fn script(simulation: &Simulation, outcome: &Outcome, repeat: &str) -> String {
    let mut text = format!("-- {repeat}\n");
    for (index, (step, verdict)) in simulation.steps.iter().zip(&outcome.steps).enumerate() {
        if *verdict != Verdict::Pass {
            writeln!(text, "-- {}", title(simulation, index, verdict)).expect("it is a String");
        }
        writeln!(text, "{};", step.sql).expect("it is a String");
    }
    for verdict in outcome.end.iter().filter(|verdict| **verdict != Verdict::Pass) {
        writeln!(text, "-- at the end: {verdict:?}").expect("it is a String");
    }
    text
}

/// What an engine left, as SQL.
fn end_state(files: Option<&Files>, name: &str) -> Result<String> {
    let Some(files) = files else {
        return Ok(format!("-- {name} left no files: it died, or keeps none\n"));
    };
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content)
            .with_context(|| format!("{}", folder.path().display()))?;
    }
    let path = folder.path().join(MAIN_DB);
    if !path.exists() {
        return Ok(format!("-- {name} left no database\n"));
    }
    Ok(dump::script(&path).unwrap_or_else(|error| format!("-- what {name} left cannot be read: {error:#}\n")))
}

/// A smaller script.
pub(crate) struct Minimized {
    /// Where it is: readable if it is SQL alone.
    pub path: PathBuf,
    /// The case.
    pub case: TestCase,
    /// The optimizations without which the difference is gone.
    pub needs: Vec<&'static str>,
}

/// Words of a small script that tell what it is about, in lower case: one signature stands for many bugs.
#[rustfmt::skip]
const TELLING: [&str; 42] = [
    "RETURNING", "UPDATE", "DELETE", "REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK", "CONFLICT", "WITHOUT", "STRICT", "LEFT", "RIGHT", "FULL",
    "CROSS", "NATURAL", "USING", "GROUP", "HAVING", "DISTINCT", "WINDOW", "OVER", "UNION", "EXCEPT", "INTERSECT", "LIMIT", "WITH", "RECURSIVE", "EXISTS",
    "IN", "LIKE", "GLOB", "COLLATE", "INDEX", "TRIGGER", "VIEW", "ALTER", "SAVEPOINT", "CASE", "CAST", "BETWEEN", "GENERATED",
];

/// What a small script is about: its telling words, and the functions that it calls.
pub(crate) fn subject(case: &TestCase) -> Vec<String> {
    let text = case.sql.as_bytes();
    let mut words = BTreeSet::new();
    for range in sql::statements(text) {
        let statement = text[range].trim_ascii_end();
        let statement = statement.strip_suffix(b";").unwrap_or(statement);
        let tokens = sql::tokenize(statement).into_iter();
        let keywords = tokens.filter_map(|token| sql::keyword(&statement[token.range]));
        words.extend(keywords.filter(|word| TELLING.contains(word)).map(str::to_ascii_lowercase));
        if let Some(tree) = sql::tree::parse(statement) {
            tree.visit(&mut |node| {
                let name = (node.kind == Kind::FunctionName).then(|| node.as_text()).flatten();
                words.extend(name.map(str::to_ascii_lowercase));
            });
        }
    }
    words.into_iter().collect()
}

/// Makes the script of a finding smaller.
///
/// # Errors
/// If it does not show the finding any more, or cannot be run.
pub(crate) fn minimize(
    folder: &Path,
    finding: &Finding,
    simulator: &Simulator,
    limits: &SearchArgs,
    stop: &Arc<AtomicBool>,
) -> Result<Minimized> {
    let work = Work {
        probes: &simulator.probes(finding),
        slowness: 1,
        parts: Part::ALL.to_vec(),
        limits: limits.clone(),
        stop: Arc::clone(stop),
        is_fresh: true,
    };
    let name = format!("minimized-{}", slug(&finding.signature));
    let whole = folder.join(&name);
    let smaller = work.run(&finding.case, &SQL, Some(&finding.signature), &whole, |_, _| ())?;
    let needs = smaller.guilty;
    let is_script = smaller.case.files.is_empty() && smaller.case.config == OpenConfig::default();
    if !is_script {
        return Ok(Minimized { path: whole, case: smaller.case, needs });
    }
    let path = folder.join(format!("{name}.sql"));
    files::write(&path, smaller.case.sql.as_bytes())?;
    std::fs::remove_file(&whole).ok();
    Ok(Minimized { path, case: smaller.case, needs })
}

/// A signature as the name of a file.
pub(crate) fn slug(signature: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    signature.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_script_is_about_its_telling_words_and_functions() {
        let about = |text: &str| subject(&TestCase::from_sql(text)).join("+");
        assert_eq!(about("CREATE TABLE t(a REAL); INSERT INTO t VALUES(1) RETURNING *"), "returning");
        assert_eq!(about("SELECT json_valid(NULL)"), "json_valid");
        assert_eq!(
            about("UPDATE t SET a = abs(a); DELETE FROM t WHERE a IN (SELECT 1)"),
            "abs+delete+in+update"
        );
        assert_eq!(about("SELECT a FROM t"), "");
    }
}
