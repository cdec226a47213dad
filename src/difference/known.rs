//! Differences between versions of SQLite that are meant: each with the release that made it, and why.
//!
//! An entry applies only between a version before that release and one that has it, and says as narrowly as it
//! can which difference it explains. What fired, and what applies and did not, is reported: an entry that never
//! fires has no business here.

use super::Difference;

/// A version: major, minor, patch.
pub type Version = (u32, u32, u32);

/// A change of behaviour.
pub struct KnownDifference {
    /// Its name.
    pub name: &'static str,
    /// What changed.
    pub reason: &'static str,
    /// Where that is said.
    pub link: &'static str,
    /// The first version that has it.
    pub since: Version,
    /// Whether it explains a difference; sides are given oldest first.
    explains: fn(&Difference) -> bool,
}

/// All known differences.
pub const KNOWN_DIFFERENCES: [KnownDifference; 0] = [];

impl KnownDifference {
    /// Whether the two versions lie on different sides of the change.
    pub fn applies(&self, versions: [Version; 2]) -> bool {
        (versions[0] < self.since) != (versions[1] < self.since)
    }
}

/// The entries that apply to two versions.
pub fn applicable(versions: [Version; 2]) -> impl Iterator<Item = &'static KnownDifference> {
    KNOWN_DIFFERENCES.iter().filter(move |known| known.applies(versions))
}

/// The entry that explains a difference between these versions.
pub fn explain(difference: &Difference, versions: [Version; 2]) -> Option<&'static KnownDifference> {
    let mut ordered = difference.clone();
    if versions[0] > versions[1] {
        ordered.sides.reverse();
    }
    applicable(versions).find(|known| (known.explains)(&ordered))
}

/// The version in the identity of an engine, as in `SQLite 3.54.1, 2026-…`; `None` for another engine.
pub fn version_of(identity: &str) -> Option<Version> {
    let version = identity.strip_prefix("SQLite ")?.split(',').next()?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}
