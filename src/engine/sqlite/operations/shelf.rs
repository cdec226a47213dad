//! What operations hand from one connection to another.

/// Data that belongs to no connection.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The serialized database.
    pub image: Option<Vec<u8>>,
    /// The changes taken from a session, and whether they are a patchset.
    pub changes: Option<(Vec<u8>, bool)>,
}
