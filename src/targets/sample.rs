//! A sample of what a fuzzer runs, for slower builds to rerun ("TANDEM_SAMPLE").

use std::fs;
use std::path::{Path, PathBuf};

use crate::testcase::TestCase;

/// Maximum files of a process: the oldest is removed if nobody takes them.
const FILES_MAX: u64 = 256;

/// Writes every Nth mutated case that was run into a folder.
#[derive(Debug)]
pub(super) struct Sampler {
    folder: PathBuf,
    every: u64,
    seen: u64,
}

impl Sampler {
    /// As `text` asks: `DIR` or `DIR:N`; every hundredth case without a number.
    ///
    /// # Errors
    /// The folder is not there, or N is 0.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let (folder, every) = match text.rsplit_once(':') {
            Some((folder, number))
                if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                (folder, number.parse().map_err(|error| format!("{number}: {error}"))?)
            }
            _ => (text, 100),
        };
        if every == 0 {
            return Err("a sample of every 0th case is impossible".to_owned());
        }
        if !Path::new(folder).is_dir() {
            return Err(format!("{folder} is no folder"));
        }
        Ok(Self { folder: folder.into(), every, seen: 0 })
    }

    /// Samples a mutated case.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn note(&mut self, case: &TestCase) -> Result<(), String> {
        self.seen += 1;
        if !self.seen.is_multiple_of(self.every) {
            return Ok(());
        }
        let name = format!("{}-{}", std::process::id(), self.seen / self.every % FILES_MAX);
        let unfinished = self.folder.join(format!(".{name}"));
        let written = fs::write(&unfinished, case.encode());
        let done = written.and_then(|()| fs::rename(&unfinished, self.folder.join(name)));
        done.map_err(|error| format!("{}: {error}", self.folder.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nth_case_is_written_and_the_oldest_gives_way() {
        let folder = std::env::temp_dir().join(format!("tandem-sample-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut sampler = Sampler::new(&format!("{}:3", folder.display())).unwrap();
        let files = || fs::read_dir(&folder).unwrap().count();
        for i in 0..30 {
            sampler.note(&TestCase::from_sql(format!("SELECT {i}"))).unwrap();
        }
        assert_eq!(files(), 10);
        for _ in 0..3 * FILES_MAX {
            sampler.note(&TestCase::from_sql("SELECT 'last'")).unwrap();
        }
        assert_eq!(files() as u64, FILES_MAX);
        assert!(Sampler::new(&format!("{}:0", folder.display())).is_err());
        fs::remove_dir_all(&folder).unwrap();
        assert!(Sampler::new(&folder.display().to_string()).unwrap_err().contains("no folder"));
    }
}
