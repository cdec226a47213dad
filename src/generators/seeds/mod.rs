//! The seeds: handwritten cases from which fuzzing starts.
//!
//! Each says what it shows. SQLite itself makes the database images from a set-up script, on the simulated disk; those
//! with a log or a hot journal are captured halfway through. `fuzzcheck corpus seed` writes them into the corpus
//! databases.

mod answers;
mod api;
mod faults;
mod images;
mod sql;

use std::borrow::Cow;

use crate::engine::sqlite::{Executor, Moment};
use crate::testcase::{FaultPlan, OpenConfig, Operations, Script, Setting, TestCase};

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
#[derive(Default)]
pub struct Seed {
    /// What it shows.
    pub about: Cow<'static, str>,
    /// The database, if it has one.
    pub image: Option<&'static Image>,
    /// What is done to the database before its files are captured with the connection open, as after a power loss; if
    /// empty, they are captured as the image says.
    pub in_flight: &'static str,
    /// The script that is run on it.
    pub script: Cow<'static, str>,
    /// Settings of the case.
    pub settings: &'static [(Setting, u32)],
    /// Faults that it plans.
    pub faults: FaultPlan,
    /// What it does beyond running its script on one connection.
    pub operations: Operations,
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

/// Scripts with faults, in all modes of journaling.
pub fn faults() -> Vec<Seed> {
    faults::seeds()
}

/// Databases in the middle of a transaction.
pub fn recovery() -> Vec<Seed> {
    faults::interrupted()
}

/// Several connections, and calls of SQLite's interface.
pub fn api() -> Vec<Seed> {
    api::seeds()
}

fn with_image(image: &'static Image, script: &'static str) -> Seed {
    Seed { image: Some(image), settings: image.settings, ..plain(image.about, script) }
}

fn plain(about: &'static str, script: &'static str) -> Seed {
    Seed { about: about.into(), script: script.into(), ..Seed::default() }
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
            Some(image) if self.in_flight.is_empty() => {
                executor.files_after(&config(image.settings), image.setup, image.moment)?
            }
            Some(image) => {
                let setup = image.setup.trim_end().trim_end_matches(';');
                let setup = format!("{setup}; {}", self.in_flight);
                executor.files_after(&config(image.settings), &setup, Moment::PowerCut)?
            }
            None => Default::default(),
        };
        Ok(TestCase {
            files,
            sql: Script::new(self.script.as_bytes()),
            config: config(self.settings),
            faults: self.faults.clone(),
            operations: self.operations.clone(),
            ..TestCase::default()
        })
    }
}

#[cfg(test)]
mod tests;
