//! `fuzzcheck handover`.

mod output;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use self::output::{print_json, print_text};
use super::show;
use crate::base::{TIMEOUT_MS, WORKER_MEMORY_MIB, project};
use crate::bisecting::{Build, Tried, run_in};
use crate::build::arguments::ConfigurationArgs;
use crate::build::configuration::Configuration;
use crate::build::releases::Releases;
use crate::build::worker::Worker;
use crate::build_kind::BuildKind;
use crate::files;
use crate::handover::finding::Seen;
use crate::handover::report::{self, Context};
use crate::handover::{Form, Handed, pair, posix, rust, shell};
use crate::replay::Options;
use crate::replay::oracles::Oracles;
use crate::replay::protocol::CaseResult;
use crate::source::NamedCase;
use crate::verbs::Verb;
use crate::verbs::lookup::find;
use crate::verbs::run::output::run_command;
use crate::verbs::shared::{check_plant, target_by_name};

/// Write a case for someone without Tandem: report, scripts, files, a Rust test.
///
/// Runs the case first: report and test say what it showed. Exit codes: 0 written, 2 wrong usage or a case that
/// shows nothing, or something else than --signature; then nothing is written. Says what each form cannot express.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with a case, or the id of one in the corpora, which may be shortened.
    case: String,
    /// Folder to write to. Existing files must have the same content.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The forms; case.tandem, the case itself, is always written [default: all]
    #[arg(long = "form", value_name = "FORM,...", value_enum, value_delimiter = ',')]
    forms: Vec<FormArg>,
    /// Where to look for an id [default: corpus/]
    #[arg(long, value_name = "PATH")]
    corpus: Vec<PathBuf>,
    /// Run a single file on this target instead of the one detected.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// The signature to hand over; if the case shows another one, nothing is written [default: the
    /// most important one]
    #[arg(long, value_name = "SIGNATURE")]
    signature: Option<String>,
    /// Hand over a case even if it shows no finding.
    #[arg(long, conflicts_with = "signature")]
    without_finding: bool,
    /// Also run the case on these releases, in the same build, for the table of the report; the sqlite3.c of each is compiled
    /// the first time. `all` stands for all that `--sqlite-version help` lists.
    #[arg(long, value_name = "VERSION,...", value_delimiter = ',')]
    versions: Vec<String>,
    /// Find the first and last release with the bug, for the report (see `bisect`).
    #[arg(long)]
    bisect: bool,
    /// The build to run the case in [default: release]
    #[command(flatten)]
    configuration: ConfigurationArgs,
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
    /// Plant a bug by name, to check that it is found (see `doctor selftest`).
    #[arg(long, value_name = "NAME", hide = true)]
    plant: Option<String>,
}

/// A form in which a case is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormArg {
    /// case.txt: settings, files page by page and SQL, to read.
    Text,
    /// shell.sql: a script for the sqlite3 shell, the database inline.
    Script,
    /// repro.sh: writes all files byte for byte and runs the sqlite3 shell ($SQLITE3) on them; POSIX sh and base64.
    Sh,
    /// files/: main.db, main.db-wal and so on as they are, beside case.sql.
    Files,
    /// case.rs: a Rust test that needs rusqlite with its feature `bundled`, and asserts what should hold.
    Rust,
    /// report.md: a bug report, with the build, the finding, the case and a table of versions.
    Report,
}

/// The name of the file with the case itself.
const CASE: &str = "case.tandem";
/// The name of the folder with its files.
const FILES: &str = "files";

/// A file to write, with what it cannot express of the case.
struct Output {
    name: PathBuf,
    form: Form,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        check_plant(self.plant.as_deref())?;
        let target = target_by_name(self.target.as_deref())?;
        let (named, code) = find(&self.case, &self.corpus, target)?;
        let releases = Releases::new(self.configuration.releases.as_deref())?;
        let asked = asked(&self.versions, &releases)?;
        let configuration = Configuration::new(&self.configuration, &BuildKind::JUDGING)?;
        let worker = Worker::build(&configuration, &project(), !self.no_install)?;
        let options = options(self);
        let seen = Seen::new(&worker, expected(run_in(&worker, &options, &named)?, self, &named, &worker)?);
        let oracles = Oracles::for_signature(seen.bug().map_or("", |bug| &bug.signature));
        let (project, options) = (project(), Options { oracles, ..options });
        let build = Build {
            configuration: &configuration,
            releases: &releases,
            project: &project,
            may_install: !self.no_install,
            options: &options,
            other: None,
        };
        let others = try_releases(&asked, &build, self, &named, &seen)?;
        let handed = Handed::new(&named)?;
        let command =
            run_command(&self.to.join(CASE), named.target, named.heap_bytes, &options, &configuration);
        let outputs = outputs(self, &named, &handed, &seen, &others, &releases, &command)?;
        write_all(&self.to, &outputs)?;
        if self.json {
            print_json(self, &handed, &seen, &others, &outputs, &command)?;
        } else {
            print_text(self, &seen, &others, &outputs, &command)?;
        }
        let failed =
            others.tried.iter().filter_map(|tried| Some((&tried.version, tried.shown.as_ref().err()?)));
        let failed: Vec<String> = failed.map(|(version, why)| format!("{version}: {why}")).collect();
        if !failed.is_empty() {
            bail!("everything is written, but some releases could not be tried: {}", failed.join("; "));
        }
        Ok(code)
    }
}

fn options(args: &Args) -> Options {
    Options {
        oracles: Oracles::for_bug(args.signature.as_deref()),
        plant: args.plant.clone(),
        meets_known_bugs: args.meet_known_bugs,
        timeout_ms: args.timeout_ms,
        worker_memory_mib: WORKER_MEMORY_MIB,
        ..Options::default()
    }
}

/// The requested releases, each once; `all` is all of them.
fn asked<'a>(versions: &'a [String], releases: &'a Releases) -> Result<BTreeSet<&'a str>> {
    if versions.iter().any(|version| version == "all") {
        return Ok(releases.names().collect());
    }
    versions.iter().map(|version| releases.position(version).map(|_| version.as_str())).collect()
}

/// The result, with the bug to hand over first.
fn expected(mut result: CaseResult, args: &Args, named: &NamedCase, worker: &Worker) -> Result<CaseResult> {
    let found =
        || result.bugs.iter().map(|bug| format!("`{}`", bug.signature)).collect::<Vec<_>>().join(", ");
    let (case, build) = (&named.name, &worker.configuration);
    if let Some(signature) = &args.signature {
        let at = result.bugs.iter().position(|bug| bug.signature == *signature);
        match at {
            Some(at) => result.bugs[..=at].rotate_right(1),
            None if result.bugs.is_empty() => bail!("{case} shows nothing in {build}, so not `{signature}`"),
            None => bail!("{case} shows {} in {build}, not `{signature}`", found()),
        }
    } else if result.bugs.is_empty() && !args.without_finding {
        let provenance = named.provenance.as_ref().and_then(|provenance| provenance.signature.as_ref());
        let provenance =
            provenance.map_or(String::new(), |signature| format!("; the corpus has it for `{signature}`"));
        bail!(
            "{case} shows no finding in {build}{provenance}. Another --build or --sqlite-version may show one, and so may \
             --meet-known-bugs; --without-finding hands it over as it is"
        );
    }
    Ok(result)
}

/// What other releases show.
struct Others {
    /// Those that were tried, oldest first.
    tried: Vec<Tried>,
    /// Those that show the bug, in words, where they were looked for.
    range: Option<String>,
}

/// What the requested releases show.
fn try_releases(
    asked: &BTreeSet<&str>,
    build: &Build<'_>,
    args: &Args,
    named: &NamedCase,
    seen: &Seen,
) -> Result<Others> {
    let (mut tried, mut range) = (Vec::new(), None);
    if args.bisect {
        let bug = seen.bug().context("--bisect: the case shows nothing to search for")?;
        let bisected = build.bisect(named, Some(&bug.signature), build.configuration.release())?;
        range = Some(match &bisected {
            Some(bisected) => bisected.in_words(),
            None => "in none of the releases".to_owned(),
        });
        tried = bisected.map_or_else(Vec::new, |bisected| bisected.tried);
    }
    let order: Vec<&str> = build.releases.names().collect();
    let is_left =
        |version: &&str| asked.contains(*version) && tried.iter().all(|tried| tried.version != **version);
    let left: Vec<&str> = order.iter().copied().filter(|version| is_left(version)).collect();
    left.chunks(2).for_each(|some| tried.extend(build.try_all(some, named)));
    tried.sort_by_key(|tried| order.iter().position(|version| *version == tried.version));
    Ok(Others { tried, range })
}

/// Everything that is written.
fn outputs(
    args: &Args,
    named: &NamedCase,
    handed: &Handed,
    seen: &Seen,
    others: &Others,
    releases: &Releases,
    command: &str,
) -> Result<Vec<Output>> {
    let Others { tried, range } = others;
    let range = range.as_deref();
    let has = |form: FormArg| args.forms.is_empty() || args.forms.contains(&form);
    let whole = |content: Vec<u8>| Form { content, losses: Vec::new() };
    let mut outputs = Vec::new();
    let mut put = |name: PathBuf, form: Form| outputs.push(Output { name, form });
    put(CASE.into(), whole(named.case.encode()));
    if has(FormArg::Text) {
        let mut text = Vec::new();
        show::readable(&named.case, &mut text)?;
        put("case.txt".into(), whole(text));
    }
    if has(FormArg::Script) {
        put("shell.sql".into(), shell::write(handed, Some(seen)));
    }
    let repro = posix::write(handed, seen);
    let report = has(FormArg::Report).then(|| {
        let attached =
            [(FormArg::Sh, "`repro.sh`"), (FormArg::Files, "`files/`"), (FormArg::Rust, "`case.rs`")];
        let mut attachments: Vec<&'static str> = vec!["`case.tandem`"];
        attachments.extend(attached.into_iter().filter(|(form, _)| has(*form)).map(|(_, name)| name));
        let is_untried =
            |version: &&str| *version != seen.version && tried.iter().all(|tried| tried.version != *version);
        let untried: Vec<&str> = releases.names().filter(is_untried).collect();
        let (repro, attachments, untried) = (&repro.content[..], &attachments[..], &untried[..]);
        report::write(handed, &Context { seen, command, repro, attachments, tried, range, untried })
    });
    if has(FormArg::Sh) {
        put("repro.sh".into(), repro);
    }
    if has(FormArg::Files) {
        for (name, content) in handed.case.files.iter() {
            if name.as_str() == pair::SCRIPT {
                bail!(
                    "the case has a file {name} itself, where the statements would go: leave out the form `files`"
                );
            }
            put(Path::new(FILES).join(name.as_str()), whole(content.to_vec()));
        }
        put(Path::new(FILES).join(pair::SCRIPT), pair::script(handed, seen));
    }
    if has(FormArg::Rust) {
        put("case.rs".into(), rust::write(handed, seen));
    }
    if let Some(report) = report {
        put("report.md".into(), report);
    }
    Ok(outputs)
}

/// Writes all files, or none if one exists with other content: it may be someone's only copy.
fn write_all(folder: &Path, outputs: &[Output]) -> Result<()> {
    for Output { name, form } in outputs {
        let path = folder.join(name);
        files::refuse_special(&path)?;
        if path.exists() {
            let there = fs::read(&path).with_context(|| format!("{}", path.display()))?;
            if there != form.content {
                bail!(
                    "{}: exists already with other content: name another folder, or remove it",
                    path.display()
                );
            }
        }
    }
    // SQLite would take the log of another case beside the database for its own.
    let inner = folder.join(FILES);
    if inner.is_dir() && outputs.iter().any(|output| output.name.starts_with(FILES)) {
        let is_ours = |path: &PathBuf| outputs.iter().any(|output| folder.join(&output.name) == *path);
        if let Some(path) = files::in_folder(&inner)?.iter().find(|path| !is_ours(path)) {
            bail!("{}: does not belong to this case: name another folder, or remove it", path.display());
        }
    }
    for Output { name, form } in outputs {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
        files::write(&path, &form.content)?;
    }
    Ok(())
}
