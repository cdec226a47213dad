//! What a case defines: the schemas that it brings, and those that its script may create.

use super::{RICH_SCHEMA, Setting, TestCase};
use crate::dbfile::{recover, schema};
use crate::sql;

impl TestCase {
    /// The statements that define the objects of its databases at the start, as far as they can be read.
    pub fn brought_definitions(&self) -> Vec<Vec<u8>> {
        let in_file = |name: &str| {
            let [image, log, journal] = self.files.database(name);
            let image = image.unwrap_or_default();
            // A table may be in the log alone.
            let recovered = recover::recovered(image, log, journal);
            let rows = schema::rows(recovered.as_deref().unwrap_or(image));
            rows.into_iter().map(|row| row.sql.into_bytes()).filter(|sql| !sql.is_empty())
        };
        let mut all: Vec<Vec<u8>> = self.files.databases().flat_map(in_file).collect();
        if self.config.is_on(Setting::RichSchema) && self.files.main().is_none() {
            all.extend(definitions_in(RICH_SCHEMA.as_bytes()));
        }
        all
    }

    /// The same, and those in the script.
    pub fn definitions(&self) -> Vec<Vec<u8>> {
        let mut all = self.brought_definitions();
        all.extend(definitions_in(self.sql.as_bytes()));
        all
    }
}

/// The statements of a script that define something.
fn definitions_in(script: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let defines = |text: &&[u8]| {
        let verb = sql::words(text).next().unwrap_or_default();
        // A column that is added may be computed, too.
        verb.eq_ignore_ascii_case(b"CREATE") || verb.eq_ignore_ascii_case(b"ALTER")
    };
    let texts = sql::statements(script).map(|range| script[range].trim_ascii());
    texts.filter(defines).map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter()
}
