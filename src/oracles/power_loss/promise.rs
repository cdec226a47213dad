//! What SQLite promises of a power loss, by journal mode and `synchronous`.
//!
//! | `journal_mode` | `synchronous` | Whole transactions | Committed is durable |
//! |---|---|---|---|
//! | DELETE | EXTRA | yes | yes |
//! | DELETE | FULL | yes | not before the directory is synced: EXTRA "provides additional durability if the commit is followed closely by a power loss" |
//! | TRUNCATE, PERSIST | FULL, EXTRA | yes | yes |
//! | DELETE, TRUNCATE, PERSIST | NORMAL | on a file system that appends in order: there is "a very small (though non-zero) chance that a power failure at just the wrong time could corrupt the database in `journal_mode=DELETE` on an older filesystem" | no |
//! | WAL | FULL, EXTRA | yes | yes |
//! | WAL | NORMAL | yes: "always consistent" | no: "WAL mode does lose durability" |
//! | MEMORY, OFF | any | no: "the database file will very likely go corrupt" | no |
//! | any | OFF | no: "the database might become corrupted if the operating system crashes or the computer loses power" | no |
//!
//! Sources: <https://sqlite.org/pragma.html#pragma_synchronous>, <https://sqlite.org/pragma.html#pragma_journal_mode>. A
//! transaction over several files is whole if none of them is in WAL mode; otherwise each file is, for itself
//! (<https://sqlite.org/lang_attach.html>). What is durable stays so.

use crate::engine::{DatabaseView, View};

/// Whether a power loss leaves whole transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wholeness {
    /// Not promised.
    No,
    /// On a disk with [`crate::faults::crash::Device::has_ordered_journals`].
    OnOrderedDisk,
    /// On any disk.
    Yes,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    pub wholeness: Wholeness,
    /// Whether what a statement has committed when it returns is durable.
    pub is_durable: bool,
}

impl Promise {
    const FULL: Self = Self { wholeness: Wholeness::Yes, is_durable: true };

    /// That of a database with these settings.
    fn of(journal: &str, synchronous: &str) -> Self {
        // Without a number, as of a database that cannot be read, nothing is promised.
        let number = synchronous.parse().unwrap_or(0);
        let (wholeness, is_durable) = match (journal, number) {
            (_, 0_u8) | ("memory" | "off", _) => (Wholeness::No, false),
            ("wal", 1) => (Wholeness::Yes, false),
            (_, 1) => (Wholeness::OnOrderedDisk, false),
            ("delete", 3) => (Wholeness::Yes, true),
            // Larger numbers, which the pragma takes as well, are at least FULL.
            ("delete", _) => (Wholeness::Yes, false),
            ("truncate" | "persist" | "wal", _) => (Wholeness::Yes, true),
            _ => (Wholeness::No, false),
        };
        Self { wholeness, is_durable }
    }

    /// What is promised of all databases with the settings of all of these views: the least. If `trusts_settings`, the best,
    /// whatever they are: with this plant, a check must fail that sees the damage.
    pub(super) fn of_all<'v>(views: impl Iterator<Item = &'v View>, trusts_settings: bool) -> Self {
        if trusts_settings {
            return Self::FULL;
        }
        let of = |database: &DatabaseView| Self::of(&database.journal, &database.synchronous);
        views.flat_map(|view| view.databases.iter().map(of)).fold(Self::FULL, |least, other| Self {
            wholeness: least.wholeness.min(other.wholeness),
            is_durable: least.is_durable && other.is_durable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_is_computed() {
        let promise = |journal, synchronous| {
            let Promise { wholeness, is_durable } = Promise::of(journal, synchronous);
            (wholeness, is_durable)
        };
        for journal in ["delete", "truncate", "persist"] {
            assert_eq!(promise(journal, "3"), (Wholeness::Yes, true));
            assert_eq!(promise(journal, "1"), (Wholeness::OnOrderedDisk, false));
            assert_eq!(promise(journal, "2"), (Wholeness::Yes, journal != "delete"));
            assert_eq!(promise(journal, "4"), promise(journal, "2"));
        }
        assert_eq!(promise("wal", "2"), (Wholeness::Yes, true));
        assert_eq!(promise("wal", "1"), (Wholeness::Yes, false));
        for journal in ["delete", "truncate", "persist", "wal", "memory", "off"] {
            assert_eq!(promise(journal, "0"), (Wholeness::No, false));
        }
        for journal in ["memory", "off", "something new"] {
            assert_eq!(promise(journal, "2"), (Wholeness::No, false));
        }
    }
}
