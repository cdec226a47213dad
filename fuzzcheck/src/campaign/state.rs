//! The folder of a campaign.
//!
//! ```text
//! fuzz/nightly/lock                  held while one runs; the system releases it however that one ends
//! fuzz/nightly/trend.json            earlier nights
//! fuzz/nightly/findings/             one file per bug, over all nights
//! fuzz/nightly/ID/campaign.json      the record
//! fuzz/nightly/ID/runner.json        further state of the runner
//! ```
//!
//! Both files are replaced atomically, so that a killed campaign loses only seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::record::{self, Before, Campaign, CampaignSession, Finding, Night, SessionEnd};
use crate::files::{self, Held};

const CAMPAIGN: &str = "campaign.json";
const RUNNER: &str = "runner.json";
const LOCK: &str = "lock";
const TREND: &str = "trend.json";
/// Maximum number of nights in the trend.
const NIGHTS_MAX: usize = 365;
/// [`Memory::version`].
const VERSION: u32 = 1;

/// What a campaign fuzzes; a resumed one must fuzz the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Names of the targets.
    pub targets: Vec<String>,
    /// Names of the builds that fuzz.
    pub builds: Vec<String>,
    /// Names of those that rerun new cases.
    pub rerun: Vec<String>,
    /// The command-line arguments that select the SQLite.
    pub arguments: Vec<String>,
}

/// A case that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Case {
    /// The file.
    pub path: PathBuf,
    /// The signature given by the target, or by the build that reran it.
    pub signature: String,
    /// Its target.
    pub target: String,
    /// The build that found it.
    pub build: String,
    /// Its message, if that is in no log.
    pub message: Option<String>,
}

/// State of the runner beside the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    version: u32,
    /// What is fuzzed.
    pub settings: Settings,
    /// Signatures that had been seen before the campaign began.
    pub seen_before: BTreeSet<String>,
    /// What was found in it.
    pub cases: BTreeSet<Case>,
    /// Signatures that were notified.
    pub notified: BTreeSet<String>,
}

impl Memory {
    /// The paths of the cases of each signature.
    pub(crate) fn by_signature(&self) -> BTreeMap<String, Vec<PathBuf>> {
        let mut all: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for case in &self.cases {
            all.entry(case.signature.clone()).or_default().push(case.path.clone());
        }
        all
    }
}

/// A campaign in progress.
#[derive(Debug)]
pub(crate) struct State {
    /// The record.
    pub campaign: Campaign,
    /// Further state.
    pub memory: Memory,
    /// Whether it was resumed.
    pub is_resumed: bool,
    root: PathBuf,
    _lock: Held,
}

impl State {
    /// Resumes the unfinished campaign of a folder, or starts a new one: `begin` makes its record, with its name.
    ///
    /// # Errors
    /// Another process is running there; the unfinished one fuzzes something else; files that cannot be read or written.
    pub(crate) fn open(
        root: &Path,
        settings: &Settings,
        is_fresh: bool,
        begin: impl FnOnce(String, Timestamp) -> Result<(Campaign, BTreeSet<String>)>,
    ) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("{}", root.display()))?;
        let lock = lock(root)?;
        let unfinished = if is_fresh { None } else { unfinished(root)? };
        let is_resumed = unfinished.is_some();
        let (mut campaign, memory) = match unfinished {
            Some((campaign, memory)) => {
                let name = &campaign.id;
                if memory.settings != *settings {
                    let folder = root.join(name);
                    bail!(
                        "{}: this campaign is unfinished, and fuzzes something else ({}, not {}): use the same arguments \
                         to resume it, or --fresh to start a new one",
                        folder.display(),
                        in_words(&memory.settings),
                        in_words(settings)
                    );
                }
                (campaign, memory)
            }
            None => {
                let now = Timestamp::now();
                let (campaign, seen_before) = begin(new_folder(root, now)?, now)?;
                let (cases, notified) = (BTreeSet::new(), BTreeSet::new());
                let settings = settings.clone();
                (campaign, Memory { version: VERSION, settings, seen_before, cases, notified })
            }
        };
        for session in campaign.sessions.iter_mut().filter(|session| session.end == SessionEnd::Open) {
            session.end = SessionEnd::Killed;
        }
        campaign.sessions.push(CampaignSession {
            started: Timestamp::now(),
            seconds: 0.0,
            end: SessionEnd::Open,
        });
        let state = Self { campaign, memory, is_resumed, root: root.to_owned(), _lock: lock };
        state.save()?;
        Ok(state)
    }

    /// The folder of the campaign.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join(&self.campaign.id)
    }

    /// The folder of all campaigns.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The record, as a file.
    pub(crate) fn record(&self) -> PathBuf {
        self.folder().join(CAMPAIGN)
    }

    /// Writes all.
    ///
    /// # Errors
    /// If it cannot be written; the old files are then unchanged.
    pub(crate) fn save(&self) -> Result<()> {
        files::write(&self.folder().join(RUNNER), &serde_json::to_vec_pretty(&self.memory)?)?;
        files::write(&self.record(), &serde_json::to_vec_pretty(&self.campaign)?)
    }

    /// The checks of the last campaign before this one that replayed corpora with the same version and options of SQLite.
    ///
    /// # Errors
    /// If the folder cannot be read. A record that cannot be read counts for nothing.
    pub(crate) fn checks_before(&self) -> Result<Option<Before>> {
        let own = &self.campaign;
        let folders = files::in_folder(&self.root)?.into_iter().rev();
        // They are called after when they began.
        let earlier = folders.filter(|folder| folder.file_name().is_some_and(|name| name < own.id.as_str()));
        let read = |folder: PathBuf| serde_json::from_slice(&fs::read(folder.join(CAMPAIGN)).ok()?).ok();
        let is_same = |other: &Campaign| {
            let sqlite = |campaign: &Campaign| {
                (campaign.build.version.clone(), campaign.build.compile_options.clone())
            };
            !other.checks.is_empty() && sqlite(other) == sqlite(own)
        };
        let last = earlier.filter_map(read).find(is_same);
        Ok(last.map(|Campaign { id, checks, .. }| Before { id, checks }))
    }

    /// Reads the earlier nights.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) fn trend(&self) -> Result<Vec<Night>> {
        let path = self.root.join(TREND);
        if path.exists() { read(&path, "remove it to begin a new trend") } else { Ok(Vec::new()) }
    }

    /// Appends the night of this campaign to the earlier ones.
    ///
    /// # Errors
    /// If they cannot be read or written.
    pub(crate) fn add_night(&mut self, night: Night) -> Result<()> {
        let mut nights = self.trend()?;
        // A campaign that was killed between this and its end does so again.
        nights.retain(|other| other.id != night.id);
        nights.push(night);
        nights.drain(..nights.len().saturating_sub(NIGHTS_MAX));
        files::write(&self.root.join(TREND), &serde_json::to_vec_pretty(&nights)?)?;
        self.campaign.trend = nights;
        Ok(())
    }
}

impl Campaign {
    /// Cases that libFuzzer ran, in all jobs and sessions.
    pub(crate) fn executions(&self) -> u64 {
        self.jobs.iter().map(record::FuzzJob::executions).sum()
    }
}

impl record::FuzzJob {
    /// Cases that libFuzzer ran.
    pub(crate) fn executions(&self) -> u64 {
        self.slices.iter().map(|slice| slice.executions).sum()
    }

    /// Time of fuzzing, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.slices.iter().map(|slice| slice.seconds).sum()
    }
}

impl Finding {
    /// Whether someone has to look at it: it is unknown, and no earlier night has seen it.
    pub(crate) fn is_news(&self) -> bool {
        self.is_new && self.known_as.is_none()
    }
}

/// Locks the folder.
fn lock(root: &Path) -> Result<Held> {
    let path = root.join(LOCK);
    let open = File::options().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = open.with_context(|| format!("{}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            let id = std::process::id().to_string();
            let written = file.set_len(0).and_then(|()| file.write_all(id.as_bytes()));
            written.with_context(|| format!("{}", path.display()))?;
            Ok(Held(file))
        }
        Err(fs::TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "{}: another `fuzzcheck nightly` is running there (process {}): wait for it, or use another --folder",
                root.display(),
                holder.trim()
            )
        }
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

/// Makes a new folder for a campaign that starts now; returns its name.
fn new_folder(root: &Path, now: Timestamp) -> Result<String> {
    let name = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let others = (2..).map(|number| format!("{name}-{number}"));
    for name in std::iter::once(name.clone()).chain(others) {
        let folder = root.join(&name);
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("{}", folder.display())),
        }
    }
    unreachable!("there is always a further number")
}

/// The last campaign, if it is unfinished.
fn unfinished(root: &Path) -> Result<Option<(Campaign, Memory)>> {
    let last = files::in_folder(root)?.into_iter().rfind(|path| path.join(CAMPAIGN).is_file());
    let Some(folder) = last else {
        return Ok(None);
    };
    let hint = "--fresh begins another campaign";
    let campaign: Campaign = read(&folder.join(CAMPAIGN), hint)?;
    let memory: Memory = read(&folder.join(RUNNER), hint)?;
    if campaign.version > record::VERSION || memory.version > VERSION {
        bail!("{}: a newer Tandem has started this campaign; {hint}", folder.display());
    }
    Ok(campaign.ended.is_none().then_some((campaign, memory)))
}

fn read<T: DeserializeOwned>(path: &Path, hint: &str) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("{}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{}: not written by `nightly`: {hint}", path.display()))
}

fn in_words(settings: &Settings) -> String {
    let Settings { targets, builds, rerun, arguments } = settings;
    let words = [
        format!("--targets {}", targets.join(",")),
        format!("--builds {}", builds.join(",")),
        if rerun.is_empty() { "--no-rerun".to_owned() } else { format!("--rerun {}", rerun.join(",")) },
        arguments.join(" "),
    ];
    words.join(" ").trim().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::campaign::record::{Build, FuzzJob, Machine};

    /// A campaign with these jobs, by target.
    pub(crate) fn campaign(id: String, started: Timestamp, jobs: &[(&str, f64)]) -> Campaign {
        let text = String::new;
        let job = |&(target, weight): &(&str, f64)| FuzzJob {
            target: target.to_owned(),
            build: "asan".to_owned(),
            rerun: vec![],
            weight,
            slices: vec![],
            samples: vec![],
            failures: vec![],
        };
        Campaign {
            version: record::VERSION,
            id,
            started,
            ended: None,
            budget_s: 1000.0,
            used_s: 0.0,
            sessions: vec![],
            build: Build {
                version: text(),
                source_id: text(),
                compile_options: vec![],
                tandem: text(),
                rustc: text(),
            },
            machine: Machine { cores: 2, memory_bytes: None, system: text() },
            jobs: jobs.iter().map(job).collect(),
            findings: vec![],
            checks: vec![],
            checks_before: None,
            cut_short: vec![],
            slowest: vec![],
            coverage: None,
            trend: vec![],
            gaps: vec![],
            steps: vec![],
        }
    }

    pub(crate) fn settings() -> Settings {
        Settings {
            targets: vec!["sql".to_owned()],
            builds: vec!["asan".to_owned()],
            rerun: vec![],
            arguments: vec![],
        }
    }

    pub(crate) fn open(root: &Path, is_fresh: bool, jobs: &[(&str, f64)]) -> Result<State> {
        State::open(root, &settings(), is_fresh, |id, now| {
            Ok((campaign(id, now, jobs), BTreeSet::from(["seen/before/-".to_owned()])))
        })
    }

    #[test]
    fn an_unfinished_campaign_is_taken_up_and_a_finished_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let state = open(root.path(), false, &[("sql", 1.0)]).unwrap();
        assert!(!state.is_resumed);
        let error = format!("{:#}", open(root.path(), false, &[]).unwrap_err());
        assert!(
            error.contains("is running there") && error.contains(&std::process::id().to_string()),
            "{error}"
        );
        // The lock of a process that is gone is nobody's.
        let id = state.campaign.id.clone();
        drop(state);
        let mut state = open(root.path(), false, &[]).unwrap();
        assert!(state.is_resumed && state.campaign.id == id && state.campaign.jobs.len() == 1);
        let ends: Vec<SessionEnd> = state.campaign.sessions.iter().map(|session| session.end).collect();
        assert_eq!(ends, [SessionEnd::Killed, SessionEnd::Open]);

        state.campaign.ended = Some(Timestamp::now());
        state.save().unwrap();
        drop(state);
        let next = open(root.path(), false, &[]).unwrap();
        assert!(!next.is_resumed && next.campaign.id != id);
        drop(next);
        assert!(!open(root.path(), true, &[]).unwrap().is_resumed);
    }

    #[test]
    fn another_campaign_is_not_mixed_with_it_and_damage_is_named() {
        let root = tempfile::tempdir().unwrap();
        let state = open(root.path(), false, &[("sql", 1.0)]).unwrap();
        let record = state.record();
        drop(state);
        let other = Settings { builds: vec!["release".to_owned()], ..settings() };
        let error = State::open(root.path(), &other, false, |_, _| unreachable!()).unwrap_err();
        assert!(error.to_string().contains("--builds release"), "{error}");
        fs::write(record, "{").unwrap();
        let error = format!("{:#}", open(root.path(), false, &[]).unwrap_err());
        assert!(error.contains("campaign.json") && error.contains("--fresh"), "{error}");
        open(root.path(), true, &[]).unwrap();
    }

    /// The next night is compared with the last one that replayed corpora on the same SQLite.
    #[test]
    fn the_checks_of_the_last_night_on_the_same_sqlite_are_found() {
        use crate::campaign::record::Check;
        use crate::replay::protocol::OracleCounts;
        let root = tempfile::tempdir().unwrap();
        let state = open(root.path(), false, &[]).unwrap();
        assert_eq!(state.checks_before().unwrap(), None);
        let night = |id: &str, version: &str, checks: &[&str]| {
            let mut made = campaign(id.to_owned(), Timestamp::UNIX_EPOCH, &[]);
            made.build.version = version.to_owned();
            let check = |name: &&str| Check {
                name: (*name).to_owned(),
                build: "release".to_owned(),
                counts: OracleCounts { passed: 3, ..OracleCounts::default() },
            };
            made.checks = checks.iter().map(check).collect();
            fs::create_dir(root.path().join(id)).unwrap();
            fs::write(root.path().join(id).join(CAMPAIGN), serde_json::to_vec(&made).unwrap()).unwrap();
        };
        let same = state.campaign.build.version.clone();
        night("20200101T000000Z", &same, &["older"]);
        night("20200102T000000Z", &same, &["last"]);
        night("20200103T000000Z", &same, &[]);
        night("20200104T000000Z", "other", &["of another SQLite"]);
        night("99990101T000000Z", &same, &["later"]);
        let before = state.checks_before().unwrap().unwrap();
        assert_eq!((before.id.as_str(), before.checks[0].name.as_str()), ("20200102T000000Z", "last"));
        assert_eq!(before.checks[0].counts.passed, 3);
    }

    #[test]
    fn the_trend_holds_a_year_and_each_night_once() {
        let root = tempfile::tempdir().unwrap();
        let mut state = open(root.path(), false, &[]).unwrap();
        let night = |number: usize| Night {
            id: number.to_string(),
            started: Timestamp::UNIX_EPOCH,
            total: crate::coverage::build::Coverage::default(),
            executions: 0,
            corpus_cases: 0,
            new_findings: 0,
        };
        let nights: Vec<Night> = (0..398).map(night).collect();
        fs::write(root.path().join(TREND), serde_json::to_vec(&nights).unwrap()).unwrap();
        [398, 399, 399].into_iter().for_each(|number| state.add_night(night(number)).unwrap());
        let trend = state.trend().unwrap();
        assert_eq!((trend.len(), trend[0].id.as_str(), trend[364].id.as_str()), (365, "35", "399"));
        assert_eq!(state.campaign.trend, trend);
    }
}
