//! libFuzzer's control file of a merge (`libfuzzer/FuzzerMerge.cpp`).
//!
//! ```text
//! 2                   files
//! 0                   of which so many are in the first corpus
//! …/cases/<id>        one line each
//! …/cases/<id>
//! STARTED 0 17        number of the file, its size
//! FT 0 8 24           its features
//! COV 0 1 3           edges that no file before it had
//! STARTED 1 20        no FT: the file ended the process
//! ```
//! Only the target writes it, even if this program dies; complete entries are never measured
//! again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use tandem::testcase::CaseId;

use super::features::Features;

/// Reads a control file while it grows.
pub(super) struct Reader {
    file: BufReader<File>,
    ids: Vec<Option<CaseId>>,
    /// The beginning of a line that is not written to its end yet.
    line: Vec<u8>,
    /// The case that was begun and is not done.
    pub is_at: Option<CaseId>,
    /// Its features, which count once the line behind them is there.
    features: Option<BTreeSet<u32>>,
}

impl Reader {
    /// Reads the names.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let open = || -> std::io::Result<Self> {
            let mut file = BufReader::new(File::open(path)?);
            let mut line = String::new();
            let mut next = || {
                line.clear();
                file.read_line(&mut line).map(|_| line.trim_end().to_owned())
            };
            let count = next()?.parse().unwrap_or(0);
            next()?;
            let mut ids = Vec::new();
            for _ in 0..count {
                ids.push(Path::new(&next()?).file_name().and_then(|name| name.to_str()?.parse().ok()));
            }
            Ok(Self { file, ids, line: Vec::new(), is_at: None, features: None })
        };
        open().with_context(|| format!("{}", path.display()))
    }

    /// Adds what is there since the last time; returns how many cases.
    pub(super) fn read(&mut self, features: &mut Features) -> Result<usize> {
        let mut count = 0;
        while self.file.read_until(b'\n', &mut self.line).context("reading a control file")? > 0 {
            if self.line.last() != Some(&b'\n') {
                break;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            count += usize::from(self.note(&line, features));
        }
        Ok(count)
    }

    /// Whether a case is done with this line.
    fn note(&mut self, line: &str, features: &mut Features) -> bool {
        let mut words = line.split_ascii_whitespace();
        let word = words.next().unwrap_or_default();
        let at = words.next().and_then(|number| number.parse::<usize>().ok());
        let id = at.and_then(|at| *self.ids.get(at)?);
        match word {
            "STARTED" => (self.is_at, self.features) = (id, None),
            "FT" if id == self.is_at => self.features = words.map(|word| word.parse().ok()).collect(),
            "COV" if id == self.is_at => {
                let done = self.is_at.take().zip(self.features.take());
                done.iter().for_each(|(id, set)| features.insert(*id, set));
                return done.is_some();
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_is_read_as_it_grows_and_only_what_is_complete_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let ids: Vec<CaseId> = (1..5).map(|byte| CaseId::from_bytes([byte; 32])).collect();
        let names: String = ids.iter().map(|id| format!("/x y/{id}\n")).collect();
        let text = format!(
            "4\n0\n{names}STARTED 0 17\nFT 0 8 24\nCOV 0 1 3\nSTARTED 1 20\nSTARTED 2 21\nFT 2\nCOV 2\n\
             STARTED 3 22\nFT 3 16 17\n"
        );
        let header = text.find("STARTED").unwrap();
        for cut in header..=text.len() {
            std::fs::write(&path, &text[..header]).unwrap();
            let mut features = Features::new([0; 32]);
            let mut reader = Reader::open(&path).unwrap();
            assert_eq!(reader.read(&mut features).unwrap(), 0);
            std::fs::write(&path, &text[..cut]).unwrap();
            let first = reader.read(&mut features).unwrap();
            let complete = text[..cut].lines().filter(|line| line.starts_with("COV")).count();
            // A last line without its end is not complete.
            assert!(first == complete || first + 1 == complete, "{cut}");
            assert!(!features.contains(&ids[1]) && !features.contains(&ids[3]));
            std::fs::write(&path, &text).unwrap();
            assert_eq!(first + reader.read(&mut features).unwrap(), 2);
            assert!(features.of(&ids[0]).eq([8, 24]) && features.of(&ids[2]).count() == 0);
            assert!(features.contains(&ids[2]), "a case without features was measured all the same");
            assert_eq!(reader.is_at, Some(ids[3]));
        }
    }
}
