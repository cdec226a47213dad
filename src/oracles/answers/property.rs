//! Laws that need no second way to compute an answer.
//!
//! * What a transaction or savepoint did is undone by `ROLLBACK`, and kept by `COMMIT` ([`super::transaction`]).
//! * A `DELETE` without `WHERE` leaves no row; `CREATE` makes one object that was not there, `DROP` takes one away.
//! * `a UNION ALL b` has the rows of `a` and those of `b`.
//! * A query with `LIMIT` has as many of the rows without it as it says; if it is sorted, the first ones by their keys.

use super::object::Object;
use super::query::{self, Query};
use super::rows::{self, difference};
use super::sorted::keys;
use super::table::Table;
use super::transaction::{Transactions, is_keyword, words};
use super::{Change, Check, Follower, Said, Statementwise, content};
use crate::engine::sqlite::{Row, Session};
use crate::engine::{StatementTrace, Value};
use crate::sql::tree::{Kind, Node};
use crate::sql::{self, TokenKind};

pub(crate) const PROPERTY: Statementwise =
    Statementwise { name: "property", check: Check::Runs(|expected| Box::new(Property::new(expected))) };

/// Collations that take texts for equal only if they are, but for case and spaces at their ends.
const COLLATIONS: [&str; 3] = ["BINARY", "NOCASE", "RTRIM"];

struct Property {
    transactions: Transactions,
    /// How many objects of the name that the statement creates or drops there were, if it does.
    objects: Option<(Object, i64)>,
}

impl Property {
    fn new(expected: &[StatementTrace]) -> Self {
        Self { transactions: Transactions::new(expected), objects: None }
    }
}

impl Follower for Property {
    fn before(&mut self, change: &Change<'_>, db: &mut Session<'_, '_>) {
        self.transactions.before(change, db);
        let object = Object::of(change.text).filter(|_| change.code.is_success());
        self.objects = object.and_then(|object| {
            let count = object.count(db).ok()?;
            Some((object, count))
        });
    }

    fn after(&mut self, change: &Change<'_>, trace: &StatementTrace, db: &mut Session<'_, '_>) -> Said {
        if let Some(said) = self.transactions.after(change, trace, db) {
            return said;
        }
        if !trace.code().is_success() {
            return Said::Nothing("a statement that fails");
        }
        if let Some((object, count)) = self.objects.take() {
            return object.judge(count, db);
        }
        match change.tree {
            Some(tree) if tree.kind == Kind::Delete => emptied(tree, db),
            _ => Said::Nothing("a statement of another kind"),
        }
    }

    fn query(&mut self, query: &Query<'_>, db: &mut Session<'_, '_>) -> Said {
        let said = match query.trees[0].child(Kind::Limit).filter(|limit| !limit.is_absent()) {
            Some(_) => limited(query, db),
            None => sum(query, db),
        };
        said.unwrap_or_else(|said| said)
    }
}

/// Whether a table has no rows after a `DELETE` that has no condition.
fn emptied(tree: &Node, db: &mut Session<'_, '_>) -> Said {
    let clauses = [Kind::With, Kind::Where, Kind::Order, Kind::Limit, Kind::Indexed];
    if tree.children().any(|clause| !clause.is_absent() && clauses.contains(&clause.kind)) {
        return Said::Nothing("a DELETE of some rows");
    }
    let table = match Table::of(tree, db) {
        Ok(table) => table,
        Err(reason) => return Said::Nothing(reason),
    };
    // With indexes, too: they must be as empty.
    let indexed = table.from.trim_end_matches("NOT INDEXED");
    for from in [&*table.from, indexed] {
        match db.rows(&format!("SELECT count(*) FROM {from}")) {
            Ok(rows) if rows == [[Value::Integer(0)]] => {}
            Ok(rows) => {
                let count = rows.first().map(rows::shown).unwrap_or_default();
                return Said::Differs("delete".to_owned(), format!("{count} rows are left in {from}"));
            }
            Err(none) => return Said::Nothing(query::why(none)),
        }
    }
    let is_telling = db.rows("SELECT changes()").is_ok_and(|rows| rows != [[Value::Integer(0)]]);
    Said::Agrees { is_telling }
}

/// The queries of a core: one for each row of `VALUES`, which SQLite computes all in one coroutine.
fn queries(core: &Node) -> Vec<String> {
    match core.child(Kind::Rows) {
        Some(rows) => rows.children().map(|row| format!("VALUES {}", row.print())).collect(),
        None => vec![core.print()],
    }
}

/// The rows of a compound of `UNION ALL` are those of its cores, and those of `VALUES` what each is alone.
fn sum(query: &Query<'_>, db: &mut Session<'_, '_>) -> Result<Said, Said> {
    let compound = query.tree.child(Kind::Compound).ok_or(Said::Nothing("a query of another kind"))?;
    let is_operator = |node: &&Node| node.kind == Kind::CompoundOperator;
    let queries: Vec<String> =
        compound.children().filter(|node| !is_operator(node)).flat_map(queries).collect();
    let is_other = |operator: &Node| operator.print().trim() != "UNION ALL";
    if queries.len() < 2 || compound.children().filter(is_operator).any(is_other) {
        return Err(Said::Nothing("a query of another kind"));
    }
    if let Some(open) = query.open {
        return Err(Said::Nothing(open.reason()));
    }
    let with = query.tree.child(Kind::With).map(Node::print).unwrap_or_default();
    let mut rows = Vec::new();
    for query in queries {
        let text = format!("{with} {query}");
        rows.extend(db.rows(text.trim()).map_err(|none| Said::Nothing(query::why(none)))?);
    }
    if query.adds_up_reals(&rows) {
        return Err(Said::Nothing("sums of floating-point numbers"));
    }
    query.must_be(&rows, db, "union-all", "UNION ALL versus its queries alone")?;
    Ok(Said::Agrees { is_telling: !rows.is_empty() })
}

/// A query with `LIMIT` has as many of its rows without.
fn limited(query: &Query<'_>, db: &mut Session<'_, '_>) -> Result<Said, Said> {
    let (count, skipped) = bounds(query.text).ok_or(Said::Nothing("a LIMIT that is not a number"))?;
    let mut tree = query.tree.clone();
    if let Some(limit) = tree.child_mut(Kind::Limit) {
        *limit = Node::absent(Kind::Limit);
    }
    let text = tree.print();
    let all = Query::new(&text, None, db).map_err(Said::Nothing)?;
    if let Some(open) = all.open {
        return Err(Said::Nothing(open.reason()));
    }
    if all.adds_up_reals(&query.rows) {
        return Err(Said::Nothing("sums of floating-point numbers"));
    }
    let rest = &all.rows[skipped.min(all.rows.len())..];
    let expected = &rest[..count.unwrap_or(rest.len()).min(rest.len())];
    let found = if query.rows.len() != expected.len() {
        let (is, should) = (query.rows.len(), expected.len());
        Some(("limit-count", format!("{is} rows, which should be {should}")))
    } else if !all.has_representatives() && !rows::is_contained(&query.rows, &all.rows) {
        let difference = difference(&query.rows, &all.rows).unwrap_or_default();
        Some(("limit-rows", format!("rows that are not there without LIMIT: {difference}")))
    } else {
        let shown = |rows: &[Row]| rows.iter().take(8).map(rows::shown).collect::<Vec<_>>().join(" / ");
        let keys = sort_keys(&all, db).map(|keys| (pick(&query.rows, &keys), pick(expected, &keys)));
        let wrong = keys.filter(|(own, first)| !rows::is_same_list_but_representatives(own, first));
        wrong.map(|(own, first)| {
            ("limit-keys", format!("keys are {}, without LIMIT {}", shown(&own), shown(&first)))
        })
    };
    let Some((kind, message)) = found else {
        return Ok(Said::Agrees { is_telling: expected.len() < all.rows.len() && !expected.is_empty() });
    };
    let mut is_stable =
        |text: &str, rows: &[Row]| db.rows(text).is_ok_and(|again| difference(rows, &again).is_none());
    if !is_stable(query.text, &query.rows) || !is_stable(&text, &all.rows) {
        return Err(Said::Nothing("it answers differently when asked again"));
    }
    Ok(Said::Differs(kind.to_owned(), message))
}

/// The columns by which a query is sorted; `None` if it is not, or they are not known, or a collation of them may take
/// other texts for equal than SQLite's own do.
fn sort_keys(all: &Query<'_>, db: &mut Session<'_, '_>) -> Option<Vec<usize>> {
    let terms = all.tree.child(Kind::Order)?.child(Kind::Terms)?;
    let keys = keys(all, terms)?;
    let mut definitions = Vec::new();
    for schema in content::schemas(db).ok()? {
        let text = format!("SELECT sql FROM {}.sqlite_master", sql::quoted(&schema, '"'));
        definitions.extend(db.rows(&text).ok()?);
    }
    let own = all.trees.iter().map(|tree| Value::Text(tree.print().into_bytes()));
    let is_known = |value: &Value| match value {
        Value::Text(text) => {
            let words: Vec<&[u8]> = sql::words(text).collect();
            words.windows(2).filter(|pair| pair[0].eq_ignore_ascii_case(b"COLLATE")).all(|pair| {
                COLLATIONS.iter().any(|collation| pair[1].eq_ignore_ascii_case(collation.as_bytes()))
            })
        }
        _ => true,
    };
    let is_plain = definitions.into_iter().flatten().chain(own).all(|value| is_known(&value));
    is_plain.then(|| keys.into_iter().map(|(column, _)| column - 1).collect())
}

fn pick(rows: &[Row], columns: &[usize]) -> Vec<Row> {
    let of = |row: &Row| columns.iter().filter_map(|&column| row.get(column).cloned()).collect();
    rows.iter().map(of).collect()
}

/// How many rows the `LIMIT` at the end of a query takes, if not all, after how many; `None` if that is not written as
/// numbers. The text is asked, since the tree does not tell the two ways to write it apart.
fn bounds(text: &str) -> Option<(Option<usize>, usize)> {
    let words = words(text);
    let at = words.iter().rposition(|word| is_keyword(word, "LIMIT"))?;
    let words = &words[at + 1..];
    let mut numbers = Vec::new();
    for part in words.split(|(_, word)| *word == "," || word.eq_ignore_ascii_case("OFFSET")) {
        numbers.push(match part {
            [(TokenKind::Number, digits)] => Some(digits.parse::<usize>().ok()?),
            [(_, "-"), (TokenKind::Number, digits)] if digits.parse::<usize>().is_ok_and(|n| n > 0) => None,
            _ => return None,
        });
    }
    let is_reversed = words.iter().any(|(_, word)| *word == ",");
    match numbers[..] {
        [count] => Some((count, 0)),
        [skipped, count] if is_reversed => Some((count, skipped.unwrap_or(0))),
        [count, skipped] => Some((count, skipped.unwrap_or(0))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_understood_as_sqlite_does() {
        let bounds = |limit: &str| bounds(&format!("SELECT 1 LIMIT {limit}"));
        assert_eq!(bounds("3"), Some((Some(3), 0)));
        assert_eq!(bounds("-1 OFFSET 2"), Some((None, 2)));
        assert_eq!(bounds("4, 5"), Some((Some(5), 4)));
        assert_eq!(bounds("2 OFFSET -7"), Some((Some(2), 0)));
        assert_eq!(bounds("-0"), None, "it is zero, not negative");
        assert_eq!(bounds("1+1"), None);
    }
}
