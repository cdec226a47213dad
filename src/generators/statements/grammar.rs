//! The grammar of generated statements.
//!
//! A rule is a name and its alternatives; `{name}` refers to a rule. An alternative that is listed twice is twice as
//! likely. The first alternative of a rule ends soon: it is taken when the fuel runs out. `_t`, `_v`, `_c` and `_i` are
//! tables, views, columns and indexes that the binder chooses; `_f`, `_g`, `_r` and `_p` are FTS5, FTS3/4, R-Tree and
//! Geopoly tables.

use std::collections::HashMap;
use std::sync::OnceLock;

/// The alternatives of a rule; `None` if there is no rule of that name.
pub(super) fn alternatives(rule: &str) -> Option<&'static [&'static str]> {
    static BY_NAME: OnceLock<HashMap<&str, &[&str]>> = OnceLock::new();
    BY_NAME.get_or_init(|| RULES.iter().copied().collect()).get(rule).copied()
}

/// All rules.
#[rustfmt::skip]
pub(super) const RULES: &[(&str, &[&str])] = &[
    ("statement", &[
        "{query}", "{query}", "{query}", "{query}", "{query}", "{query}", "{insert}", "{insert}", "{insert}", "{update}", "{update}",
        "{delete}", "{index}", "{index}", "{table}", "{view}", "{trigger}", "{alter}", "{pragma}", "{fts}", "{rtree}", "{json}",
        "{transaction}", "{maintenance}", "{fails}", "{stat}", "EXPLAIN QUERY PLAN {query}", "EXPLAIN {dml}",
    ]),
    ("dml", &["{delete}", "{insert}", "{update}", "{query}"]),

    // Queries.
    ("query", &[
        "{core}", "{core}{order}", "{core}{order}{limit}", "{core} {setop} {core}{order}", "{core} {setop} {core} {setop} {core}{limit}",
        "WITH {ctes} {core}{order}", "WITH RECURSIVE {recursive} SELECT {columns} FROM r0{join}{where}{limit}", "{join_query}", "{window_query}",
        "{group_query}", "{planner_query}", "VALUES {rows}", "{scalar_query}",
    ]),
    ("core", &["SELECT {columns} FROM _t{where}", "SELECT {distinct}{columns} FROM {from}{where}{group}", "SELECT * FROM {from}{where}", "SELECT {columns}"]),
    ("distinct", &["", "", "", "DISTINCT "]),
    ("columns", &["_c", "*", "{expr}", "{expr} AS x0", "_c, {expr} AS x1", "_c, _c, {expr}", "{agg}, {expr}", "count(*)", "rowid, *"]),
    ("from", &["_t", "_t", "_t AS y0", "{source}{join}", "_t AS y1{join}{join}", "{source}, {source}", "({query}) AS y3", "{source}{join}{join}{join}"]),
    ("source", &["_t", "_t", "_t", "({core}) AS y4", "_t INDEXED BY _i", "_t NOT INDEXED", "json_each({jsontext}) AS y5", "json_tree({jsontext}) AS y6",
        "pragma_table_info('_t')", "(VALUES(1,2),({lit},{lit})) AS y7", "sqlite_schema", "({core} {setop} {core}) AS y8", "(_t AS y9 JOIN _t AS y10 ON {cond})"]),
    ("join", &[" JOIN _t AS j0 ON {joincond}", " JOIN _t AS j1 ON {joincond}", " LEFT JOIN _t AS j2 ON {joincond}", " LEFT JOIN {source} ON {joincond}", " RIGHT JOIN _t AS j3 ON {joincond}",
        " FULL JOIN _t AS j4 ON {joincond}", " NATURAL JOIN _t AS j5", " JOIN _t AS j6 USING(_c)", " LEFT JOIN _t AS j7 USING(_c)", " CROSS JOIN _t AS j8", " NATURAL FULL JOIN _t AS j9",
        ", _t AS j10"]),
    ("joincond", &["_c = _c", "_c = _c", "_c = _c AND {cond}", "_c = {expr}", "_c IN ({core1})", "{cond}", "_c > _c"]),
    ("where", &["", " WHERE {cond}", " WHERE {cond}", " WHERE {cond} AND {cond}", " WHERE {cond} OR {cond}", " WHERE _c = {lit}"]),
    ("group", &["", "", "", " GROUP BY _c", " GROUP BY _c HAVING {having}", " GROUP BY 1", " GROUP BY {expr}, _c"]),
    ("having", &["count(*) > 1", "{agg} > {lit}", "_c IS NOT NULL", "{agg} BETWEEN {lit} AND {lit}"]),
    ("order", &["", " ORDER BY _c", " ORDER BY _c DESC", " ORDER BY 1", " ORDER BY {expr}, _c DESC NULLS LAST", " ORDER BY _c COLLATE NOCASE, _c", " ORDER BY 1 DESC, 2", " ORDER BY _c ASC NULLS FIRST"]),
    ("limit", &["", " LIMIT 3", " LIMIT 5 OFFSET 1", " LIMIT {lit}", " LIMIT -1 OFFSET 2", " LIMIT (SELECT 2)"]),
    ("setop", &["UNION ALL", "UNION", "EXCEPT", "INTERSECT", "UNION ALL"]),
    ("ctes", &["c0 AS ({core})", "c0(a, b) AS (SELECT {expr}, {expr} FROM _t)", "c0 AS MATERIALIZED ({core})", "c0 AS NOT MATERIALIZED ({core}), c1 AS (SELECT * FROM c0{where})",
        "c0 AS (VALUES {rows})"]),
    ("recursive", &["r0(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r0 LIMIT 9)", "r0(n, s) AS (VALUES(1, '') UNION ALL SELECT n + 1, s || n FROM r0 WHERE n < 7)",
        "r0(n) AS (SELECT _c FROM _t UNION SELECT n / 2 FROM r0 WHERE n > 1 ORDER BY 1 DESC LIMIT 20)", "r0(a, b) AS (SELECT _c, _c FROM _t UNION ALL SELECT b, a FROM r0, _t WHERE {cond} LIMIT 12)",
        "r0(n) AS (SELECT 3 UNION ALL SELECT n - 1 FROM r0 WHERE n UNION ALL SELECT n - 2 FROM r0 WHERE n > 1)"]),
    ("rows", &["({lit})", "({lit}, {lit})", "({lit}), ({expr})", "({lit}, {expr}, {lit}), ({expr}, {lit}, {lit})"]),
    ("scalar_query", &["SELECT {call}", "SELECT {expr}, {expr}", "SELECT {call}, {call}", "SELECT typeof({expr}), quote({expr})", "SELECT {date}", "SELECT {jsoncall}"]),
    ("join_query", &["SELECT * FROM _t AS a{join}{where}", "SELECT a._c, b._c FROM _t AS a JOIN _t AS b ON a._c = b._c{where}{order}", "SELECT * FROM _t AS a LEFT JOIN _t AS b ON a._c = b._c LEFT JOIN _t AS c ON b._c = c._c{where}",
        "SELECT count(*) FROM _t AS a, _t AS b, _t AS c WHERE a._c = b._c AND b._c = c._c", "SELECT * FROM _t AS a RIGHT JOIN _t AS b ON {joincond} LEFT JOIN _t AS c USING(_c)", "SELECT * FROM _t AS a NATURAL LEFT JOIN ({core}) AS b",
        "SELECT a.*, b._c FROM ({core}{order}{limit}) AS a FULL JOIN _t AS b ON {joincond}{where}", "SELECT * FROM _t AS a WHERE EXISTS(SELECT 1 FROM _t AS b WHERE a._c = b._c)"]),
    ("window_query", &["SELECT {window} FROM _t", "SELECT _c, {window}, {window} FROM {from}{where}{order}", "SELECT {winfunc} OVER w, {winfunc} OVER w FROM _t WINDOW w AS ({windef})",
        "SELECT {winfunc} OVER (w {frame}) FROM _t WINDOW w AS (PARTITION BY _c ORDER BY _c)", "SELECT * FROM (SELECT _c AS x, {window} AS w FROM _t) WHERE w > {lit}", "SELECT {window}, {agg} FROM _t GROUP BY _c"]),
    ("window", &["{winfunc} OVER ()", "{winfunc} OVER ({windef})", "{winfunc} FILTER (WHERE {cond}) OVER ({windef})"]),
    ("winfunc", &["count(*)", "sum(_c)", "avg(_c)", "min(_c)", "max(_c)", "row_number()", "rank()", "dense_rank()", "ntile(3)", "lag(_c, 1, {lit})", "lead(_c)", "first_value(_c)", "last_value(_c)", "nth_value(_c, 2)",
        "group_concat(_c, ',')", "percent_rank()", "cume_dist()", "json_group_array(_c)", "total(_c)"]),
    ("windef", &["ORDER BY _c", "PARTITION BY _c ORDER BY _c DESC", "ORDER BY _c {frame}", "PARTITION BY _c ORDER BY _c, _c {frame}", "PARTITION BY {expr}", "ORDER BY _c NULLS LAST {frame}"]),
    ("frame", &["ROWS UNBOUNDED PRECEDING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "RANGE BETWEEN {lit} PRECEDING AND CURRENT ROW", "GROUPS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES",
        "ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING EXCLUDE CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING", "GROUPS CURRENT ROW EXCLUDE GROUP", "ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING"]),
    ("group_query", &["SELECT _c, {agg} FROM _t GROUP BY _c{order}", "SELECT {agg}, {agg} FILTER (WHERE {cond}) FROM {from}{where}", "SELECT {agg} FROM _t{where} GROUP BY _c, {expr} HAVING {having}{order}", "SELECT DISTINCT {agg} FROM _t GROUP BY _c",
        "SELECT count(DISTINCT _c), group_concat(_c, '-' ORDER BY _c DESC) FROM _t", "SELECT max(_c), _c FROM _t", "SELECT min(_c) FROM _t WHERE _c > {lit}"]),
    ("agg", &["count(*)", "count(_c)", "sum(_c)", "avg(_c)", "min(_c)", "max(_c)", "total(_c)", "group_concat(_c)", "group_concat(DISTINCT _c)", "sum(DISTINCT _c)", "json_group_array(_c)", "json_group_object(_c, _d)",
        "string_agg(_c, {lit})", "median(_c)", "percentile(_c, 50)"]),
    ("planner_query", &["SELECT * FROM _t WHERE _c = {lit} OR _c = {lit} OR _c > {lit}", "SELECT * FROM _t WHERE _c IN ({lit}, {lit}, {lit}){order}", "SELECT * FROM _t WHERE (_c, _d) > ({lit}, {lit}){order}", "SELECT * FROM _t WHERE _c LIKE 'a%'{order}",
        "SELECT * FROM _t WHERE _c GLOB 'a*' AND _c BETWEEN {lit} AND {lit}", "SELECT * FROM _t WHERE _c IS NULL OR _c IS NOT NULL", "SELECT DISTINCT _c, _c FROM _t ORDER BY _c, _c DESC", "SELECT * FROM _t WHERE _c = (SELECT max(_c) FROM _t)",
        "SELECT * FROM _t WHERE +_c > {lit} AND likely(_c < {lit})", "SELECT * FROM _t WHERE _c COLLATE NOCASE = {lit}", "SELECT * FROM _t WHERE rowid IN ({core1}){order}", "SELECT * FROM _t AS a, _t AS b WHERE a.rowid = b._c AND b._c IN ({lit}, {lit})",
        "SELECT * FROM _t WHERE (_c, _d) IN (SELECT _c, _c FROM _t)", "SELECT * FROM _t WHERE _c NOT IN ({core1})", "SELECT count(*) FROM _v", "SELECT * FROM _v{where}{order}{limit}"]),
    ("core1", &["SELECT _c FROM _t", "SELECT {expr} FROM _t{where}", "SELECT {agg} FROM _t", "VALUES({lit}), ({lit})", "SELECT _c FROM _t UNION SELECT {lit}"]),

    // Expressions.
    ("cond", &["_c = {lit}", "_c > {lit}", "_c < {expr}", "_c IS NULL", "_c IS NOT NULL", "_c IN ({lit}, {lit})", "_c IN ({core1})", "_c BETWEEN {lit} AND {lit}", "_c LIKE {pattern}", "_c GLOB {glob}", "{cond} AND {cond}", "{cond} OR {cond}", "NOT {cond}",
        "EXISTS({core1})", "_c = ({core1})", "({expr}) IS {expr}", "_c COLLATE NOCASE = _c", "_c IS NOT DISTINCT FROM {expr}", "(_c, _d) = ({lit}, {lit})", "_c", "{expr} <> {expr}", "likelihood({cond}, 0.1)", "_c NOT NULL AND _c <= {lit}", "{jsoncall} IS NOT NULL"]),
    ("expr", &["_c", "{lit}", "_c", "_c + {lit}", "_c || {expr}", "{expr} {binary} {expr}", "-{expr}", "~_c", "CAST({expr} AS {type})", "CASE WHEN {cond} THEN {expr} ELSE {expr} END", "CASE _c WHEN {lit} THEN {expr} WHEN {lit} THEN {lit} END", "({core1})",
        "{call}", "{call}", "{cond}", "({expr})", "_c COLLATE {collation}", "{jsoncall}", "{date}", "coalesce(_c, {expr})", "nullif({expr}, _c)", "iif({cond}, {expr}, {expr})", "(SELECT {agg} FROM _t{where})", "_c -> '$'", "_c ->> 'a'"]),
    ("binary", &["+", "-", "*", "/", "%", "||", "&", "|", "<<", ">>", "=", "<", "IS", "IS NOT", "AND", "OR"]),
    ("type", &["INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC", "ANY", "VARCHAR(10)", "DECIMAL(10,2)"]),
    ("collation", &["NOCASE", "RTRIM", "BINARY"]),
    ("call", &["{function}", "{function}", "{function}", "printf({format}, {expr}, {expr})", "substr({expr}, {lit}, {lit})", "instr({expr}, {expr})", "replace({expr}, {lit}, {lit})", "round({expr}, {lit})", "hex({expr})", "unhex({lit})", "abs({expr})", "trim({expr}, {lit})",
        "char({lit}, {lit})", "unicode({expr})", "zeroblob({small})", "quote({expr})", "typeof({expr})", "concat_ws({lit}, {expr}, {expr})", "format({format}, {expr})", "soundex({expr})", "likely({expr})", "max({expr}, {expr})", "min({expr}, {lit}, {expr})", "octet_length({expr})"]),
    ("format", &["'%d'", "'%s|%q'", "'%.*f'", "'%10.3g'", "'%-8x'", "'%w%Q'", "'%,d %e'", "'%c%c'", "'%!.20s'", "'%lld%%'", "'%#o %+d'", "'%z'"]),
    ("date", &["date({time})", "datetime({time}, {modifier})", "julianday({time})", "strftime({strf}, {time}, {modifier})", "unixepoch({time})", "timediff({time}, {time})", "time({time}, {modifier}, {modifier})"]),
    ("time", &["'2000-02-29 23:59:59.999'", "'now'", "2451545.5", "'12:34'", "'-4713-11-24'", "_c", "'9999-12-31'", "1e10", "'2024-01-01T00:00Z'"]),
    ("modifier", &["'+1 month'", "'start of year'", "'weekday 0'", "'unixepoch'", "'localtime'", "'utc'", "'-1000 years'", "'subsec'", "'+0001-02-03 04:05'", "'auto'", "'ceiling'", "'julianday'"]),
    ("strf", &["'%Y-%m-%d %H:%M:%f'", "'%j %J %s %w %W'", "'%G %g %V %u %U'", "'%e %k %l %p %P %I %R %T %F'", "'%'"]),
    ("pattern", &["'a%'", "'%b_'", "'%'", "'_'", "'A%' ESCAPE '%'", "_c", "'%a%a%a%'", "''", "'x\u{fffd}%'"]),
    ("glob", &["'a*'", "'*[a-c]?'", "'[^x]*'", "_c", "'[]]*'", "'*'"]),
    ("small", &["0", "1", "3", "10", "100", "1000"]),
    ("lit", &["{literal}", "{literal}", "{literal}", "1", "2", "'a'", "NULL"]),

    // JSON.
    ("jsontext", &["'[1,2,{\"a\":3}]'", "'{\"a\":[1,2.5,null],\"b\":\"x\"}'", "_c", "jsonb('[1,[2,[3]],\"\\u00e9\"]')", "json_array({lit}, {lit})", "json_object('a', {lit}, 'b', {expr})", "'{a:1,b:0x1f,c:+Infinity,/*x*/}'", "'[1,2'"]),
    ("path", &["'$'", "'$.a'", "'$[0]'", "'$[#-1]'", "'$.a[1]'", "'$.\"b\"'", "'$[#]'", "'$.b.c[2]'", "'a'", "1"]),
    ("jsoncall", &["json({jsontext})", "jsonb({jsontext})", "json_extract({jsontext}, {path})", "jsonb_extract({jsontext}, {path}, {path})", "json_set({jsontext}, {path}, {expr})", "jsonb_insert({jsontext}, {path}, json({jsontext}))", "json_replace({jsontext}, {path}, {lit})",
        "json_remove({jsontext}, {path}, {path})", "json_patch({jsontext}, {jsontext})", "json_type({jsontext}, {path})", "json_valid({jsontext}, {small})", "json_array_length({jsontext}, {path})", "json_quote({expr})", "json_pretty({jsontext})", "json_error_position({jsontext})",
        "{jsontext} -> {path}", "{jsontext} ->> {path}", "json_array({expr}, {jsontext})", "jsonb_set({jsontext}, {path}, {jsontext})", "json_group_array({expr})"]),
    ("json", &["SELECT {jsoncall}, {jsoncall}", "SELECT key, value, type, atom, path FROM json_tree({jsontext})", "UPDATE _t SET _c = {jsoncall}", "SELECT * FROM _t, json_each(_c) AS e WHERE e.key = {lit}", "INSERT INTO _t(_c) VALUES({jsoncall})", "CREATE INDEX n0 ON _t(_c ->> '$.a')"]),

    // Modifications.
    ("insert", &["INSERT INTO _t VALUES({lit}, {lit})", "INSERT INTO _t DEFAULT VALUES", "INSERT INTO _t(_c) VALUES({lit})", "INSERT INTO _t(_c, _d) VALUES({lit}, {expr}), ({lit}, {lit}){returning}", "INSERT OR {conflict} INTO _t VALUES({lit}, {lit}, {lit})", "REPLACE INTO _t(_c, _d) VALUES({lit}, {lit})",
        "INSERT INTO _t SELECT * FROM _t{limit}", "INSERT INTO _t(_c, _d) {core}{limit}", "INSERT INTO _t(_c) VALUES({lit}) ON CONFLICT DO NOTHING", "INSERT INTO _t(_c, _d) VALUES({lit}, {lit}) ON CONFLICT(_c) DO UPDATE SET _c = excluded._c WHERE {cond}{returning}",
        "INSERT INTO _t SELECT * FROM _t WHERE true ON CONFLICT DO UPDATE SET _c = {expr}, _c = {lit}", "WITH {ctes} INSERT INTO _t SELECT * FROM c0", "WITH RECURSIVE {recursive} INSERT INTO _t(_c) SELECT n FROM r0", "INSERT INTO _t(rowid, _c) VALUES({lit}, {lit})",
        "INSERT INTO _t(_c) SELECT hex(zeroblob({small}))", "INSERT INTO _v VALUES({lit}, {lit})"]),
    ("conflict", &["IGNORE", "REPLACE", "ABORT", "FAIL", "ROLLBACK"]),
    ("returning", &["", "", " RETURNING *", " RETURNING {expr}, rowid"]),
    ("update", &["UPDATE _t SET _c = {lit}", "UPDATE _t SET _c = {expr} WHERE {cond}{returning}", "UPDATE OR {conflict} _t SET _c = {expr}, _c = {lit}{where}", "UPDATE _t SET (_c, _d) = (SELECT {expr}, {expr}){where}", "UPDATE _t SET _c = y._c FROM _t AS y WHERE {cond}", "UPDATE _t SET rowid = rowid + {small}",
        "UPDATE _t AS z SET _c = (SELECT {agg} FROM _t WHERE _c = z._c)", "UPDATE _t SET _c = _c + 1 WHERE rowid % 2", "WITH {ctes} UPDATE _t SET _c = (SELECT count(*) FROM c0){where}", "UPDATE _t INDEXED BY _i SET _c = {lit} WHERE _c > {lit}", "UPDATE _v SET _c = {lit}"]),
    ("delete", &["DELETE FROM _t WHERE {cond}", "DELETE FROM _t", "DELETE FROM _t WHERE _c IN ({core1}){returning}", "DELETE FROM _t WHERE rowid = {small}", "WITH {ctes} DELETE FROM _t WHERE _c IN (SELECT 1 FROM c0)", "DELETE FROM _t WHERE _c = {lit} OR _c > {lit} RETURNING *", "DELETE FROM _v WHERE {cond}"]),

    // Definitions.
    ("table", &["CREATE TABLE n0(a, b)", "CREATE TABLE n0({coldefs})", "CREATE TABLE n0({coldefs}, {constraint})", "CREATE TABLE n0(a {type}, b, c, PRIMARY KEY(a, b DESC)) WITHOUT ROWID", "CREATE TABLE n0(a INT, b TEXT, c REAL, d BLOB, e ANY) STRICT", "CREATE TABLE n0 AS {query}", "CREATE TEMP TABLE n0({coldefs})",
        "CREATE TABLE IF NOT EXISTS n0({coldefs}, {constraint}, {constraint})", "CREATE TABLE n0({coldefs}, PRIMARY KEY(b, a COLLATE NOCASE)) WITHOUT ROWID", "{virtual}", "DROP TABLE _t", "DROP TABLE IF EXISTS _t"]),
    ("coldefs", &["a INTEGER PRIMARY KEY, b", "a, b {colcon}, c", "a {type} {colcon}, b {type} {colcon}", "a INTEGER PRIMARY KEY AUTOINCREMENT, b {type} {colcon}, c AS ({detexpr}), d", "a {colcon}, b {colcon}, c {type} GENERATED ALWAYS AS (a || b) STORED, d DEFAULT ({detexpr})", "a INTEGER PRIMARY KEY DESC, b TEXT COLLATE NOCASE {colcon}"]),
    ("colcon", &["", "UNIQUE", "NOT NULL", "DEFAULT {literal}", "CHECK(typeof(b) <> 'blob')", "COLLATE {collation}", "REFERENCES _t", "UNIQUE ON CONFLICT {conflict}", "NOT NULL DEFAULT 0", "CHECK(a > {lit})", "REFERENCES _t ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED", "NOT NULL ON CONFLICT IGNORE"]),
    ("constraint", &["UNIQUE(a, b)", "CHECK(a <> b)", "FOREIGN KEY(b) REFERENCES n0(a)", "UNIQUE(b COLLATE NOCASE DESC) ON CONFLICT REPLACE", "CONSTRAINT k CHECK({detexpr})", "FOREIGN KEY(a) REFERENCES _t ON DELETE SET DEFAULT"]),
    ("detexpr", &["a", "a + 1", "a || b", "length(b)", "abs(a) * 2", "b IS NOT NULL", "CAST(a AS TEXT)", "coalesce(a, b, 0)", "a COLLATE NOCASE", "json_extract(b, '$.a')"]),
    ("index", &["CREATE INDEX n0 ON _t(_c)", "CREATE INDEX n0 ON _t(_c, _c DESC)", "CREATE UNIQUE INDEX n0 ON _t(_c)", "CREATE INDEX n0 ON _t(_c) WHERE _c IS NOT NULL", "CREATE INDEX n0 ON _t(_c COLLATE {collation}, _c)", "CREATE INDEX n0 ON _t({function_of_column})", "CREATE INDEX n0 ON _t(_c) WHERE _c > {literal} AND _c < {literal}",
        "CREATE INDEX n0 ON _t(_c || {literal}, _c DESC)", "DROP INDEX _i", "REINDEX _i", "CREATE UNIQUE INDEX n0 ON _t(lower(_c), _c) WHERE _c NOT NULL"]),
    ("function_of_column", &["abs(_c)", "lower(_c)", "length(_c)", "_c + 1", "_c IS NULL", "substr(_c, 1, 2)", "json_extract(_c, '$.a')", "CAST(_c AS {type})", "coalesce(_c, 0)", "-_c"]),
    ("view", &["CREATE VIEW n0 AS {core}", "CREATE VIEW n0 AS {query}", "CREATE VIEW n0(a, b) AS SELECT {expr}, {expr} FROM _t", "CREATE TEMP VIEW n0 AS {join_query}", "DROP VIEW _v", "CREATE VIEW n0 AS {core} UNION ALL {core}", "CREATE VIEW n0 AS {window_query}"]),
    ("trigger", &["CREATE TRIGGER n0 AFTER INSERT ON _t BEGIN {command}; END", "CREATE TRIGGER n0 {when} {event} ON _t BEGIN {command}; END", "CREATE TRIGGER n0 {when} {event} ON _t WHEN {cond} BEGIN {command}; {command}; END", "CREATE TRIGGER n0 INSTEAD OF {event} ON _v BEGIN {command}; {command}; END", "CREATE TEMP TRIGGER n0 AFTER DELETE ON _t BEGIN {command}; END"]),
    ("when", &["AFTER", "BEFORE", ""]),
    ("event", &["INSERT", "UPDATE", "DELETE", "UPDATE OF _c"]),
    ("command", &["DELETE FROM _t WHERE _c = {lit}", "INSERT INTO _t(_c) VALUES(new._c)", "UPDATE _t SET _c = old._c WHERE {cond}", "SELECT RAISE({raise}) WHERE new._c > {lit}", "INSERT OR {conflict} INTO _t SELECT * FROM _t{limit}", "SELECT {expr}", "UPDATE _t SET _c = _c + 1", "REPLACE INTO _t(_c, _d) VALUES(new._c, old._c)",
        "INSERT INTO _t(_c) VALUES({lit}) ON CONFLICT DO UPDATE SET _c = excluded._c", "WITH c0 AS (SELECT 1 AS x) SELECT x FROM c0"]),
    ("raise", &["IGNORE", "ABORT, 'no'", "FAIL, 'no'", "ROLLBACK, 'no'", "ABORT, new._c"]),
    ("alter", &["ALTER TABLE _t ADD COLUMN n1", "ALTER TABLE _t RENAME TO n0", "ALTER TABLE _t RENAME COLUMN _c TO n1", "ALTER TABLE _t DROP COLUMN _c", "ALTER TABLE _t ADD COLUMN n1 {type} DEFAULT {literal}", "ALTER TABLE _t ADD COLUMN n1 AS (1 + 1)", "ALTER TABLE _t ADD COLUMN n1 NOT NULL DEFAULT 'x' CHECK(n1 <> 'y')", "ALTER TABLE _t ADD COLUMN n1 REFERENCES _t"]),
    ("virtual", &["CREATE VIRTUAL TABLE n0 USING fts5(x, y)", "CREATE VIRTUAL TABLE n0 USING fts5(x, y, prefix='1 2', detail={detail})", "CREATE VIRTUAL TABLE n0 USING fts5(x, content='{content}', tokenize='{tokenizer}')", "CREATE VIRTUAL TABLE n0 USING fts5(x, contentless_delete=1, content='', columnsize={small})",
        "CREATE VIRTUAL TABLE n0 USING fts4(x, y, tokenize=porter)", "CREATE VIRTUAL TABLE n0 USING fts4(x, y, order=desc, prefix='1', matchinfo=fts3)", "CREATE VIRTUAL TABLE n0 USING fts4aux(_g)", "CREATE VIRTUAL TABLE n0 USING fts5vocab(_f, '{vocab}')", "CREATE VIRTUAL TABLE n0 USING rtree(id, x0, x1)", "CREATE VIRTUAL TABLE n0 USING rtree(id, x0, x1, y0, y1, +note)",
        "CREATE VIRTUAL TABLE n0 USING rtree_i32(id, a, b, c, d)", "CREATE VIRTUAL TABLE n0 USING geopoly(a, b)", "CREATE VIRTUAL TABLE n0 USING fts5(x, y UNINDEXED, tokenize='{tokenizer}')", "CREATE VIRTUAL TABLE n0 USING fts3tokenize({ftstokenizer})", "CREATE VIRTUAL TABLE n0 USING fts4(content='_t', _c)"]),
    ("detail", &["none", "column", "full"]),
    ("content", &["", "_t"]),
    ("tokenizer", &["trigram", "porter ascii", "unicode61 remove_diacritics 2", "ascii", "trigram case_sensitive 1", "unicode61 categories ''L* N*''"]),
    ("ftstokenizer", &["porter", "simple", "unicode61"]),
    ("vocab", &["row", "col", "instance"]),
    ("fts", &["SELECT * FROM _f WHERE _f MATCH {match}", "INSERT INTO _f(_f) VALUES('{command5}')", "INSERT INTO _f(_f, rank) VALUES('{setting5}', {lit})", "SELECT highlight(_f, 0, '<', '>'), snippet(_f, 1, '[', ']', '..', 5), bm25(_f) FROM _f WHERE _f MATCH {match} ORDER BY rank",
        "SELECT rowid FROM _f WHERE _f MATCH {match} ORDER BY rowid DESC{limit}", "SELECT offsets(_g), matchinfo(_g, 'pcnalx') FROM _g WHERE _g MATCH {match}", "SELECT snippet(_g) FROM _g WHERE _c MATCH {match}", "INSERT INTO _f(_c, _d) VALUES({words}, {words})", "UPDATE _f SET _c = {words} WHERE rowid = {small}",
        "SELECT * FROM _f({match})", "INSERT INTO _g(_g) VALUES('merge={small},2')", "INSERT INTO _g(_g) VALUES('automerge={small}')", "INSERT INTO _g(_g) VALUES('optimize')", "INSERT INTO _g(_g) VALUES('rebuild')", "INSERT INTO _g(_g) VALUES('integrity-check')", "INSERT INTO _g(_c, _d) VALUES({words}, {words})", "DELETE FROM _f WHERE _f MATCH {match}", "{virtual}", "SELECT optimize(_g) FROM _g LIMIT 1", "INSERT INTO _f(_c) WITH RECURSIVE {recursive} SELECT 'w' || n FROM r0"]),
    ("match", &["'a'", "'a OR b'", "'a AND b NOT c'", "'\"a b\" c*'", "'NEAR(a b, 2)'", "'x : a'", "'^a'", "'{x y} : b'", "'- x : a'", "'a NEAR/1 b'", "'a b'", "'\"a\" + \"b\"*'", "''", "'x:a y:b'", "_c", "'abc'"]),
    ("words", &["'a b c'", "'the quick brown fox'", "'abc abd ab a'", "{literal}", "'running runs run'", "''", "hex(zeroblob({small}))", "'\u{e9}t\u{e9} \u{4e2d}\u{6587}'"]),
    ("command5", &["optimize", "rebuild", "integrity-check", "flush", "delete-all", "merge", "deletemerge"]),
    ("setting5", &["merge", "automerge", "pgsz", "crisismerge", "usermerge", "rank", "hashsize", "secure-delete", "deletemerge", "integrity-check", "delete"]),
    ("rtree", &["SELECT * FROM _r WHERE x0 > {lit} AND x1 < {lit}", "INSERT INTO _r VALUES({small}, 0, 10, 0, 10)", "INSERT INTO _r VALUES({small}, {lit}, {lit}, {lit}, {lit})", "SELECT rtreecheck('_r')", "SELECT rtreenode(2, data), rtreedepth(data) FROM _r_node", "SELECT geopoly_area(_shape), geopoly_json(_shape) FROM _p WHERE geopoly_overlap(_shape, {poly})",
        "SELECT geopoly_svg(_shape), geopoly_bbox(_shape) FROM _p WHERE geopoly_within(_shape, {poly})", "INSERT INTO _p(_shape) VALUES({poly})", "SELECT geopoly_xform({poly}, 1, 0, 0, 1, {lit}, {lit}), geopoly_regular(0, 0, 5, {small})", "DELETE FROM _r WHERE id = {small}", "UPDATE _r SET x0 = {lit}", "WITH RECURSIVE {recursive} INSERT INTO _r SELECT n, n, n + 1, -n, n FROM r0", "SELECT geopoly_group_bbox(_shape) FROM _p", "SELECT geopoly_ccw({poly}), geopoly_contains_point({poly}, 1, 1)"]),
    ("poly", &["'[[0,0],[1,0],[1,1],[0,1],[0,0]]'", "'[[0,0],[2,0],[1,3],[0,0]]'", "geopoly_regular(1, 1, 2, 6)", "_c", "'[[0,0],[1,1]]'", "geopoly_blob('[[0,0],[4,0],[4,4],[0,4],[0,0]]')"]),

    // Others.
    ("pragma", &["PRAGMA {pragma_name}", "PRAGMA {pragma_name} = {lit}", "PRAGMA {pragma_name}(_t)", "PRAGMA integrity_check", "PRAGMA quick_check(_t)", "PRAGMA foreign_key_check", "PRAGMA journal_mode = {journal}", "PRAGMA auto_vacuum = {small}", "PRAGMA incremental_vacuum({small})", "PRAGMA page_size = {pagesize}", "PRAGMA foreign_keys = {flag}",
        "PRAGMA recursive_triggers = {flag}", "PRAGMA writable_schema = {flag}", "PRAGMA reverse_unordered_selects = {flag}", "PRAGMA case_sensitive_like = {flag}", "PRAGMA optimize({small})", "PRAGMA wal_checkpoint({checkpoint})", "PRAGMA secure_delete = {flag}", "PRAGMA locking_mode = {locking}", "PRAGMA temp_store = {small}", "PRAGMA user_version = {lit}",
        "PRAGMA encoding = {encoding}", "PRAGMA cache_size = {small}", "PRAGMA defer_foreign_keys = {flag}", "PRAGMA legacy_alter_table = {flag}", "PRAGMA analysis_limit = {small}", "PRAGMA max_page_count = {lit}", "PRAGMA automatic_index = {flag}", "PRAGMA cell_size_check = {flag}", "PRAGMA trusted_schema = {flag}", "PRAGMA query_only = {flag}"]),
    ("flag", &["0", "1"]),
    ("journal", &["WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"]),
    ("checkpoint", &["PASSIVE", "FULL", "RESTART", "TRUNCATE"]),
    ("locking", &["NORMAL", "EXCLUSIVE"]),
    ("encoding", &["'UTF-8'", "'UTF-16le'", "'UTF-16be'"]),
    ("pagesize", &["512", "1024", "4096", "65536"]),
    ("transaction", &["BEGIN", "COMMIT", "ROLLBACK", "BEGIN IMMEDIATE", "SAVEPOINT s0", "RELEASE s0", "ROLLBACK TO s0", "BEGIN EXCLUSIVE", "SAVEPOINT s1", "ROLLBACK TO s1"]),
    ("maintenance", &["ANALYZE", "VACUUM", "REINDEX", "ANALYZE _t", "REINDEX _t", "VACUUM INTO 'copy.db'", "REINDEX nocase", "ATTACH ':memory:' AS m", "ATTACH 'aux.db' AS m2", "DETACH m", "CREATE TABLE m.n0(a, b)", "INSERT INTO m.n0 SELECT {lit}, {lit}", "SELECT * FROM dbstat", "SELECT pgno, length(data) FROM sqlite_dbpage", "SELECT * FROM sqlite_stmt", "SELECT * FROM bytecode('SELECT * FROM _t')",
        "SELECT * FROM tables_used('{query}')", "PRAGMA integrity_check"]),
    ("stat", &["ANALYZE; UPDATE sqlite_stat1 SET stat = {stattext}; ANALYZE sqlite_schema", "INSERT INTO sqlite_stat1 VALUES('_t', NULL, {stattext})", "DELETE FROM sqlite_stat1", "UPDATE sqlite_stat1 SET tbl = '_t', stat = {stattext}", "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'a', 'b') WHERE name = '_t'", "INSERT INTO sqlite_dbpage(pgno, data) VALUES({small}, zeroblob(4096))",
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = {small} WHERE name = '_t'", "PRAGMA writable_schema = RESET", "UPDATE sqlite_sequence SET seq = {lit}"]),
    ("stattext", &["'1000000 1'", "'1 1000000 1'", "'0'", "''", "'9 9 unordered'", "'8 2 sz=1 noskipscan'", "'100 10 1'", "'4294967296 1 1 1'"]),
    // Errors that only the virtual machine finds.
    ("fails", &["SELECT abs(-9223372036854775808)", "SELECT sum(9223372036854775807) FROM (VALUES(1),(2))", "SELECT json({words})", "SELECT json_extract('[1', '$')", "SELECT json_set('{}', 'bad path', 1)", "INSERT INTO _t SELECT * FROM _t", "UPDATE _t SET rowid = 1", "SELECT zeroblob(2000000000)", "SELECT json_remove(x'ff', '$')", "SELECT 'a' LIKE 'b' ESCAPE 'long'",
        "COMMIT", "ROLLBACK TO nowhere", "RELEASE nowhere", "INSERT INTO _t(rowid) VALUES(1), (1)", "SELECT ntile(0) OVER ()", "SELECT nth_value(1, -1) OVER ()", "SELECT count(*) OVER (ROWS -1 PRECEDING)", "UPDATE _t SET _c = NULL", "SELECT * FROM _t LIMIT 'x'", "INSERT INTO _t(_c) VALUES(NULL)", "CREATE UNIQUE INDEX n0 ON _t(1)", "SELECT json_object(1, 2)", "SELECT json_group_object(NULL, x'00')", "SELECT * FROM json_each({words})",
        "SELECT percentile(1, 200)", "SELECT unistr('\\zz')", "SELECT substr(group_concat(hex(zeroblob(900000))), 1) FROM (VALUES(1),(2))", "SELECT * FROM _t WHERE _c MATCH 'a'", "PRAGMA query_only = 1; DELETE FROM _t", "SELECT RAISE(ABORT, 'x')", "SELECT format('%.*c', 999999999, 'x')"]),
];
