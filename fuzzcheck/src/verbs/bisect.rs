//! `fuzzcheck bisect`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB, project};
use crate::bisecting::{Bisected, Build, Other, Tried};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::releases::Releases;
use crate::build_kind::BuildKind;
use crate::differential::named;
use crate::replay::Options;
use crate::replay::arguments::LimitArgs;
use crate::replay::cut_short::CutShort;
use crate::replay::oracles::Oracles;
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::lookup::find;
use crate::verbs::shared::target_by_name;

/// Find the first and the last release in which a case shows its bug.
///
/// Searches the releases that crates bundle, or your own (--releases DIR). Exit codes: 0 found, 2 wrong
/// usage, or a case that shows nothing in any release.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with a case, or the id of one in the corpora, which may be shortened.
    case: String,
    /// Where to look for an id [default: corpus/]
    #[arg(long, value_name = "PATH")]
    corpus: Vec<PathBuf>,
    /// Run a single file on this target instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The signature to look for [default: the most important one of the first release that shows any]
    #[arg(long, value_name = "SIGNATURE")]
    signature: Option<String>,
    /// Limits.
    #[command(flatten)]
    limits: LimitArgs,
    /// The configuration [default: --build debug; release with --differential]. --sqlite-version names a release that
    /// shows the bug, which is then tried first.
    #[command(flatten)]
    configuration: ConfigurationArgs,
    /// For a difference: the configuration that each release is compared with, as for `compare engines`.
    #[arg(long, value_name = "CONFIGURATION")]
    differential: Option<String>,
    /// Do not steer around known bugs of SQLite.
    #[arg(long)]
    meet_known_bugs: bool,
    /// CPU milliseconds after which the case counts as a hang.
    #[arg(long, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// The builds to bisect with; many old bugs do not show without assertions.
const BUILDS: [BuildKind; 6] = [
    BuildKind::Debug,
    BuildKind::Release,
    BuildKind::Asan,
    BuildKind::Ubsan,
    BuildKind::Memdebug,
    BuildKind::Valgrind,
];

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let target = target_by_name(self.target.as_deref())?;
        let (case, code) = find(&self.case, &self.corpus, target)?;
        if let Some(folder) = &self.configuration.sqlite {
            bail!(
                "--sqlite {}: only releases can be bisected, including those of --releases DIR",
                folder.display()
            );
        }
        let hint = self.configuration.sqlite_version.as_deref();
        let default = if self.differential.is_some() { BuildKind::Release } else { BUILDS[0] };
        let configuration = Configuration::new(
            &ConfigurationArgs {
                sqlite_version: None,
                build: self.configuration.build.or(Some(default)),
                ..self.configuration.clone()
            },
            &BUILDS,
        )?;
        let options = Options {
            meets_known_bugs: self.meet_known_bugs,
            oracles: Oracles::for_bug(self.signature.as_deref()),
            limits: (&self.limits).into(),
            timeout_ms: self.timeout_ms,
            worker_memory_mib: WORKER_MEMORY_MIB,
            ..Options::default()
        };
        let project = project();
        let releases = Releases::new(self.configuration.releases.as_deref())?;
        let other = self.differential.as_deref();
        let other = other
            .map(|name| named::build(name, options.clone(), &project, !self.no_install))
            .transpose()
            .context("--differential")?;
        let build = Build {
            configuration: &configuration,
            releases: &releases,
            project: &project,
            may_install: !self.no_install,
            options: &options,
            other: other.map(|build| Other { build, is_unoptimized: false, skips_unknown: false }),
        };
        let Some(bisected) = build.bisect(&case, self.signature.as_deref(), hint)? else {
            let what =
                self.signature.as_ref().map_or("a finding".to_owned(), |signature| format!("`{signature}`"));
            let other = self.differential.as_ref().map_or(String::new(), |name| format!(" beside {name}"));
            bail!(
                "{}: none of the {} releases shows {what} in the {} build{other}: try another --build, --meet-known-bugs, or higher limits",
                case.name,
                releases.names().len(),
                configuration.build
            );
        };
        let document = Document::new(self, &case.name, configuration.build, &bisected);
        if self.json {
            let document = serde_json::to_string_pretty(&document)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| print(&bisected, out))?;
        }
        Ok(code)
    }
}

fn print(bisected: &Bisected, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{}", bisected.signature)?;
    for tried in &bisected.tried {
        writeln!(out, "  {:<8} {}", tried.version, tried.in_words())?;
    }
    writeln!(out, "fuzzcheck: {}", bisected.in_words())?;
    Ok(())
}

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    case: &'a str,
    build: &'a str,
    /// What each release was compared with.
    differential: Option<&'a str>,
    signature: &'a str,
    since: &'a str,
    until: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
    again_in: Vec<&'a str>,
    releases: Vec<Release<'a>>,
}

#[derive(Serialize)]
struct Release<'a> {
    version: &'a str,
    source_id: Option<&'a str>,
    signatures: Vec<&'a str>,
    cut_short: &'a [CutShort],
    error: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn new(args: &'a Args, case: &'a str, build: BuildKind, bisected: &'a Bisected) -> Self {
        let release = |tried: &'a Tried| {
            let (seen, error) = match &tried.shown {
                Ok(seen) => (Some(seen), None),
                Err(error) => (None, Some(error.as_str())),
            };
            let bugs = seen.iter().flat_map(|(_, bugs)| bugs).map(|bug| bug.signature.as_str());
            Release {
                version: &tried.version,
                source_id: seen.map(|(source_id, _)| source_id.as_str()),
                signatures: bugs.collect(),
                cut_short: &tried.cut_short,
                error,
            }
        };
        Self {
            version: 1,
            case,
            build: build.name(),
            differential: args.differential.as_deref(),
            signature: &bisected.signature,
            since: bisected.since(),
            until: bisected.until(),
            before: bisected.before(),
            after: bisected.after(),
            again_in: bisected.strays(),
            releases: bisected.tried.iter().map(release).collect(),
        }
    }
}
