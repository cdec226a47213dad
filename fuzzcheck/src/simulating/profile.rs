//! Profiles: what simulations consist of, as TOML.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tandem::generators::simulation::{Plan, Weights};

/// Profiles by name.
const PROFILES: [(&str, &str); 6] = [
    ("balanced", include_str!("profiles/balanced.toml")),
    ("ddl", include_str!("profiles/ddl.toml")),
    ("triggers", include_str!("profiles/triggers.toml")),
    ("writes", include_str!("profiles/writes.toml")),
    ("spill", include_str!("profiles/spill.toml")),
    ("savepoints", include_str!("profiles/savepoints.toml")),
];

/// What simulations consist of. What is not given is as in `balanced`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Profile {
    /// Statements behind the tables.
    pub statements: Option<u32>,
    /// Tables to begin with.
    pub tables: Option<u32>,
    /// Columns of each.
    pub columns: Option<u32>,
    /// Rows of each.
    pub rows: Option<u32>,
    /// Bytes of a wide column in each row; 0 for none.
    pub row_bytes: Option<u32>,
    /// `PRAGMA journal_mode`.
    pub journal_mode: Option<String>,
    /// `PRAGMA cache_size`, in pages.
    pub cache_pages: Option<u32>,
    /// SQL statements to begin with, before the tables; both engines run them whatever comes of it.
    pub setup: Vec<String>,
    /// How often a class of statements, or each class of a group, comes beside the others.
    pub weights: BTreeMap<String, f64>,
}

impl Profile {
    /// A profile by its name, or from a file.
    ///
    /// # Errors
    /// There is none, or it cannot be read: the field and the line.
    pub(crate) fn named(name: &str) -> Result<Self> {
        if let Some((_, text)) = PROFILES.iter().find(|(known, _)| *known == name) {
            return Self::parse(text).with_context(|| format!("the profile {name}"));
        }
        let path = Path::new(name);
        if !path.is_file() {
            let known = PROFILES.map(|(known, _)| known).join(", ");
            bail!("no profile is named `{name}`, and there is no such file; there are {known}");
        }
        let text = std::fs::read_to_string(path).with_context(|| name.to_owned())?;
        Self::parse(&text).with_context(|| format!("{name}: see `simulate --profile-schema`"))
    }

    fn parse(text: &str) -> Result<Self> {
        let profile: Self = toml::from_str(text).map_err(|error| anyhow!("{}", error.to_string().trim()))?;
        profile.weights()?;
        Ok(profile)
    }

    fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::default();
        // Groups first: a class of one may have a weight of its own.
        let (groups, classes): (Vec<_>, Vec<_>) =
            self.weights.iter().partition(|(name, _)| !name.contains('.'));
        for (name, weight) in groups.into_iter().chain(classes) {
            weights.set(name, *weight).map_err(|error| anyhow!(error))?;
        }
        Ok(weights)
    }

    /// What is to be made.
    ///
    /// # Errors
    /// A weight is none, or all of them are 0.
    pub(crate) fn plan(&self, focus: Option<&str>, image: Option<Vec<u8>>) -> Result<Plan> {
        let mut weights = self.weights()?;
        if let Some(name) = focus {
            weights.focus(name).map_err(|error| anyhow!("--focus: {error}"))?;
        }
        if weights.is_empty() {
            bail!("all classes of statements have the weight 0: nothing would be run");
        }
        let usual = Plan::default();
        Ok(Plan {
            statements: self.statements.unwrap_or(usual.statements),
            tables: self.tables.unwrap_or(usual.tables),
            columns: self.columns.unwrap_or(usual.columns),
            rows: self.rows.unwrap_or(usual.rows),
            row_bytes: self.row_bytes.unwrap_or(usual.row_bytes),
            weights,
            journal_mode: self.journal_mode.clone(),
            cache_pages: self.cache_pages.unwrap_or(usual.cache_pages),
            setup: self.setup.clone(),
            image,
        })
    }
}

/// The schema of a profile, as JSON Schema.
pub(crate) fn schema() -> String {
    let schema = schemars::schema_for!(Profile);
    serde_json::to_string_pretty(&schema).expect("it is plain data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_profiles_can_be_read_and_differ() {
        let profiles: Vec<Profile> = PROFILES.iter().map(|(name, _)| Profile::named(name).unwrap()).collect();
        for (index, profile) in profiles.iter().enumerate() {
            assert!(profiles[..index].iter().all(|other| other != profile), "{}", PROFILES[index].0);
            profile.plan(None, None).unwrap();
        }
        assert!(schema().contains("journal_mode"));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let error = |text: &str| format!("{:#}", Profile::parse(text).unwrap_err());
        assert!(error("tabels = 3").contains("tabels") && error("tabels = 3").contains("statements"));
        assert!(error("tables = \"many\"").contains("line 1"));
        assert!(error("[weights]\nselect.windw = 1.0").contains("invalid type"));
        assert!(error("[weights]\n\"select.windw\" = 1.0").contains("select.windw"));
        assert!(error("[weights]\nselect = -1.0").contains("-1"));
        let none = Profile::parse(
            "[weights]\nselect = 0.0\ninsert = 0.0\nupdate = 0.0\ndelete = 0.0\nddl = 0.0\ntransaction = 0.0\nupkeep = 0.0",
        );
        let error = format!("{:#}", none.unwrap().plan(None, None).unwrap_err());
        assert!(error.contains("weight 0"), "{error}");
        let error = format!("{:#}", Profile::default().plan(Some("windw"), None).unwrap_err());
        assert!(error.contains("select.window"), "{error}");
    }

    #[test]
    fn a_class_of_a_group_may_have_a_weight_of_its_own() {
        let profile = Profile::parse("[weights]\n\"select.window\" = 9.0\nselect = 0.0").unwrap();
        let weights = profile.plan(None, None).unwrap().weights;
        let of = |name: &str| weights.each().find(|(class, _)| class.name == name).unwrap().1;
        assert_eq!([of("select.window"), of("select.join")], [9.0, 0.0]);
    }
}
