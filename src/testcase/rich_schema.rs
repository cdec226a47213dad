//! A schema with a bit of everything, for cases that are only SQL.

/// Creates the rich schema. Cases refer to it by a setting, so this text is frozen (a test checks its
/// digest): a change would alter the meaning of stored cases. A richer schema would get its own number.
pub const RICH_SCHEMA: &str = "\
PRAGMA page_size=1024;
CREATE TABLE t0(a INTEGER PRIMARY KEY, b TEXT, c REAL, d BLOB, e);
CREATE INDEX t0b ON t0(b COLLATE NOCASE, c DESC);
CREATE INDEX t0e ON t0(e) WHERE e IS NOT NULL;
CREATE INDEX t0x ON t0(length(b) + a, lower(b));
INSERT INTO t0 VALUES(1,'one',1.5,x'01',NULL),(2,'two',-2.5,x'0202',2),(3,'THREE',9e99,NULL,'x'),
 (4,'four',0.0,zeroblob(9),3),(5,NULL,-1e-9,'text',3.5),(9,'',0.0,x'',-9),(10,'one',10,'10',9223372036854775807);
CREATE TABLE t1(k TEXT COLLATE NOCASE, n INT, v, PRIMARY KEY(k, n DESC)) WITHOUT ROWID;
INSERT INTO t1 VALUES('a',1,'x'),('A',2,NULL),('b',1,3.25),('c',-7,x'ff'),('',0,'');
CREATE TABLE t2(id INTEGER PRIMARY KEY AUTOINCREMENT, a INT REFERENCES t0(a) ON DELETE CASCADE ON UPDATE SET NULL,
 s TEXT NOT NULL DEFAULT 'dflt', g1 AS (a * 2) VIRTUAL, g2 TEXT AS (s || '!') STORED, CHECK(id < 100000));
CREATE UNIQUE INDEX t2s ON t2(s, a);
CREATE INDEX t2g ON t2(g1);
INSERT INTO t2(a, s) VALUES(1,'p'),(2,'q'),(NULL,'r'),(3,'p');
CREATE TABLE t3(i INT, r REAL, t TEXT, b BLOB, x ANY) STRICT;
INSERT INTO t3 VALUES(1,1.0,'1',x'31','1'),(2,2.5,'',x'',NULL);
CREATE TABLE t4(j TEXT, jb BLOB);
INSERT INTO t4 VALUES('{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}', jsonb('[1,2.5,true,\"x\",{\"k\":[]}]')),('[]', jsonb('{}'));
CREATE VIEW v0 AS SELECT t0.a AS a, b, s, g1 FROM t0 LEFT JOIN t2 ON t2.a = t0.a;
CREATE VIEW v1(k, total) AS SELECT k, sum(n) OVER (ORDER BY k ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t1;
CREATE TABLE log(what, n DEFAULT 0);
CREATE TRIGGER r0 AFTER UPDATE OF b, c ON t0 WHEN new.a > 1 BEGIN INSERT INTO log VALUES(old.b, new.a); END;
CREATE TRIGGER r1 BEFORE DELETE ON t2 BEGIN SELECT CASE WHEN old.id = 99 THEN raise(ABORT, 'no') END; END;
CREATE TRIGGER r2 INSTEAD OF INSERT ON v0 BEGIN INSERT INTO t0(b) VALUES(new.b); INSERT INTO log(what) VALUES('v0'); END;
CREATE VIRTUAL TABLE f5 USING fts5(x, y, prefix='1 2');
INSERT INTO f5 VALUES('the quick brown fox', 'jumps over'),('a lazy dog', 'the end'),('quick quick', 'one two three');
CREATE VIRTUAL TABLE f4 USING fts4(x, y, tokenize=porter);
INSERT INTO f4 VALUES('running runs run', 'over hills'),('the hill', 'ran');
CREATE VIRTUAL TABLE rt USING rtree(id, x0, x1, y0, y1, +note);
INSERT INTO rt VALUES(1,0,10,0,10,'a'),(2,5,15,5,15,'b'),(3,-5,-1,2,3,'c');
CREATE VIRTUAL TABLE gp USING geopoly(name);
INSERT INTO gp(_shape, name) VALUES('[[0,0],[1,0],[1,1],[0,1],[0,0]]','square'),('[[0,0],[2,0],[1,3],[0,0]]','triangle');
ANALYZE;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rich_schema_is_frozen() {
        let digest = super::super::CaseId::of_encoded(RICH_SCHEMA.as_bytes());
        assert_eq!(digest.short(), "c2a6036e901999a0");
    }
}
