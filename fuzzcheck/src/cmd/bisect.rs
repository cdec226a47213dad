//! `fuzzcheck bisect`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;

use super::lookup::find;
use super::target_by_name;
use crate::base::{WORKER_MEMORY_MIB, project};
use crate::bisecting::{Bisected, Build, Tried};
use crate::build::arguments::FlavorArgs;
use crate::build::flavor::Flavor;
use crate::build::releases::Releases;
use crate::cli::bisect::BisectArgs;
use crate::lane::Lane;
use crate::replay::Options;
use crate::replay::cut_short::CutShort;
use crate::ui;

/// The lanes in which cases are judged; without assertions many an old bug does not show.
const LANES: [Lane; 6] =
    [Lane::Debug, Lane::Release, Lane::Asan, Lane::Ubsan, Lane::Memdebug, Lane::Valgrind];

pub(super) fn run(args: &BisectArgs) -> Result<ExitCode> {
    let target = target_by_name(args.target.as_deref())?;
    let (named, code) = find(&args.case, &args.corpus, target)?;
    if let Some(folder) = &args.flavor.sqlite {
        bail!("--sqlite {}: what is bisected are releases, also those of --releases DIR", folder.display());
    }
    let hint = args.flavor.sqlite_version.as_deref();
    let flavor = Flavor::new(&FlavorArgs { sqlite_version: None, ..args.flavor.clone() }, &LANES)?;
    let options = Options {
        meets_known_bugs: args.meet_known_bugs,
        limits: (&args.limits).into(),
        timeout_ms: args.timeout_ms,
        worker_memory_mib: WORKER_MEMORY_MIB,
        ..Options::default()
    };
    let project = project();
    let releases = Releases::new(args.flavor.releases.as_deref())?;
    let build = Build {
        flavor: &flavor,
        releases: &releases,
        project: &project,
        may_install: !args.no_install,
        options: &options,
    };
    let Some(bisected) = build.bisect(&named, args.signature.as_deref(), hint)? else {
        let what =
            args.signature.as_ref().map_or("a finding".to_owned(), |signature| format!("`{signature}`"));
        bail!(
            "{}: none of the {} releases shows {what} in the lane {}: try another --lane, --meet-known-bugs, or higher limits",
            named.name,
            releases.names().len(),
            flavor.lane
        );
    };
    let document = Document::new(&named.name, flavor.lane, &bisected);
    if args.json {
        let document = serde_json::to_string_pretty(&document)?;
        ui::line(format_args!("{document}"))?;
    } else {
        ui::print(|out| print(&bisected, out))?;
    }
    Ok(code)
}

fn print(bisected: &Bisected, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{}", bisected.signature)?;
    for tried in &bisected.tried {
        writeln!(out, "  {:<8} {}", tried.version, tried.in_words())?;
    }
    writeln!(out, "fuzzcheck: {}", bisected.in_words())?;
    Ok(())
}

/// For machines.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    case: &'a str,
    lane: &'a str,
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
    fn new(case: &'a str, lane: Lane, bisected: &'a Bisected) -> Self {
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
            lane: lane.name(),
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
