//! A file with the features of cases, as measured by one program.
//!
//! ```text
//! magic, SHA-256 of the program, u64 counters                 all numbers little-endian
//! per case: id (32 bytes), u32 length, features as differences, LEB128
//! SHA-256 of all that
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use sha2::{Digest, Sha256};
use tandem::testcase::CaseId;

use crate::files;

const MAGIC: &[u8; 16] = b"tandem-features1";
const DIGEST_BYTES: usize = 32;
/// Values of a counter that are told apart: libFuzzer's feature is the counter's number times this, plus the bucket.
const BUCKETS: u32 = 8;

/// The features of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Features {
    /// SHA-256 of the program that measured.
    program: [u8; DIGEST_BYTES],
    /// Its coverage counters; features behind them tell of the stack.
    pub counters: u64,
    /// Differences of ascending features.
    cases: BTreeMap<CaseId, Vec<u8>>,
}

impl Features {
    /// Nothing measured yet.
    pub(crate) fn new(program: [u8; DIGEST_BYTES]) -> Self {
        Self { program, counters: 0, cases: BTreeMap::new() }
    }

    /// What this program has measured before; nothing if another did, or where the file is damaged.
    pub(crate) fn load(path: &Path, program: [u8; DIGEST_BYTES]) -> Self {
        let read = std::fs::read(path).ok();
        let parsed = read.as_deref().and_then(Self::parse);
        if read.is_some() && parsed.is_none() {
            eprintln!("fuzzcheck: {}: damaged; measuring all cases again", path.display());
        }
        parsed.filter(|features| features.program == program).unwrap_or_else(|| Self::new(program))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
        if Sha256::digest(content).as_slice() != digest {
            return None;
        }
        let mut rest = content.strip_prefix(MAGIC)?;
        let mut take = |count: usize| {
            let (taken, others) = rest.split_at_checked(count)?;
            rest = others;
            Some(taken)
        };
        let mut features = Self::new(take(DIGEST_BYTES)?.try_into().ok()?);
        features.counters = u64::from_le_bytes(take(8)?.try_into().ok()?);
        while let Some(id) = take(DIGEST_BYTES) {
            let length = u32::from_le_bytes(take(4)?.try_into().ok()?);
            let case = take(length as usize)?.to_vec();
            features.cases.insert(CaseId::from_bytes(id.try_into().ok()?), case);
        }
        Some(features)
    }

    /// Writes them in the place of what was there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.program);
        bytes.extend(self.counters.to_le_bytes());
        for (id, case) in &self.cases {
            bytes.extend(id.as_bytes());
            bytes.extend((case.len() as u32).to_le_bytes());
            bytes.extend(case);
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        files::write(path, &bytes)
    }

    /// Adds a case.
    pub(crate) fn insert(&mut self, id: CaseId, features: &BTreeSet<u32>) {
        let (mut encoded, mut last) = (Vec::new(), 0);
        for &feature in features {
            let mut difference = feature - last;
            last = feature;
            while difference >= 0x80 {
                encoded.push(difference as u8 | 0x80);
                difference >>= 7;
            }
            encoded.push(difference as u8);
        }
        self.cases.insert(id, encoded);
    }

    /// Whether the case was measured.
    pub(crate) fn contains(&self, id: &CaseId) -> bool {
        self.cases.contains_key(id)
    }

    /// The features of a case; none if it was not measured.
    pub(crate) fn of(&self, id: &CaseId) -> impl Iterator<Item = u32> {
        let mut bytes = self.cases.get(id).map_or(&[][..], Vec::as_slice).iter();
        let mut last = 0;
        std::iter::from_fn(move || {
            let (mut difference, mut shift) = (0u32, 0);
            loop {
                let byte = *bytes.next()?;
                difference |= u32::from(byte & 0x7f).checked_shl(shift)?;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            last += difference;
            Some(last)
        })
    }

    /// Forgets all other cases; whether there were some.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&CaseId) -> bool) -> bool {
        let before = self.cases.len();
        self.cases.retain(|id, _| wanted(id));
        self.cases.len() < before
    }

    /// The edges among features.
    pub(crate) fn edges(&self, features: &BTreeSet<u32>) -> usize {
        let counters: BTreeSet<u32> = features.iter().map(|feature| feature / BUCKETS).collect();
        counters.into_iter().filter(|&counter| u64::from(counter) < self.counters).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_by_the_same_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features");
        let mut features = Features::new([7; 32]);
        features.counters = 16;
        let ids = [1, 2, 3].map(|byte| CaseId::from_bytes([byte; 32]));
        let sets = [vec![], vec![0, 1, 127, 128, 300], vec![9, 615_968, u32::MAX]].map(BTreeSet::from_iter);
        ids.iter().zip(&sets).for_each(|(id, set)| features.insert(*id, set));
        features.save(&path).unwrap();
        let loaded = Features::load(&path, [7; 32]);
        assert_eq!(loaded, features);
        for (id, set) in ids.iter().zip(&sets) {
            assert!(loaded.contains(id) && loaded.of(id).eq(set.iter().copied()));
        }
        assert_eq!(features.edges(&sets[1]), 2, "the counters 0 and 15; 16 and 37 are none");
        assert_eq!(Features::load(&path, [8; 32]), Features::new([8; 32]), "another program");
        let mut bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(Features::load(&path, [7; 32]), Features::new([7; 32]), "byte {at}");
            bytes[at] ^= 1;
        }
        std::fs::write(&path, &bytes[..40]).unwrap();
        assert_eq!(Features::load(&path, [7; 32]), Features::new([7; 32]));
    }
}
