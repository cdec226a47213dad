//! `fuzzcheck compare mutators`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tandem::targets::Target;
use tandem::targets::group::Group;

use crate::base::{EXIT_ERROR, cores, project};
use crate::build::configuration::Configuration;
use crate::build_kind::BuildKind;
use crate::comparison::campaign::{Campaign, Course};
use crate::comparison::folder::Folder;
use crate::comparison::table::{Comparison, Seeds};
use crate::coverage::build::{Coverage, CoverageBuild, cases};
use crate::fuzzing::plan::Plan;
use crate::tools;
use crate::ui;
use crate::verbs::Verb;
use crate::verbs::shared::{interrupt_flag, positive, target_by_name};

/// Fuzz with our mutators, with libFuzzer's, and without each family of ours.
///
/// All with the same seeds and CPU time.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The target.
    #[arg(long, value_name = "TARGET")]
    target: String,
    /// CPU seconds of each campaign.
    #[arg(long, value_name = "S", value_parser = positive)]
    seconds: f64,
    /// Campaigns of each group.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// A group of mutators, may be repeated: libfuzzer, all, fixed, without:FAMILY, without:crossover [default: all groups]
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Group>,
    /// A folder, or a database as for `run`, with the seeds [default: those of corpus/TARGET.db]
    #[arg(long, value_name = "PATH")]
    seeds: Option<PathBuf>,
    /// Campaigns at a time.
    #[arg(long, short, value_name = "J", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// The build to fuzz [default: asan]
    #[command(flatten)]
    configuration: crate::build::arguments::ConfigurationArgs,
    /// Toolchain for the targets, as in `cargo +TOOLCHAIN` [default: the active one]
    #[arg(long, value_name = "TOOLCHAIN")]
    toolchain: Option<String>,
    /// Do not install anything: report what is missing and stop.
    #[arg(long)]
    no_install: bool,
    /// Print one JSON document instead of tables.
    #[arg(long)]
    json: bool,
    /// The working copy [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", hide = true)]
    project: Option<PathBuf>,
}

impl Verb for Args {
    fn run(&self) -> Result<ExitCode> {
        let target = target_by_name(Some(&self.target))?.context("a target is needed")?;
        let groups = groups(target, &self.groups)?;
        let plan = Plan {
            configuration: Configuration::new(&self.configuration, &BuildKind::FUZZED)?,
            project: self.project.clone().unwrap_or_else(project),
            target: target.name,
            toolchain: self.toolchain.clone(),
            time: None,
            cpu_time: None,
            jobs: 1,
            arguments: Vec::new(),
            sample_every: None,
            directed: None,
        };
        plan.check_project()?;
        tools::prepare(&plan.project, plan.toolchain.as_deref(), !self.no_install)?;
        let build = CoverageBuild::build(&plan.configuration, &plan.project, !self.no_install)?;
        plan.build()?;
        let folder =
            Folder::open(&plan.project, target, self.seconds, &plan.program()?, self.seeds.as_deref())?;
        eprintln!("fuzzcheck: everything found is saved in {}", folder.path().display());

        let stop = interrupt_flag()?;
        let (seeds, coverage) = replay_seeds(&build, target, &folder, &stop)?;
        let work = Work {
            args: self,
            target,
            build: &build,
            configuration: &plan.configuration,
            folder: &folder,
            stop: &stop,
            seeds: coverage,
        };
        let (campaigns, failure) = work.run_all(&groups);
        let is_interrupted = stop.load(Ordering::Relaxed) && failure.is_none();
        if campaigns.is_empty() {
            return Err(failure.unwrap_or_else(|| anyhow::anyhow!("interrupted before a campaign was over")));
        }
        let path = folder.path().display().to_string();
        let comparison = Comparison::new(target.name, self.seconds, path.clone(), seeds, &groups, &campaigns);
        if self.json {
            let document = serde_json::to_string_pretty(&comparison)?;
            ui::line(format_args!("{document}"))?;
        } else {
            ui::print(|out| comparison.print(out))?;
        }
        if comparison.has_wall_time() {
            eprintln!("fuzzcheck: this system does not report CPU time: seconds are wall time");
        }
        if comparison.crashes() > 0 {
            eprintln!(
                "fuzzcheck: {} cases crashed a target; they are in {path}/*/artifacts",
                comparison.crashes()
            );
        }
        if let Some(failure) = failure {
            return Err(failure.context("not all campaigns were run"));
        }
        if is_interrupted {
            eprintln!("fuzzcheck: interrupted: not all campaigns were run; the same command resumes");
            return Ok(ExitCode::from(EXIT_ERROR));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The requested groups, each once; by default, all that make a difference for the target.
fn groups(target: &Target, asked: &[Group]) -> Result<Vec<Group>> {
    let all = Group::of_target(target);
    if asked.is_empty() {
        return Ok(all);
    }
    let mut groups: Vec<Group> = Vec::new();
    for &group in asked {
        if !all.contains(&group) {
            let known = all.iter().map(Group::to_string).collect::<Vec<_>>().join(", ");
            bail!("{group} makes no difference for the target {}; there are {known}", target.name);
        }
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok(groups)
}

/// Counts the seeds and what they reach.
fn replay_seeds(
    build: &CoverageBuild,
    target: &'static Target,
    folder: &Folder,
    stop: &AtomicBool,
) -> Result<(Seeds, Coverage)> {
    let all = cases(&[folder.seeds()], Some(target))?;
    let count = all.total;
    build.replay(all, cores(), stop, &folder.seeds_profile(), || {})?;
    let coverage = build.coverage(&folder.seeds_profile())?;
    let branches = coverage.branches;
    eprintln!("fuzzcheck: {count} seeds reach {} of {} branches", branches.covered, branches.total);
    let seeds = Seeds { cases: count, branches: branches.covered, branches_total: branches.total };
    Ok((seeds, coverage))
}

/// What all campaigns share.
struct Work<'a> {
    args: &'a Args,
    target: &'static Target,
    build: &'a CoverageBuild,
    configuration: &'a Configuration,
    folder: &'a Folder,
    stop: &'a AtomicBool,
    /// What the seeds reach.
    seeds: Coverage,
}

impl Work<'_> {
    /// Runs the missing campaigns, repeat by repeat, so that an interruption leaves whole ones. Returns all that
    /// exist then, and the first error.
    fn run_all(&self, groups: &[Group]) -> (Vec<Campaign>, Option<anyhow::Error>) {
        let all: Vec<(Group, u32)> = (1..=self.args.repeats)
            .flat_map(|repeat| groups.iter().map(move |&group| (group, repeat)))
            .collect();
        let (total, next) = (all.len(), Mutex::new(all.into_iter().enumerate()));
        let (done, failure) = (Mutex::new(Vec::new()), Mutex::new(None));
        std::thread::scope(|scope| {
            for _ in 0..self.args.jobs {
                scope.spawn(|| {
                    while !self.stop.load(Ordering::Relaxed) {
                        let Some((i, (group, repeat))) = locked(&next).next() else {
                            break;
                        };
                        match self.one(group, repeat, &format!("{} of {total}", i + 1)) {
                            Ok(campaign) => locked(&done).extend(campaign),
                            Err(error) => {
                                self.stop.store(true, Ordering::Relaxed);
                                locked(&failure).get_or_insert(error);
                            }
                        }
                    }
                });
            }
        });
        let inner = |mutex: Mutex<Vec<Campaign>>| mutex.into_inner().unwrap_or_else(PoisonError::into_inner);
        (inner(done), failure.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a campaign and measures what it reached, unless that has been done; `None` if it was stopped.
    fn one(&self, group: Group, repeat: u32, position: &str) -> Result<Option<Campaign>> {
        if let Some(campaign) = self.folder.done(group, repeat) {
            eprintln!("fuzzcheck: campaign {position}: {group}, repeat {repeat}: already done");
            return Ok(Some(campaign));
        }
        eprintln!("fuzzcheck: campaign {position}: {group}, repeat {repeat}: {} s", self.args.seconds);
        let course = Course {
            program: &self.folder.program(),
            environment: self.configuration.run_environment(),
            group,
            repeat,
            time: Duration::from_secs_f64(self.args.seconds),
            folder: self.folder.begin(group, repeat)?,
            stop: self.stop,
        };
        let Some(mut campaign) = course.run()? else {
            return Ok(None);
        };
        let profile = course.folder.join("corpus.profdata");
        let jobs = (cores() / usize::from(self.args.jobs)).max(1);
        let corpus = cases(&[course.corpus()], Some(self.target))?;
        let replayed = self.build.replay(corpus, jobs, self.stop, &profile, || {});
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        replayed?;
        // A seed that libFuzzer replaced with a smaller case, or that was found to crash, still counts.
        let both = course.folder.join("corpus-and-seeds.profdata");
        self.build.merge(&[profile, self.folder.seeds_profile()], &both)?;
        campaign.coverage = self.build.coverage(&both)?;
        campaign.new_branches = campaign.coverage.branches.covered - self.seeds.branches.covered;
        self.folder.end(group, &campaign)?;
        eprintln!("fuzzcheck: campaign {position}: {} new branches", campaign.new_branches);
        Ok(Some(campaign))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
