//! What a case holds that belongs to no connection.

/// The verb of a call on a changeset that comes from SQLite.
const OWN: &str = "CHANGESET";

/// What is put down by one operation and taken by another.
#[derive(Clone, Default)]
pub(super) struct Shelf {
    /// The serialized database.
    pub image: Option<Vec<u8>>,
    /// The current changeset.
    pub changes: Option<Changeset>,
    /// The one that is kept.
    pub kept: Option<Changeset>,
    /// What the last apply left for rebasing, and whether it applied bytes that the case brought.
    pub rebase: Option<(Vec<u8>, bool)>,
}

/// Changes as bytes.
#[derive(Clone)]
pub(super) struct Changeset {
    pub content: Vec<u8>,
    /// Whether SQLite said that it is a patchset. Of bytes that the case brought that is not known.
    pub is_patchset: bool,
    /// Whether the case brought the bytes, or those from which SQLite made them: it may rightly refuse them as damaged.
    pub is_raw: bool,
}

impl Changeset {
    /// What represents calls on it in a trace.
    pub fn verb(&self) -> &'static str {
        verb(self.is_raw)
    }
}

/// The verb of a call on changes, whether they are raw or not.
pub(super) fn verb(is_raw: bool) -> &'static str {
    if is_raw { crate::engine::RAW_CHANGESET } else { OWN }
}
