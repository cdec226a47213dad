//! Builds, replays and measures, for `coverage` and `coverage gaps`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tandem::targets::{self, Target};

use super::build::{CoverageBuild, Files, cases};
use super::evidence::Evidence;
use super::export::Detail;
use super::modules::Modules;
use super::reached::Reached;
use crate::build::worker::Identity;
use crate::source::Cases;

/// What to replay.
pub(crate) struct Order<'a> {
    /// Where the cases are.
    pub sources: &'a [PathBuf],
    /// The target of single files.
    pub target: Option<&'static Target>,
    /// Workers.
    pub jobs: usize,
    /// Set to stop.
    pub stop: &'a AtomicBool,
}

/// What cases reach.
pub(crate) struct Measured {
    /// Cases that ran.
    pub cases: u64,
    /// Those with findings.
    pub cases_with_findings: usize,
    /// Cases in which our own code failed: name and message.
    pub harness_errors: Vec<(String, String)>,
    /// By file of C.
    pub files: Files,
    /// Of sqlite3.c.
    pub detail: Detail,
    /// The same for the cases of each target that has any.
    pub by_target: Vec<(&'static str, Detail)>,
    /// What the statements of the cases show.
    pub evidence: Evidence,
    /// The text of sqlite3.c.
    pub source: String,
    /// Its source files.
    pub modules: Modules,
    /// The build.
    pub identity: Identity,
    /// Names the cases that ran, whatever their order.
    pub corpus: CaseSet,
}

impl Measured {
    /// Replays target by target, so that the coverage of each is known.
    ///
    /// # Errors
    /// As [`CoverageBuild::replay`] and [`CoverageBuild::detail`]; no case was run; sqlite3.c is not there any more.
    pub(crate) fn new(build: &CoverageBuild, order: &Order<'_>, mut observer: impl FnMut()) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let path = |name: &str| folder.path().join(format!("{name}.profdata"));
        let mut evidence = Evidence::default();
        let mut corpus = CaseSet::default();
        let mut measured = (0, 0, Vec::new());
        let mut ran: Vec<&'static Target> = Vec::new();
        let wanted = targets::all()
            .iter()
            .copied()
            .filter(|one| order.target.is_none_or(|only| only.name == one.name));
        for target in wanted {
            let cases = of_target(order, target)?;
            if cases.total == 0 || order.stop.load(Ordering::Relaxed) {
                continue;
            }
            let report =
                build.replay_observed(cases, order.jobs, order.stop, &path(target.name), |done| {
                    evidence.add(done);
                    corpus.add(done.target.name, &done.body);
                    observer();
                })?;
            measured.0 += report.cases;
            measured.1 += report.findings.len();
            measured.2.extend(report.harness_errors);
            ran.push(target);
        }
        if ran.is_empty() {
            bail!("no case was run");
        }
        let all = path("all targets");
        build.merge(&ran.iter().map(|target| path(target.name)).collect::<Vec<_>>(), &all)?;
        let files = build.by_file(&all)?;
        let detail = build.detail(&all, &files.source, Some(&files.sqlite))?;
        let of = |target: &&'static Target| {
            Ok((target.name, build.detail(&path(target.name), &files.source, None)?))
        };
        let by_target = ran.iter().map(of).collect::<Result<_>>()?;
        let source = read_source(&files.source)?;
        let (cases, cases_with_findings, harness_errors) = measured;
        let (modules, identity) = (Modules::of(&source), build.worker.identity.clone());
        Ok(Self {
            cases,
            cases_with_findings,
            harness_errors,
            files,
            detail,
            by_target,
            evidence,
            source,
            modules,
            identity,
            corpus,
        })
    }

    /// The totals and those of each module.
    pub(crate) fn reached(&self) -> Reached {
        Reached {
            cases: self.cases,
            total: self.files.sqlite,
            modules: self.detail.by_module(&self.modules),
            html: None,
        }
    }
}

/// Names a set of cases: a sum of hashes, which does not depend on the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CaseSet(u128);

impl CaseSet {
    /// Adds the encoding of a case of a target.
    pub(crate) fn add(&mut self, target: &str, body: &[u8]) {
        let hash = Sha256::new().chain_update(target).chain_update([0]).chain_update(body).finalize();
        let begin = hash[..16].try_into().expect("a digest has 32 bytes");
        self.0 = self.0.wrapping_add(u128::from_le_bytes(begin));
    }
}

impl std::fmt::Display for CaseSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The cases of one target; their number is not known before they are read.
fn of_target(order: &Order<'_>, target: &'static Target) -> Result<Cases> {
    let all = cases(order.sources, order.target)?;
    let mut cases = all.cases.filter(move |case| case.target.name == target.name).peekable();
    let mut some = Cases::default();
    // No worker is started for a target without cases.
    if cases.peek().is_some() {
        some.push(all.total, cases);
    }
    Ok(some)
}

/// sqlite3.c as text; a fork may have names of people in an old encoding.
pub(super) fn read_source(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| {
        format!("{}: the SQLite that was built no longer exists: build it again", path.display())
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::coverage::export::tests::{LCOV, TABLE};

    /// A made amalgamation of two files, with the counts of `export`'s tests.
    pub(crate) fn made() -> Measured {
        let source = "\
/************** Begin file a.c ***********************************************/

int first(){ return a<b; }
/************** End of a.c ***************************************************/
/************** Begin file b.c ***********************************************/
int second(){ return 2; }






int twice(){}
";
        let detail = Detail::parse(TABLE, LCOV).unwrap();
        Measured {
            cases: 7,
            cases_with_findings: 0,
            harness_errors: Vec::new(),
            files: Files { sqlite: detail.total(), ..Files::default() },
            by_target: vec![("sql", detail.clone())],
            detail,
            evidence: Evidence::default(),
            source: source.to_owned(),
            modules: Modules::of(source),
            identity: Identity::of_this_program(),
            corpus: CaseSet::default(),
        }
    }

    #[test]
    fn a_set_of_cases_has_the_same_name_in_any_order() {
        let set = |cases: &[(&str, &str)]| {
            let mut set = CaseSet::default();
            cases.iter().for_each(|(target, body)| set.add(target, body.as_bytes()));
            set.to_string()
        };
        assert_eq!(set(&[("sql", "a"), ("sql", "b")]), set(&[("sql", "b"), ("sql", "a")]));
        assert_ne!(set(&[("sql", "a")]), set(&[("db_sql", "a")]));
        assert_ne!(set(&[("sql", "a")]), set(&[("sql", "a"), ("sql", "a")]));
    }
}
