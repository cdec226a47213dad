//! Objects that `CREATE` and `DROP` name: the one makes an object that was not there, the other takes one away.

use super::transaction::{is_keyword, words};
use super::{Said, content, query};
use crate::engine::Value;
use crate::engine::sqlite::Session;
use crate::sql::{self, TokenKind};

/// Kinds of objects of a schema.
const OBJECTS: [&str; 4] = ["TABLE", "INDEX", "VIEW", "TRIGGER"];

/// An object that a statement creates or drops.
pub(super) struct Object {
    creates: bool,
    /// `IF EXISTS`, `IF NOT EXISTS`.
    is_conditional: bool,
    kind: &'static str,
    schema: Option<String>,
    name: String,
}

impl Object {
    /// The one that a statement names.
    pub(super) fn of(text: &str) -> Option<Self> {
        let words = words(text);
        let mut rest = &words[..];
        let mut take = |keyword: &str| {
            let is_there = rest.first().is_some_and(|word| is_keyword(word, keyword));
            rest = if is_there { &rest[1..] } else { rest };
            is_there
        };
        let creates = take("CREATE");
        if !creates && !take("DROP") {
            return None;
        }
        while ["TEMP", "TEMPORARY", "UNIQUE", "VIRTUAL"].iter().any(|word| take(word)) {}
        let kind = OBJECTS.into_iter().find(|kind| take(kind))?;
        let is_conditional = take("IF");
        let _ = take("NOT");
        if take("EXISTS") != is_conditional {
            return None;
        }
        let name = |at: usize| {
            let (kind, word) = rest.get(at)?;
            let is_name = matches!(kind, TokenKind::Word | TokenKind::QuotedName | TokenKind::Text);
            let name = sql::bare(word);
            // What is quoted within quotes is written in several ways.
            let is_plain = !name.contains(['"', '\'', '`', '\u{fffd}', '\0']);
            (is_name && is_plain).then(|| name.to_owned())
        };
        let is_qualified = rest.get(1).is_some_and(|(_, word)| *word == ".");
        let (schema, name) = if is_qualified { (Some(name(0)?), name(2)?) } else { (None, name(0)?) };
        Some(Self { creates, is_conditional, kind, schema, name })
    }

    /// How many there are: in its schema, or in all if it names none.
    pub(super) fn count(&self, db: &mut Session<'_, '_>) -> Result<i64, &'static str> {
        let schemas = match &self.schema {
            Some(schema) => vec![schema.clone()],
            None => content::schemas(db)?,
        };
        let (kind, name) = (self.kind.to_ascii_lowercase(), sql::quoted(&self.name, '\''));
        let mut sum = 0;
        for schema in schemas {
            let schema = sql::quoted(&schema, '"');
            let text = format!(
                "SELECT count(*) FROM {schema}.sqlite_master WHERE type='{kind}' AND name={name} COLLATE NOCASE"
            );
            match db.rows(&text).map_err(query::why)?.first().and_then(|row| row.first()) {
                Some(Value::Integer(count)) => sum += count,
                _ => return Err("it cannot be counted"),
            }
        }
        Ok(sum)
    }

    /// Whether there are as many as there must be if there were so many before.
    pub(super) fn judge(&self, before: i64, db: &mut Session<'_, '_>) -> Said {
        let after = match self.count(db) {
            Ok(after) => after,
            Err(reason) => return Said::Nothing(reason),
        };
        let is_right = match (self.creates, self.is_conditional) {
            (true, false) => after == before + 1 && (self.schema.is_none() || after == 1),
            (true, true) => after == before || after == before + 1,
            (false, false) => after == before - 1,
            (false, true) => after == (before - 1).max(0),
        };
        if is_right {
            return Said::Agrees { is_telling: after != before };
        }
        let kind = if self.creates { "create" } else { "drop" };
        let what = self.kind.to_ascii_lowercase();
        Said::Differs(
            kind.to_owned(),
            format!("{before} of the name {} ({what}) before, {after} after", self.name),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_by_their_names() {
        let object = |text: &str| Object::of(text).map(|object| (object.kind, object.schema, object.name));
        let main = || Some("main".to_owned());
        assert_eq!(
            object("CREATE TEMP TABLE IF NOT EXISTS [a b](x)"),
            Some(("TABLE", None, "a b".to_owned()))
        );
        assert_eq!(object("drop view \"main\".v"), Some(("VIEW", main(), "v".to_owned())));
        assert_eq!(object("ALTER TABLE t ADD x"), None);
    }
}
