//! Releases, and what a case shows in them.

use std::path::Path;
use std::thread;

use anyhow::{Context, Result, bail};

use super::{Found, Range, Shows, search};
use crate::build::configuration::Configuration;
use crate::build::releases::Releases;
use crate::build::worker::Worker;
use crate::differential::{self, DifferentialRunner};
use crate::replay::client::Client;
use crate::replay::cut_short::{self, CutShort};
use crate::replay::protocol::{CaseResult, Job};
use crate::replay::{FoundBug, Options};
use crate::source::NamedCase;

/// What a release of SQLite did with a case.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    /// The version.
    pub version: String,
    /// `sqlite3_sourceid()` and the bugs; an error where it could not be tried.
    pub shown: Result<(String, Vec<FoundBug>), String>,
    /// The limits that ended it early.
    pub cut_short: Vec<CutShort>,
}

impl Tried {
    /// What it showed, in words.
    pub(crate) fn in_words(&self) -> String {
        match &self.shown {
            Ok((_, bugs)) if bugs.is_empty() && !self.cut_short.is_empty() => {
                format!("nothing, but it was cut short: {}", cut_short::in_words(&self.cut_short))
            }
            Ok((_, bugs)) if bugs.is_empty() => "nothing".to_owned(),
            Ok((_, bugs)) => bugs.iter().map(|bug| bug.signature.as_str()).collect::<Vec<_>>().join(", "),
            Err(why) => format!("not tried: {}", why.lines().next().unwrap_or_default()),
        }
    }

    /// Whether it shows the bug of this signature.
    pub(crate) fn shows(&self, signature: &str) -> Shows {
        match &self.shown {
            Ok((_, bugs)) if bugs.iter().any(|bug| bug.signature == signature) => Shows::Bug,
            Ok(_) => Shows::Not,
            Err(_) => Shows::Unknown,
        }
    }
}

/// The releases that show a bug.
pub(crate) struct Bisected {
    /// The bug.
    pub signature: String,
    /// What was tried, oldest first.
    pub tried: Vec<Tried>,
    /// All releases.
    names: Vec<String>,
    range: Range,
    found: Found,
}

impl Bisected {
    /// The first release that shows it.
    pub(crate) fn since(&self) -> &str {
        &self.names[self.range.first]
    }

    /// The last release that shows it.
    pub(crate) fn until(&self) -> &str {
        &self.names[self.range.last]
    }

    /// The last release before that does not; `None` if the bug is as old as what can be tried.
    pub(crate) fn before(&self) -> Option<&str> {
        self.range.before.map(|at| self.names[at].as_str())
    }

    /// The first release behind that does not; `None` if the bug is still there.
    pub(crate) fn after(&self) -> Option<&str> {
        self.range.after.map(|at| self.names[at].as_str())
    }

    /// Releases that show it outside of that.
    pub(crate) fn strays(&self) -> Vec<&str> {
        self.found.strays(self.range).into_iter().map(|at| self.names[at].as_str()).collect()
    }

    /// All of it in words.
    pub(crate) fn in_words(&self) -> String {
        let before = match self.before() {
            Some(version) => format!("{version} does not show it"),
            None => "the oldest release that can be tried".to_owned(),
        };
        let after = match self.after() {
            Some(version) => format!("{version} does not show it"),
            None => "the newest release that can be tried".to_owned(),
        };
        let strays = self.strays();
        let also =
            if strays.is_empty() { String::new() } else { format!("; and again in {}", strays.join(", ")) };
        format!("since {} ({before}), until {} ({after}){also}", self.since(), self.until())
    }
}

/// How releases are built, and cases run in them.
pub(crate) struct Build<'a> {
    /// The build, and what is built in beside SQLite.
    pub configuration: &'a Configuration,
    /// The releases.
    pub releases: &'a Releases,
    /// The working copy.
    pub project: &'a Path,
    /// Whether missing tools may be installed.
    pub may_install: bool,
    /// How cases run.
    pub options: &'a Options,
    /// What each release is compared with, where the bug is a difference.
    pub other: Option<Other>,
}

/// See [`Build::other`].
pub(crate) struct Other {
    /// The other one.
    pub build: differential::Build,
    /// Whether the query optimizations of the releases are off.
    pub is_unoptimized: bool,
    /// Whether what one of the two does not know is no difference, as in simulations.
    pub skips_unknown: bool,
}

/// `sqlite3_sourceid()` of a release, its bugs, and the limits that ended it early.
type Shown = (String, Vec<FoundBug>, Vec<CutShort>);

impl Build<'_> {
    /// Looks for the releases that show `signature`, or whatever the first release that shows anything shows. `hint` is a
    /// release that is likely to. `None` if none does.
    ///
    /// # Errors
    /// `hint` is none of the releases; none could be tried at all.
    pub(crate) fn bisect(
        &self,
        named: &NamedCase,
        signature: Option<&str>,
        hint: Option<&str>,
    ) -> Result<Option<Bisected>> {
        let hint = hint.map(|name| self.releases.position(name)).transpose()?;
        let names: Vec<&str> = self.releases.names().collect();
        let mut signature = signature.map(str::to_owned);
        let mut all: Vec<Tried> = Vec::new();
        let searched = search(names.len(), hint, |batch| {
            let versions: Vec<&str> = batch.iter().map(|&at| names[at]).collect();
            let tried = self.try_all(&versions, named);
            tried
                .iter()
                .for_each(|tried| eprintln!("fuzzcheck: SQLite {}: {}", tried.version, tried.in_words()));
            let bugs = tried.iter().find_map(|tried| tried.shown.as_ref().ok()?.1.first());
            if let (None, Some(bug)) = (&signature, bugs) {
                signature = Some(bug.signature.clone());
            }
            let wanted = signature.as_deref().unwrap_or_default();
            let shows = tried.iter().map(|tried| tried.shows(wanted)).collect();
            all.extend(tried);
            Ok(shows)
        })?;
        if let Some(Tried { shown: Err(why), .. }) = all.first()
            && all.iter().all(|tried| tried.shown.is_err())
        {
            bail!("no release could be tried: {why}");
        }
        all.sort_by_key(|tried| names.iter().position(|name| *name == tried.version));
        let of = |(found, range)| Bisected {
            signature: signature.unwrap_or_default(),
            tried: all,
            names: names.into_iter().map(str::to_owned).collect(),
            range,
            found,
        };
        Ok(searched.map(of))
    }

    /// Runs a case in some releases, each in a thread of its own: compiling SQLite takes one core.
    pub(crate) fn try_all(&self, releases: &[&str], named: &NamedCase) -> Vec<Tried> {
        let try_one = |version: &str| {
            let (shown, cut_short) = match self.shown(version, named) {
                Ok((source_id, bugs, cut_short)) => (Ok((source_id, bugs)), cut_short),
                Err(error) => (Err(format!("{error:#}")), Vec::new()),
            };
            Tried { version: version.to_owned(), shown, cut_short }
        };
        thread::scope(|scope| {
            let tries: Vec<_> = releases.iter().map(|version| scope.spawn(|| try_one(version))).collect();
            tries.into_iter().map(|tried| tried.join().expect("a try does not panic")).collect()
        })
    }

    fn shown(&self, version: &str, named: &NamedCase) -> Result<Shown> {
        let configuration = self.configuration.of_release(self.releases, version)?;
        let worker = Worker::build(&configuration, self.project, self.may_install)?;
        let source_id = worker.identity.source_id.clone();
        let Some(Other { build, is_unoptimized, skips_unknown }) = &self.other else {
            let result = run_in(&worker, self.options, named)?;
            let cut_short = CutShort::by_limit([&result.cut_short]);
            return Ok((source_id, result.bugs, cut_short));
        };
        let options = worker.options(self.options.clone());
        let release =
            differential::Build { program: worker.program, options, is_unoptimized: *is_unoptimized };
        let mut runner = DifferentialRunner::new(&[release, build.clone()])?;
        if *skips_unknown {
            runner.skip_unknown();
        }
        let comparison = runner.check(named.clone())?.comparison;
        if comparison.differences.is_empty() && !comparison.is_end_compared {
            // That nothing was seen says nothing of the release.
            let reasons: Vec<&str> = comparison.skipped.keys().map(String::as_str).collect();
            bail!("not compared to its end: {}", reasons.join(", "));
        }
        Ok((source_id, runner.unexplained(comparison), Vec::new()))
    }
}

/// Runs a case in a build.
///
/// # Errors
/// If no worker can be started, or our own code fails.
pub(crate) fn run_in(worker: &Worker, options: &Options, named: &NamedCase) -> Result<CaseResult> {
    let options = Options { has_digests: true, ..worker.options(options.clone()) };
    let NamedCase { target, heap_bytes, case, .. } = named;
    let job = Job { index: 1, target, heap_bytes: *heap_bytes, body: case.encode(), exploration: None };
    let (outcomes, _) = Client::new(&worker.program, &options)?.run_watched(vec![job])?;
    let outcome = outcomes.into_iter().next().context("the worker says nothing of the case")?;
    match outcome.harness_error {
        Some(message) => bail!("a worker failed, which is a bug in Tandem: {message}"),
        None => Ok(outcome.result),
    }
}
