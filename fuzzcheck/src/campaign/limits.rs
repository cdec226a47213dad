//! How much disk space a campaign may use.
//!
//! Beyond the limit, files are removed in this order: cases that were merely slow, cases of a bug beyond the
//! twenty smallest with their logs, then other logs. Corpora and the remaining cases are
//! never removed; if that is not enough, fuzzing ends.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::files;

/// How many cases of one bug stay.
pub(crate) const CASES_PER_BUG: usize = 20;

/// The folders that grow, and their limit.
pub(crate) struct Disk {
    /// Most bytes.
    pub bytes_max: u64,
    /// Folders whose content counts.
    pub folders: Vec<PathBuf>,
    /// Folders of artifacts, where slow cases may be removed.
    pub artifacts: Vec<PathBuf>,
    /// Folders with the logs of findings, by the name of the case.
    pub logs: Vec<PathBuf>,
}

/// The result of a check of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Bytes that remain.
    pub bytes: u64,
    /// Files that were removed.
    pub removed: usize,
    /// Whether that is still too much.
    pub is_over: bool,
}

impl Disk {
    /// Checks the limit, and makes room if needed. `cases` are those of each signature.
    pub(crate) fn look(&self, cases: &BTreeMap<String, Vec<PathBuf>>) -> Looked {
        let mut looked = Looked { bytes: self.bytes(), removed: 0, is_over: false };
        let steps: [&dyn Fn() -> Vec<PathBuf>; 3] =
            [&|| self.slow(), &|| self.duplicates(cases), &|| self.all_logs()];
        for step in steps {
            if looked.bytes <= self.bytes_max {
                break;
            }
            // Another process may have removed it meanwhile.
            looked.removed += step().iter().filter(|path| fs::remove_file(path).is_ok()).count();
            looked.bytes = self.bytes();
        }
        looked.is_over = looked.bytes > self.bytes_max;
        looked
    }

    fn bytes(&self) -> u64 {
        self.folders.iter().map(|folder| bytes_in(folder)).sum()
    }

    fn slow(&self) -> Vec<PathBuf> {
        let is_slow = |path: &PathBuf| name(path).starts_with("slow-unit-");
        self.artifacts.iter().flat_map(|folder| files_in(folder)).filter(is_slow).collect()
    }

    /// Cases beyond the smallest of each bug, and their logs.
    fn duplicates(&self, cases: &BTreeMap<String, Vec<PathBuf>>) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for paths in cases.values() {
            let kept = smallest(paths);
            for path in paths.iter().filter(|path| !kept.contains(path)) {
                let log = format!("{}.txt", name(path));
                all.extend(self.logs.iter().map(|folder| folder.join(&log)));
                all.push(path.clone());
            }
        }
        all
    }

    fn all_logs(&self) -> Vec<PathBuf> {
        self.logs.iter().flat_map(|folder| files_in(folder)).collect()
    }
}

/// The smallest cases of a bug that are still there, smallest first.
pub(crate) fn smallest(paths: &[PathBuf]) -> Vec<&PathBuf> {
    let mut sizes: Vec<(u64, &PathBuf)> =
        paths.iter().filter_map(|path| Some((fs::metadata(path).ok()?.len(), path))).collect();
    sizes.sort();
    sizes.dedup();
    sizes.into_iter().take(CASES_PER_BUG).map(|(_, path)| path).collect()
}

/// libFuzzer's limit for each of the processes that share the memory, in MiB.
pub(crate) fn memory_per_process_mib(all_mib: u64, jobs: usize) -> u64 {
    (all_mib / jobs.max(1) as u64).max(1)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files in a folder; none if it is not there.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut paths = files::in_folder(folder).unwrap_or_default();
    paths.retain(|path| path.is_file());
    paths
}

/// Bytes of all files below a folder.
fn bytes_in(folder: &Path) -> u64 {
    let size = |path: PathBuf| match fs::symlink_metadata(&path) {
        Ok(kind) if kind.is_dir() => bytes_in(&path),
        Ok(kind) => kind.len(),
        Err(_) => 0,
    };
    files::in_folder(folder).unwrap_or_default().into_iter().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A corpus of 1000 bytes, a slow case and its like of 100 each, 30 cases of a bug of 10 with logs of 5.
    fn scratch(folder: &Path) -> (Disk, BTreeMap<String, Vec<PathBuf>>) {
        let [corpus, artifacts, logs] = ["corpus", "artifacts", "logs"].map(|name| folder.join(name));
        [&corpus, &artifacts, &logs].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
        fs::write(corpus.join("case"), [0; 1000]).unwrap();
        fs::write(artifacts.join("slow-unit-1"), [0; 100]).unwrap();
        let case = |i: usize| {
            fs::write(logs.join(format!("crash-{i}.txt")), [0; 5]).unwrap();
            let path = artifacts.join(format!("crash-{i}"));
            fs::write(&path, vec![0; if i == 29 { 3 } else { 10 }]).unwrap();
            path
        };
        let cases = BTreeMap::from([("a/b/c".to_owned(), (0..30).map(case).collect())]);
        let disk = Disk {
            bytes_max: 0,
            folders: vec![folder.to_owned()],
            artifacts: vec![artifacts],
            logs: vec![logs],
        };
        (disk, cases)
    }

    #[test]
    fn what_can_be_missed_goes_first_and_no_more_than_must() {
        let folder = tempfile::tempdir().unwrap();
        let (mut disk, cases) = scratch(folder.path());
        let all = 1000 + 100 + 29 * 10 + 3 + 30 * 5;
        let mut look = |bytes_max| {
            disk.bytes_max = bytes_max;
            disk.look(&cases)
        };
        assert_eq!(look(all), Looked { bytes: all, removed: 0, is_over: false });
        assert_eq!(look(all - 1), Looked { bytes: all - 100, removed: 1, is_over: false });
        let fewer = all - 100 - 10 * 15;
        assert_eq!(look(all - 101), Looked { bytes: fewer, removed: 20, is_over: false });
        // The smallest of all is among those that stay.
        assert!(cases["a/b/c"][29].exists() && smallest(&cases["a/b/c"])[0] == &cases["a/b/c"][29]);
        // The corpus and the cases that are left stay, whatever that means.
        let left = fewer - 20 * 5;
        assert_eq!(look(7), Looked { bytes: left, removed: 20, is_over: true });
        assert!(folder.path().join("corpus/case").exists());
    }

    #[test]
    fn processes_share_the_memory() {
        assert_eq!([memory_per_process_mib(4000, 2), memory_per_process_mib(1, 8)], [2000, 1]);
    }
}
