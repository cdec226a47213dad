//! Words, clauses and statements to write into a script.
//!
//! A small generator: templates with placeholders that are filled with the names of the case, literals
//! at the boundaries of SQLite's types, and functions of the running build with the right number of
//! arguments.

use super::Context;
use crate::dbfile::schema;
use crate::sql::{KEYWORDS, Names};
use crate::testcase::{Setting, TestCase};

/// How deep placeholders may contain placeholders.
const DEPTH_MAX: u32 = 5;

/// The names that the case defines: in its script, in its database, and in the rich schema if it asks
/// for that.
pub(super) fn names(case: &TestCase) -> Names {
    let mut names = Names::default();
    if let Some(image) = case.files.main() {
        for row in schema::rows(image) {
            names.add(row.sql.as_bytes());
        }
    } else if case.config.is_on(Setting::RichSchema) {
        names.add(crate::generators::RICH_SCHEMA.as_bytes());
    }
    names.add(case.sql.as_bytes());
    names
}

/// Literals at boundaries of types, encodings and formats.
#[rustfmt::skip]
const LITERALS: &[&str] = &[
    "0", "1", "-1", "2", "3", "9", "100", "127", "128", "-128", "255", "256", "32767", "-32768", "65536",
    "2147483647", "-2147483648", "4294967295", "4294967296", "9007199254740993", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "0.0", "-0.0", "0.5", "1.5", "-2.5", "1e-308", "9e999", "-9e999",
    "1e15", "123456789.125", "0x7fffffffffffffff", "0xffffffffffffffff", "1_000", "NULL", "TRUE", "FALSE", "''", "' '", "'a'", "'a '",
    "'A'", "'abc'", "'%a_'", "'a*[b-d]?'", "'\u{130}'", "'\u{fffd}'", "'0x10'", "'1e3'", "'12abc'", "x''", "x'00'", "x'ff'",
    "x'7b7d'", "'{\"a\":[1,2.5,null,{\"b\":\"c\"}]}'", "'[1,[2,[3]]]'", "'$.a[0]'", "'now'", "'+1 month'",
    "'2000-02-29 23:59:59.999'", "CURRENT_TIMESTAMP", "x'cb1761133233'",
];

/// Keywords that stand in each other's places.
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

/// Statements on what the case has.
#[rustfmt::skip]
const STATEMENTS: &[&str] = &[
    "SELECT * FROM $T", "SELECT $E FROM $T WHERE $E", "SELECT $C, count(*), $G FROM $T GROUP BY $C HAVING $E ORDER BY 1",
    "SELECT * FROM $T AS a JOIN $T AS b ON a.$C = b.$C WHERE $E", "SELECT a.$C FROM $T AS a LEFT JOIN $T AS b USING($C) ORDER BY b.$C DESC",
    "SELECT * FROM $T RIGHT JOIN $T AS x ON $E", "SELECT DISTINCT $C FROM $T UNION SELECT $E ORDER BY 1 LIMIT 4",
    "SELECT $C, row_number() OVER w, sum($C) OVER (w ROWS 2 PRECEDING) FROM $T WINDOW w AS (PARTITION BY $C ORDER BY $C)",
    "WITH RECURSIVE c(x) AS (SELECT $L UNION ALL SELECT x + 1 FROM c LIMIT 9) SELECT * FROM c, $T WHERE x = $C",
    "WITH m AS MATERIALIZED (SELECT * FROM $T WHERE $E) SELECT * FROM m WHERE $E", "SELECT * FROM (SELECT $C AS y FROM $T ORDER BY 1) WHERE y > $L",
    "SELECT * FROM $T WHERE $C IN (SELECT $C FROM $T WHERE $E)", "SELECT * FROM $T WHERE ($C, $C) IN (SELECT $E, $L)",
    "SELECT $G, $G, $G", "VALUES($L, $E), ($G, $L)", "EXPLAIN QUERY PLAN SELECT * FROM $T WHERE $E ORDER BY $C", "EXPLAIN SELECT * FROM $T WHERE $E",
    "INSERT INTO $T DEFAULT VALUES", "INSERT INTO $T($C) VALUES($L)", "INSERT INTO $T($C, $C) VALUES($L, $E), ($E, $L)", "INSERT OR IGNORE INTO $T SELECT * FROM $T",
    "REPLACE INTO $T($C) SELECT $C FROM $T WHERE $E", "INSERT INTO $T($C) VALUES($L) ON CONFLICT DO UPDATE SET $C = excluded.$C WHERE $E RETURNING *",
    "UPDATE $T SET $C = $E WHERE $E", "UPDATE OR REPLACE $T SET $C = $C + 1, $C = $L", "UPDATE $T SET ($C, $C) = (SELECT $E, $L)",
    "UPDATE $T SET $C = x.$C FROM $T AS x WHERE $E RETURNING $C", "DELETE FROM $T WHERE $E", "DELETE FROM $T", "DELETE FROM $T WHERE rowid % 2 = 0 RETURNING *",
    "CREATE INDEX $N ON $T($C)", "CREATE UNIQUE INDEX $N ON $T($C, $C DESC)", "CREATE INDEX $N ON $T($C COLLATE NOCASE) WHERE $C IS NOT NULL",
    "CREATE INDEX $N ON $T($C + 1, lower($C))", "CREATE TABLE $N(a INTEGER PRIMARY KEY AUTOINCREMENT, b UNIQUE COLLATE NOCASE, c AS ($L), d NOT NULL DEFAULT $L)",
    "CREATE TABLE $N(a TEXT, b, c REAL, PRIMARY KEY(a, b DESC)) WITHOUT ROWID", "CREATE TABLE $N(a INT, b TEXT, c BLOB, d ANY) STRICT",
    "CREATE TABLE $N AS SELECT * FROM $T", "CREATE TABLE $N(a REFERENCES $T($C) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, b CHECK(b > $L))",
    "CREATE TEMP TABLE $N(a, b, UNIQUE(a, b) ON CONFLICT REPLACE)", "CREATE VIEW $N AS SELECT $C, $E AS e FROM $T WHERE $E",
    "CREATE TRIGGER $N AFTER INSERT ON $T WHEN $L BEGIN UPDATE $T SET $C = new.$C; DELETE FROM $T WHERE $C = $L; END",
    "CREATE TRIGGER $N BEFORE DELETE ON $T BEGIN SELECT raise(IGNORE) WHERE old.$C = $L; INSERT INTO $T($C) VALUES(old.$C); END",
    "CREATE TRIGGER $N INSTEAD OF UPDATE ON $T BEGIN SELECT new.$C, old.$C; END", "CREATE VIRTUAL TABLE $N USING fts5(x, y, prefix='1 2', detail=column)",
    "CREATE VIRTUAL TABLE $N USING fts4(x, y, tokenize=porter, order=desc)", "CREATE VIRTUAL TABLE $N USING rtree(id, x0, x1, +extra)",
    "CREATE VIRTUAL TABLE $N USING rtree_i32(id, a, b, c, d)", "CREATE VIRTUAL TABLE $N USING geopoly(a)", "INSERT INTO $T($T) VALUES('optimize')", "INSERT INTO $T($T) VALUES('rebuild')",
    "INSERT INTO $T($T, rank) VALUES('merge', 4)", "SELECT * FROM $T WHERE $T MATCH $L", "SELECT highlight($T, 0, '<', '>'), bm25($T) FROM $T WHERE $T MATCH 'a OR b*' ORDER BY rank",
    "ALTER TABLE $T RENAME TO $N", "ALTER TABLE $T RENAME COLUMN $C TO $N", "ALTER TABLE $T ADD COLUMN $N DEFAULT $L", "ALTER TABLE $T DROP COLUMN $C",
    "DROP TABLE $T", "DROP INDEX $I", "DROP TRIGGER IF EXISTS $R", "REINDEX", "REINDEX $T", "ANALYZE", "ANALYZE $T", "VACUUM", "VACUUM INTO 'vacuumed.db'",
    "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT s1", "RELEASE s1", "ROLLBACK TO s1", "ATTACH ':memory:' AS aux1", "ATTACH 'aux.db' AS aux2", "DETACH aux1",
    "PRAGMA $P", "PRAGMA $P = $L", "PRAGMA $P($T)", "PRAGMA page_size = 1024", "PRAGMA auto_vacuum = 2", "PRAGMA incremental_vacuum(3)", "PRAGMA journal_mode = WAL", "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA encoding = 'UTF-16le'",
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

/// A keyword that may stand where this one stands; now and then any.
pub(super) fn keyword_like(keyword: &str, context: &mut Context<'_>) -> String {
    let groups: Vec<&&[&str]> = KEYWORD_GROUPS.iter().filter(|group| group.contains(&keyword)).collect();
    match context.pick(&groups) {
        Some(group) if context.chance(90) => group[context.rng.usize(0..group.len())].to_owned(),
        _ => KEYWORDS[context.rng.usize(0..KEYWORDS.len())].to_owned(),
    }
}

/// An operator that may stand where this one stands.
pub(super) fn operator_like(operator: &str, context: &mut Context<'_>) -> String {
    let groups = OPERATOR_GROUPS.iter().filter(|group| group.iter().any(|known| known.trim() == operator));
    let groups: Vec<&&[&str]> = groups.collect();
    match context.pick(&groups) {
        Some(group) => group[context.rng.usize(0..group.len())].to_owned(),
        None => operator.to_owned(),
    }
}

/// A table, column or index.
pub(super) fn any_name(names: &Names, context: &mut Context<'_>) -> String {
    let template = ["$T", "$C", "$C", "$C", "$I", "rowid", "sqlite_schema"];
    fill(template[context.rng.usize(0..template.len())], names, context)
}

/// A clause or modifier.
pub(super) fn clause(names: &Names, context: &mut Context<'_>) -> String {
    fill(CLAUSES[context.rng.usize(0..CLAUSES.len())], names, context)
}

/// A statement, with its semicolon.
pub(super) fn statement(names: &Names, context: &mut Context<'_>) -> String {
    fill(STATEMENTS[context.rng.usize(0..STATEMENTS.len())], names, context) + ";"
}

/// An expression with `operand` in it.
pub(super) fn wrap(operand: &str, names: &Names, context: &mut Context<'_>) -> String {
    let wrapper = WRAPPERS[context.rng.usize(0..WRAPPERS.len())];
    let parts: Vec<String> = wrapper.split("$O").map(|part| fill(part, names, context)).collect();
    parts.join(operand)
}

/// `template` with its placeholders filled; within one, `$C` is most often a column of the last `$T`.
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
            'R' => self.context.pick(&self.names.triggers).cloned().unwrap_or_else(|| "tr1".to_owned()),
            'N' => format!("n{}", self.context.rng.u8(0..12)),
            'L' => literal(self.context),
            'P' => self.context.pick(&self.context.vocabulary.pragmas).cloned().unwrap_or_default(),
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

    /// A call of any function with the right number of arguments.
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
