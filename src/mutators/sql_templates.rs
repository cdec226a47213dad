//! Words and clauses to insert into a script.
//!
//! A small generator: templates whose placeholders are filled with names of the case, literals at the limits of
//! SQLite's types, and functions of the running build with the right number of arguments.

use super::Context;
use crate::dbfile::recover::recovered;
use crate::dbfile::schema;
use crate::generators::statements::LITERALS;
use crate::sql::{KEYWORDS, Names};
use crate::testcase::{JOURNAL, Setting, TestCase, WAL};

/// How deep placeholders may contain placeholders.
const DEPTH_MAX: u32 = 5;

/// The names that the case defines: in its script, in its database, and in the rich schema if it uses that.
pub(super) fn names(case: &TestCase) -> Names {
    names_before(case, case.sql.len())
}

/// As [`names`], at the point where the script has run up to the byte `end`.
pub(super) fn names_before(case: &TestCase, end: usize) -> Names {
    let mut names = Names::default();
    if let Some(image) = case.files.main() {
        // As SQLite will see it: the schema may be only in the log.
        let (log, journal) = (case.files.get(WAL), case.files.get(JOURNAL));
        let recovered =
            if log.is_some() || journal.is_some() { recovered(image, log, journal) } else { None };
        for row in schema::rows(recovered.as_deref().unwrap_or(image)) {
            names.add(row.sql.as_bytes());
        }
    } else if case.config.is_on(Setting::RichSchema) {
        names.add(crate::testcase::RICH_SCHEMA.as_bytes());
    }
    names.add(&case.sql.as_bytes()[..end]);
    names
}

/// Keywords that may replace each other.
#[rustfmt::skip]
const KEYWORD_GROUPS: &[&[&str]] = &[
    &["ASC", "DESC"], &["LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "NATURAL LEFT"],
    &["AND", "OR", "IS", "IS NOT", "IS DISTINCT FROM", "LIKE", "GLOB", "MATCH", "IN", "NOT IN"],
    &["UNION", "UNION ALL", "INTERSECT", "EXCEPT"], &["ROWS", "RANGE", "GROUPS"],
    &["IGNORE", "REPLACE", "ABORT", "FAIL", "ROLLBACK"], &["PRECEDING", "FOLLOWING"],
    &["CURRENT ROW", "UNBOUNDED PRECEDING", "UNBOUNDED FOLLOWING", "1 PRECEDING", "2 FOLLOWING"],
    &["ISNULL", "NOTNULL", "NOT NULL", "IS NULL", "IS TRUE", "IS NOT FALSE"],
    &["BEFORE", "AFTER", "INSTEAD OF"], &["INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT"],
    &["TABLE", "VIEW", "INDEX", "TRIGGER"], &["CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT", "NO ACTION"],
    &["DEFERRED", "IMMEDIATE", "EXCLUSIVE"], &["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s1", "RELEASE s1", "ROLLBACK TO s1"],
    &["MATERIALIZED", "NOT MATERIALIZED"], &["FIRST", "LAST"], &["DISTINCT", "ALL"],
    &["UNIQUE", "PRIMARY KEY", "NOT NULL", "CHECK", "COLLATE NOCASE", "GENERATED ALWAYS AS"],
    &["WHERE", "ON", "HAVING", "GROUP BY", "ORDER BY", "LIMIT"], &["STORED", "VIRTUAL"],
    &["VACUUM", "ANALYZE", "REINDEX", "PRAGMA integrity_check", "PRAGMA optimize"],
];

#[rustfmt::skip]
const OPERATOR_GROUPS: &[&[&str]] = &[
    &["=", "==", "!=", "<>", "<", "<=", ">", ">=", " IS ", " IS NOT "],
    &["+", "-", "*", "/", "%", "||", "&", "|", "<<", ">>", "->", "->>"],
    &[",", " AND ", " JOIN ", " LEFT JOIN ", " UNION SELECT "],
    &[".", ",", "="],
];

/// Clauses and modifiers. `$E` is an expression, `$C` a column, `$T` a table, `$L` a literal.
#[rustfmt::skip]
const CLAUSES: &[&str] = &[
    "WHERE $E", "AND $E", "OR $E", "NOT", "IS NULL", "IS NOT NULL", "COLLATE NOCASE", "COLLATE RTRIM", "COLLATE BINARY",
    "ORDER BY $C", "ORDER BY $C DESC NULLS LAST, $E", "ORDER BY 1, 2 DESC", "GROUP BY $C", "GROUP BY $C HAVING $E", "LIMIT $L",
    "LIMIT 3 OFFSET 1", "DISTINCT", "UNION SELECT $E", "UNION ALL SELECT * FROM $T", "EXCEPT SELECT $C FROM $T",
    "JOIN $T", "LEFT JOIN $T ON $E", "RIGHT JOIN $T ON $E", "FULL JOIN $T USING($C)", "NATURAL JOIN $T", ", $T",
    "RETURNING *", "RETURNING $E, $C", "ON CONFLICT DO NOTHING", "ON CONFLICT($C) DO UPDATE SET $C = $E", "FROM $T",
    "OVER (PARTITION BY $C ORDER BY $C)", "OVER (ORDER BY $C ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES)",
    "FILTER (WHERE $E)", "WITHOUT ROWID", "STRICT", "UNIQUE", "NOT NULL", "DEFAULT $L", "CHECK($E)", "PRIMARY KEY",
    "GENERATED ALWAYS AS ($E) STORED", "REFERENCES $T($C) ON DELETE CASCADE", "INDEXED BY $I",
];

/// Larger expressions around an operand `$O`.
#[rustfmt::skip]
const WRAPPERS: &[&str] = &[
    "($O)", "+$O", "-$O", "NOT $O", "~$O", "($O IS NULL)", "($O IS NOT NULL)", "($O IS TRUE)", "($O, $E)", "CAST($O AS INTEGER)",
    "CAST($O AS TEXT)", "CAST($O AS REAL)", "CAST($O AS BLOB)", "CASE WHEN $O THEN $E ELSE $L END", "likely($O)", "unlikely($O)",
    "coalesce($O, $E)", "($O COLLATE NOCASE)", "($O = $E)", "($O BETWEEN $L AND $L)", "($O IN ($L, $E, NULL))",
    "($O IN (SELECT $C FROM $T))", "EXISTS(SELECT 1 FROM $T WHERE $C = $O)", "(SELECT $O)", "(SELECT $O FROM $T)",
    "(SELECT max($O) FROM $T WHERE $E)", "$F($O)", "iif($O, $E, $L)", "($O || $L)", "($O LIKE $L ESCAPE 'x')",
];

#[rustfmt::skip]
const EXPRESSIONS: &[&str] = &[
    "$L", "$L", "$C", "$C", "$C", "$C = $L", "$C > $E", "$E AND $E", "$E OR $E", "$C IS NULL", "$C IN ($L, $L)", "$C BETWEEN $L AND $L",
    "$G", "$G", "$C LIKE $L", "(SELECT $C FROM $T LIMIT 1)", "count(*)", "$C || $E", "$C + $L", "CASE $C WHEN $L THEN $E END",
];

/// A literal.
pub(super) fn literal(context: &mut Context<'_>) -> String {
    match context.rng.u8(0..12) {
        0 => format!("{}", context.rng.i64(..) >> context.rng.u32(0..64)),
        1 => format!("zeroblob({})", context.rng.u32(0..5000)),
        2 => format!("hex(zeroblob({}))", context.rng.u32(0..3000)),
        _ => LITERALS[context.rng.usize(0..LITERALS.len())].to_owned(),
    }
}

/// A function of the running build that takes this many arguments.
pub(super) fn function(arguments: usize, context: &mut Context<'_>) -> Option<String> {
    let functions = &context.vocabulary.functions;
    let takes = |count: Option<u8>| count.is_none_or(|count| usize::from(count) == arguments);
    let fitting: Vec<&str> = functions
        .iter()
        .filter(|function| takes(function.arguments))
        .map(|function| function.name.as_str())
        .collect();
    context.pick(&fitting).map(|name| (*name).to_owned())
}

/// A type.
pub(super) fn type_name(context: &mut Context<'_>) -> String {
    const TYPES: [&str; 9] =
        ["INTEGER", "INT", "TEXT", "REAL", "BLOB", "NUMERIC", "ANY", "VARCHAR(10)", "BOOL"];
    TYPES[context.rng.usize(0..TYPES.len())].to_owned()
}

/// A keyword that may replace this one; now and then any keyword.
pub(super) fn keyword_like(keyword: &str, context: &mut Context<'_>) -> String {
    let groups: Vec<&&[&str]> = KEYWORD_GROUPS.iter().filter(|group| group.contains(&keyword)).collect();
    match context.pick(&groups) {
        Some(group) if context.chance(90) => group[context.rng.usize(0..group.len())].to_owned(),
        _ => KEYWORDS[context.rng.usize(0..KEYWORDS.len())].to_owned(),
    }
}

/// An operator that may replace this one.
pub(super) fn operator_like(operator: &str, context: &mut Context<'_>) -> String {
    let groups = OPERATOR_GROUPS.iter().filter(|group| group.iter().any(|known| known.trim() == operator));
    let groups: Vec<&&[&str]> = groups.collect();
    match context.pick(&groups) {
        Some(group) => group[context.rng.usize(0..group.len())].to_owned(),
        None => operator.to_owned(),
    }
}

/// The name of a table, column or index.
pub(super) fn any_name(names: &Names, context: &mut Context<'_>) -> String {
    let template = ["$T", "$C", "$C", "$C", "$I", "rowid", "sqlite_schema"];
    fill(template[context.rng.usize(0..template.len())], names, context)
}

/// A clause or modifier.
pub(super) fn clause(names: &Names, context: &mut Context<'_>) -> String {
    fill(CLAUSES[context.rng.usize(0..CLAUSES.len())], names, context)
}

/// An expression with `operand` in it.
pub(super) fn wrap(operand: &str, names: &Names, context: &mut Context<'_>) -> String {
    let wrapper = WRAPPERS[context.rng.usize(0..WRAPPERS.len())];
    let parts: Vec<String> = wrapper.split("$O").map(|part| fill(part, names, context)).collect();
    parts.join(operand)
}

/// Fills the placeholders of `template`; within one, `$C` is usually a column of the last `$T`.
pub(super) fn fill(template: &str, names: &Names, context: &mut Context<'_>) -> String {
    Filler { names, context, table: None }.fill(template, 0)
}

struct Filler<'n, 'c, 'v> {
    names: &'n Names,
    context: &'c mut Context<'v>,
    table: Option<usize>,
}

impl Filler<'_, '_, '_> {
    fn fill(&mut self, template: &str, depth: u32) -> String {
        if template.contains("$T") || self.table.is_none() {
            self.choose_table();
        }
        let mut out = String::with_capacity(2 * template.len());
        let mut rest = template;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let kind = rest[at + 1..].chars().next().unwrap_or('$');
            out.push_str(&self.placeholder(kind, depth));
            rest = &rest[at + 1 + kind.len_utf8()..];
        }
        out.push_str(rest);
        out
    }

    fn choose_table(&mut self) {
        let count = self.names.tables.len();
        self.table = (count > 0).then(|| self.context.rng.usize(0..count));
    }

    fn placeholder(&mut self, kind: char, depth: u32) -> String {
        match kind {
            'T' => self.table(),
            'C' => self.column(),
            'I' => self.index(),
            'N' => format!("n{}", self.context.rng.u8(0..12)),
            'L' => literal(self.context),
            'F' => function(1, self.context).unwrap_or_else(|| "abs".to_owned()),
            'G' if depth < DEPTH_MAX => self.call(depth + 1),
            'E' if depth < DEPTH_MAX => {
                let template = EXPRESSIONS[self.context.rng.usize(0..EXPRESSIONS.len())];
                let table = self.table;
                let expression = self.fill(template, depth + 1);
                self.table = table;
                expression
            }
            _ => literal(self.context),
        }
    }

    fn table(&mut self) -> String {
        match self.table.and_then(|table| self.names.tables.get(table)) {
            Some(table) => table.name.clone(),
            None => "t1".to_owned(),
        }
    }

    fn index(&mut self) -> String {
        self.context.pick(&self.names.indexes).map_or_else(|| "i1".to_owned(), |index| index.name.clone())
    }

    fn column(&mut self) -> String {
        let table = self.table.and_then(|table| self.names.tables.get(table));
        let columns = table.map(|table| table.columns.as_slice()).unwrap_or_default();
        match self.context.pick(columns) {
            Some(column) if !self.context.chance(8) => column.clone(),
            _ => "rowid".to_owned(),
        }
    }

    /// A call of a random function with the right number of arguments.
    fn call(&mut self, depth: u32) -> String {
        let Some(function) = self.context.pick(&self.context.vocabulary.functions) else {
            return literal(self.context);
        };
        let count = function.arguments.map_or_else(|| self.context.rng.usize(0..4), usize::from);
        let arguments: Vec<String> = (0..count).map(|_| self.placeholder('E', depth)).collect();
        let over = if function.kind == 'w' && self.context.chance(60) { " OVER ()" } else { "" };
        format!("{}({}){over}", function.name, arguments.join(", "))
    }
}
