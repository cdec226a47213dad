//! The folder of a comparison, under `target/compare-mutators/`.
//!
//! The folder of a comparison is named after what makes campaigns comparable: the program, the seeds, the time.
//! If all three are the same, existing campaigns are not run again; more repeats and other groups
//! are added to them.
//!
//! ```text
//! db_sql-300s-1a2b3c4d/
//!     target              the program
//!     seeds/              the cases to begin with
//!     seeds.profdata      what they reach
//!     without-page-2/     a campaign: the second of the group without:page
//!         corpus/ artifacts/ log-0.txt stats-0.json corpus.profdata
//!         campaign.json   written at the end
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tandem::corpus::seeding::Beginning;
use tandem::targets::Target;
use tandem::targets::group::Group;

use super::campaign::Campaign;
use crate::{files, source};

/// The folder of a comparison.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Copies program and seeds into the folder of their comparison.
    ///
    /// # Errors
    /// If they cannot be read or copied, and where there are no seeds.
    pub(crate) fn open(
        project: &Path,
        target: &'static Target,
        seconds: f64,
        program: &Path,
        seeds: Option<&Path>,
    ) -> Result<Self> {
        let all = project.join("target/compare-mutators");
        fs::create_dir_all(&all).with_context(|| format!("{}", all.display()))?;
        let cases = tempfile::tempdir_in(&all).context("making a folder for the seeds")?;
        write_seeds(target, seeds, cases.path())?;
        let mut hash = Sha256::new();
        let bytes = fs::read(program).with_context(|| format!("{}", program.display()))?;
        hash.update(&bytes);
        let seeds = files_in(cases.path())?;
        if seeds.is_empty() {
            bail!("there are no seeds");
        }
        for seed in &seeds {
            let content = fs::read(seed).with_context(|| format!("{}", seed.display()))?;
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
        }
        let digest: String = hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let path = all.join(format!("{}-{seconds}s-{digest}", target.name));
        let folder = Self { path };
        if !folder.seeds().exists() {
            fs::create_dir_all(&folder.path).with_context(|| format!("{}", folder.path.display()))?;
            fs::copy(program, folder.program()).with_context(|| format!("{}", program.display()))?;
            fs::rename(cases.path(), folder.seeds()).context("saving the seeds")?;
        }
        Ok(folder)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The copy of the program.
    pub(crate) fn program(&self) -> PathBuf {
        self.path.join("target")
    }

    /// The folder of seeds.
    pub(crate) fn seeds(&self) -> PathBuf {
        self.path.join("seeds")
    }

    /// What the seeds reach.
    pub(crate) fn seeds_profile(&self) -> PathBuf {
        self.path.join("seeds.profdata")
    }

    /// The folder of a campaign.
    pub(crate) fn campaign(&self, group: Group, repeat: u32) -> PathBuf {
        self.path.join(format!("{}-{repeat}", group.to_string().replace(':', "-")))
    }

    /// A campaign that has been run.
    pub(crate) fn done(&self, group: Group, repeat: u32) -> Option<Campaign> {
        let text = fs::read(self.campaign(group, repeat).join("campaign.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Makes an empty folder for a campaign, with a copy of the seeds.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn begin(&self, group: Group, repeat: u32) -> Result<PathBuf> {
        let folder = self.campaign(group, repeat);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        }
        let corpus = folder.join("corpus");
        fs::create_dir_all(&corpus).with_context(|| format!("{}", corpus.display()))?;
        for seed in files_in(&self.seeds())? {
            let copy = corpus.join(seed.file_name().unwrap_or_default());
            fs::copy(&seed, copy).with_context(|| format!("{}", seed.display()))?;
        }
        Ok(folder)
    }

    /// Keeps what a campaign did.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn end(&self, group: Group, campaign: &Campaign) -> Result<()> {
        let path = self.campaign(group, campaign.repeat).join("campaign.json");
        files::write(&path, &serde_json::to_vec_pretty(campaign)?)
    }
}

/// Writes the cases to begin with as files: the bytes of a folder as they are, the cases of anything else.
fn write_seeds(target: &'static Target, from: Option<&Path>, into: &Path) -> Result<()> {
    let Some(from) = from else {
        target.write_beginning(into, Beginning::Seeds).map_err(anyhow::Error::msg)?;
        return Ok(());
    };
    if from.is_dir() {
        for (i, path) in files_in(from)?.into_iter().enumerate() {
            fs::copy(&path, into.join(format!("{i:06}"))).with_context(|| format!("{}", path.display()))?;
        }
        return Ok(());
    }
    let cases = source::open(&[from.to_owned()], Some(target))?;
    for case in cases.cases {
        let path = into.join(case.case.id().to_string());
        fs::write(&path, case.case.encode()).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// The files of a folder, by name.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = files::in_folder(folder)?;
    paths.retain(|path| path.is_file());
    Ok(paths)
}
