//! The verbs of the command line, one file each: its arguments, whose doc comments are the help, and what it does.
//!
//! A verb is added by its file, with an `Args` that is a [`Verb`], and by one line in [`SECTIONS`], or in the `VERBS` of its
//! group, beside the `mod` line: parser, help and dispatcher come from that. (The `mod` line is no part of a macro, since
//! rustfmt passes over modules that are declared in one.)

mod bisect;
mod compare;
mod compose;
mod corpus;
mod coverage;
mod doctor;
mod explore;
mod faults;
mod fuzz;
mod handover;
mod identity;
mod inspect;
mod lookup;
mod minimize;
mod names;
mod nightly;
mod oss_fuzz;
mod report;
mod run;
mod shared;
mod show;
mod simulate;
mod triage;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{ArgMatches, Command};
use tandem::Registry;

use crate::base::EXIT_ERROR;
use crate::ui;

/// What `--help` shows, in this order: a heading, and what stands below it.
const SECTIONS: &[(&str, &[Listed])] = &[
    (
        "Getting started",
        &[
            verb::<doctor::Args>("doctor").with(doctor::VERBS),
            verb::<fuzz::Args>("fuzz"),
            verb::<run::Args>("run"),
            verb::<faults::Args>("faults"),
            verb::<explore::Args>("explore"),
            verb::<nightly::Args>("nightly"),
            verb::<report::Args>("report"),
        ],
    ),
    (
        "From a crash to a bug report",
        &[
            verb::<triage::Args>("triage"),
            verb::<compose::Args>("compose"),
            verb::<show::Args>("show"),
            verb::<minimize::Args>("minimize"),
            verb::<bisect::Args>("bisect"),
            verb::<handover::Args>("handover"),
        ],
    ),
    (
        "Groups of verbs",
        &[
            group("corpus", "Corpus databases", corpus::VERBS),
            group("inspect", "Look into SQLite's files, byte for byte", inspect::VERBS),
            group("compare", "Compare builds, engines or mutators", compare::VERBS),
            verb::<simulate::Args>("simulate").with(simulate::VERBS),
            verb::<coverage::Args>("coverage").with(coverage::VERBS),
            group("oss-fuzz", "What OSS-Fuzz builds and runs", oss_fuzz::VERBS),
        ],
    ),
];

/// What this program runs itself, also in its other builds.
const HIDDEN: &[Listed] =
    &[verb::<worker::Args>("worker"), verb::<identity::Args>("identity"), verb::<names::Args>("names")];

/// The verb used if none is given.
const DEFAULT: &str = "run";

/// A verb: its arguments, and what it does.
pub(crate) trait Verb: clap::Args {
    /// Runs it; returns the exit code.
    ///
    /// # Errors
    /// A usage or harness error: exit code 2.
    fn run(&self) -> Result<ExitCode>;
}

/// A verb, a group of verbs, or both.
pub(crate) struct Listed {
    name: &'static str,
    /// What the verbs of a group are about.
    about: Option<&'static str>,
    /// Adds the arguments and help of the verb.
    describe: fn(Command) -> Command,
    /// Runs the verb; a group has none.
    run: Option<fn(&ArgMatches) -> Result<ExitCode>>,
    /// Its own verbs.
    verbs: &'static [Listed],
}

/// A verb, by its name on the command line.
pub(crate) const fn verb<V: Verb>(name: &'static str) -> Listed {
    let run = |matches: &ArgMatches| V::from_arg_matches(matches)?.run();
    Listed { name, about: None, describe: V::augment_args, run: Some(run), verbs: &[] }
}

/// A group of verbs, by its name on the command line.
pub(crate) const fn group(name: &'static str, about: &'static str, verbs: &'static [Listed]) -> Listed {
    Listed { name, about: Some(about), describe: |command| command, run: None, verbs }
}

impl Listed {
    /// The verb, with further verbs below it.
    pub(crate) const fn with(self, verbs: &'static [Self]) -> Self {
        Self { verbs, ..self }
    }

    fn command(&self) -> Command {
        let mut command = (self.describe)(Command::new(self.name));
        if self.verbs.is_empty() {
            return command;
        }
        command = command.subcommands(self.verbs.iter().map(Self::command));
        command = match self.about {
            Some(about) => command.about(format!("{about}: {}", self.names())).arg_required_else_help(true),
            None => command.args_conflicts_with_subcommands(true).subcommand_negates_reqs(true),
        };
        command.subcommand_required(self.run.is_none())
    }

    /// Their names.
    fn names(&self) -> String {
        self.verbs.iter().map(|verb| verb.name).collect::<Vec<_>>().join(", ")
    }

    /// What it does, in one line.
    fn about(&self) -> String {
        self.command().get_about().map(ToString::to_string).unwrap_or_default()
    }

    fn open(&self, matches: &ArgMatches) -> Result<ExitCode> {
        match (matches.subcommand(), self.run) {
            (Some((name, matches)), _) => open(self.verbs.iter(), name, matches),
            (None, Some(run)) => run(matches),
            (None, None) => anyhow::bail!("`{}` needs a verb", self.name),
        }
    }
}

fn open<'d>(
    mut listed: impl Iterator<Item = &'d Listed>,
    name: &str,
    matches: &ArgMatches,
) -> Result<ExitCode> {
    listed.find(|one| one.name == name).with_context(|| format!("there is no `{name}`"))?.open(matches)
}

fn all() -> impl Iterator<Item = &'static Listed> {
    SECTIONS.iter().flat_map(|(_, listed)| *listed).chain(HIDDEN)
}

/// The command line.
pub fn command() -> Command {
    let mut list = String::new();
    for (heading, listed) in SECTIONS {
        list += &format!("\n{heading}:\n");
        for one in *listed {
            list += &format!("  {:<10} {}", one.name, one.about());
            if one.run.is_some() && !one.verbs.is_empty() {
                list += &format!("; also {}", one.names());
            }
            list += "\n";
        }
    }
    Command::new("fuzzcheck")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Fuzzes SQLite with Tandem, and replays and inspects what was found")
        .override_usage("fuzzcheck [VERB] [ARGUMENTS]...")
        .help_template(format!(
            "{{about}}\n\n{{usage-heading}} {{usage}}\n{list}\n\
             `fuzzcheck VERB --help` says more. Without a verb, the shipped corpora are run.\n\
             Exit codes: 0 clean, 1 findings, 2 wrong usage or an internal error.\n"
        ))
        .max_term_width(100)
        .subcommands(all().map(|one| one.command().hide(HIDDEN.iter().any(|own| own.name == one.name))))
}

/// Does what the command line of this process says, with the targets and oracles of `registry`; errors are told, and clap
/// ends the process where it is none.
pub fn main(registry: Registry) -> ExitCode {
    registry.install();
    let matches = matches(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let (name, matches) = matches.subcommand().expect("one is the default");
    match open(all(), name, matches) {
        Ok(code) => code,
        Err(error) if ui::is_closed_pipe(&error) => ExitCode::from(EXIT_ERROR),
        Err(error) => {
            eprintln!("fuzzcheck: {error:#}");
            ExitCode::from(EXIT_ERROR)
        }
    }
}

/// Parses a command line; without a verb, [`DEFAULT`].
fn matches(words: impl IntoIterator<Item = OsString>) -> clap::error::Result<ArgMatches> {
    let matches = command().try_get_matches_from(words)?;
    match matches.subcommand_name() {
        Some(_) => Ok(matches),
        None => command().try_get_matches_from(["fuzzcheck", DEFAULT]),
    }
}

/// What a verb parses from these words, for tests.
#[cfg(test)]
pub(crate) fn parsed<V: Verb>(words: &[&str]) -> V {
    let command = V::augment_args(Command::new("verb")).no_binary_name(true);
    V::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn without_a_verb_the_corpora_are_run() {
        let verb = |words: &[&str]| {
            let words = ["fuzzcheck"].iter().chain(words).map(OsString::from);
            matches(words).ok().and_then(|matches| matches.subcommand_name().map(str::to_owned))
        };
        assert_eq!((verb(&[]).as_deref(), verb(&["doctor"]).as_deref()), (Some("run"), Some("doctor")));
        assert!(["--jobs", "corpus/sql.db"].iter().all(|word| verb(&[word]).is_none()));
    }

    #[test]
    fn every_entry_has_one_line_that_fits() {
        let help = command().render_help().to_string();
        for (heading, listed) in SECTIONS {
            assert!(listed.len() <= 7 && help.contains(&format!("\n{heading}:\n")), "{heading}");
            for one in *listed {
                let begin = format!("\n  {} ", one.name);
                let line = help.split(&begin).nth(1).and_then(|rest| rest.lines().next());
                let about = line.map(str::trim).unwrap_or_default();
                assert!(about.len() > 10 && begin.len() + about.len() <= 100, "{}: {about}", one.name);
            }
        }
        assert!(HIDDEN.iter().all(|one| !help.contains(&format!("\n  {} ", one.name))));
    }

    #[test]
    fn what_is_documented_of_a_part_is_no_documentation_of_the_verb() {
        fn check(listed: &[Listed]) {
            for one in listed {
                let about = one.about();
                assert!(!about.is_empty() && !about.starts_with("Which SQLite"), "{}: {about}", one.name);
                check(one.verbs);
            }
        }
        SECTIONS.iter().for_each(|(_, listed)| check(listed));
    }
}
