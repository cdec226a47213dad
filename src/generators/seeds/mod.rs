//! The seeds: handwritten cases from which fuzzing starts.
//!
//! Each says what it shows. SQLite itself makes the database images from a set-up script, on the simulated disk; those
//! with a log or a hot journal are captured halfway through. `fuzzcheck corpus seed` writes them into the corpus
//! databases.

mod answers;
mod images;
mod sql;

use crate::engine::sqlite::{Executor, Moment};
use crate::testcase::{OpenConfig, Script, Setting, TestCase};

/// A database made by a set-up script.
pub struct Image {
    /// What it shows.
    pub about: &'static str,
    /// The script that makes it.
    pub setup: &'static str,
    /// A script that reads and changes the contents.
    pub script: &'static str,
    /// When the files are captured.
    pub moment: Moment,
    /// Settings under which the script runs.
    pub settings: &'static [(Setting, u32)],
}

/// A case to start from.
pub struct Seed {
    /// What it shows.
    pub about: &'static str,
    /// The database, if it has one.
    pub image: Option<&'static Image>,
    /// The script that is run on it.
    pub script: &'static str,
    /// Settings of the case.
    pub settings: &'static [(Setting, u32)],
}

/// Databases and scripts on them, in the order in which they were written.
pub fn db_sql() -> Vec<Seed> {
    images::ALL.iter().map(|image| with_image(image, image.script)).collect()
}

/// The same databases alone.
pub fn db_file() -> Vec<Seed> {
    images::ALL.iter().map(|image| with_image(image, "")).collect()
}

/// Scripts whose answers SQL determines.
pub fn answers() -> Vec<Seed> {
    answers::seeds()
}

/// Scripts alone.
pub fn sql() -> Vec<Seed> {
    sql::seeds()
}

fn with_image(image: &'static Image, script: &'static str) -> Seed {
    Seed { about: image.about, image: Some(image), script, settings: image.settings }
}

fn config(settings: &[(Setting, u32)]) -> OpenConfig {
    settings.iter().fold(OpenConfig::default(), |config, &(setting, value)| config.with(setting, value))
}

impl Seed {
    /// Builds the case.
    ///
    /// # Errors
    /// The statement of the set-up script that failed.
    pub fn build(&self, executor: &Executor) -> Result<TestCase, String> {
        let files = match self.image {
            Some(image) => executor.files_after(&config(image.settings), image.setup, image.moment)?,
            None => Default::default(),
        };
        Ok(TestCase {
            files,
            sql: Script::new(self.script),
            config: config(self.settings),
            ..TestCase::default()
        })
    }
}

#[cfg(test)]
mod tests;
