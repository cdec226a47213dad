//! Databases: every page kind, page size, encoding, kind of table storage, and state of the files. Each comes with a
//! script that reads and changes its contents.

use super::Image;
use crate::engine::sqlite::Moment;
use crate::testcase::Setting;

const fn closed(about: &'static str, setup: &'static str, script: &'static str) -> Image {
    Image { about, setup, script, moment: Moment::Closed, settings: &[] }
}

const fn cut(about: &'static str, setup: &'static str, script: &'static str) -> Image {
    Image { about, setup, script, moment: Moment::PowerCut, settings: &[] }
}

/// All images: what each shows, the script that makes it, the script that is run on it.
#[rustfmt::skip]
pub static ALL: &[Image] = &[
    closed("one table, one leaf page, all storage classes", "
        CREATE TABLE t1(a INTEGER PRIMARY KEY, b, c);
        INSERT INTO t1 VALUES(1,NULL,0),(2,1,-1),(3,127,128),(4,32768,8388608),(5,2147483648,140737488355328),
         (6,9223372036854775807,1.5),(7,'text',''),(8,x'00ff',x''),(-9,'neg',3),(9223372036854775807,'max',1e300);", "
        SELECT typeof(b), quote(c), a FROM t1 ORDER BY b, c DESC; UPDATE t1 SET b=c, c=b WHERE a>2; SELECT max(a), min(b), sum(c), group_concat(b) FROM t1; DELETE FROM t1 WHERE typeof(b)='text'; SELECT count(*) FROM t1;"),
    closed("table b-tree of three levels with pages of 512 bytes", "
        PRAGMA page_size=512; CREATE TABLE t1(a INTEGER PRIMARY KEY, b TEXT);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<400)
        INSERT INTO t1 SELECT i*3, 'row number '||i||' of the table' FROM c;", "
        SELECT count(*) FROM t1 WHERE a BETWEEN 100 AND 500; DELETE FROM t1 WHERE a%2=0 AND a<700; INSERT INTO t1 VALUES(50, hex(zeroblob(300))),(1201,'new'); UPDATE t1 SET b=b||b WHERE a>1100; SELECT b FROM t1 ORDER BY a DESC LIMIT 3 OFFSET 9;"),
    closed("index b-tree of two levels, DESC and NOCASE columns", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b COLLATE NOCASE, c);
        CREATE INDEX i1 ON t1(b, a DESC); CREATE INDEX i2 ON t1(c);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<80)
        INSERT INTO t1 SELECT i%7, char(65+i%26, 97+i%5), i*i FROM c;", "
        SELECT * FROM t1 WHERE b='AB' ORDER BY a; SELECT DISTINCT b FROM t1 WHERE a IN (1,3,5) ORDER BY b DESC; UPDATE t1 SET c=-c WHERE c>1000; SELECT max(c), min(c) FROM t1; REINDEX i1; DELETE FROM t1 WHERE b>'m'; INSERT INTO t1 SELECT a,b,c+1 FROM t1 LIMIT 9;"),
    closed("WITHOUT ROWID table with a composite key and a secondary index", "
        PRAGMA page_size=512; CREATE TABLE t1(k1 TEXT, k2 INT, v BLOB, w, PRIMARY KEY(k1, k2 DESC)) WITHOUT ROWID;
        CREATE INDEX i1 ON t1(w, k2);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<60)
        INSERT INTO t1 SELECT 'key'||(i%9), i, zeroblob(i%20), i/3 FROM c;", "
        SELECT k1, count(*), total(k2) FROM t1 GROUP BY k1 HAVING count(*)>6; INSERT INTO t1 VALUES('key3',99,NULL,1) ON CONFLICT DO NOTHING; UPDATE t1 SET k2=k2+100 WHERE w=5; DELETE FROM t1 WHERE k1='key0' RETURNING k2, w; REPLACE INTO t1 VALUES('key1',1,'r','s'); SELECT * FROM t1 WHERE w>15 ORDER BY w DESC, k2;"),
    closed("overflow chains of tables and indexes", "
        PRAGMA page_size=512; CREATE TABLE t1(a INTEGER PRIMARY KEY, b TEXT, c BLOB); CREATE INDEX i1 ON t1(b);
        INSERT INTO t1 VALUES(1, hex(zeroblob(600)), x'01'),(2, 'short', zeroblob(3000)),(3, hex(zeroblob(240)), zeroblob(700));", "
        SELECT a, length(b), length(c), substr(c,500,10) FROM t1; UPDATE t1 SET b=b||b WHERE a=3; UPDATE t1 SET c=zeroblob(10) WHERE a=2; SELECT a FROM t1 WHERE b>'0' ORDER BY b; DELETE FROM t1 WHERE a=1; PRAGMA freelist_count; INSERT INTO t1 VALUES(9, hex(zeroblob(2000)), NULL);"),
    closed("freelist with trunks and leaves", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b); CREATE TABLE t2(x);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<40) INSERT INTO t1 SELECT i, zeroblob(900) FROM c;
        INSERT INTO t2 VALUES(1),(2); DELETE FROM t1 WHERE a%4<>0;", "
        PRAGMA freelist_count; INSERT INTO t1 SELECT x, zeroblob(3000) FROM t2; DROP TABLE t1; CREATE TABLE t3 AS SELECT x, hex(x) AS h FROM t2; VACUUM; SELECT * FROM t3;"),
    closed("freelist with more than one trunk", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1, zeroblob(70000)),(2, 'kept'); DELETE FROM t1 WHERE a=1;", "
        INSERT INTO t1 SELECT a, zeroblob(20000) FROM t1; PRAGMA freelist_count; DELETE FROM t1 WHERE length(b)>9; PRAGMA page_count; CREATE INDEX i9 ON t1(b); VACUUM;"),
    closed("auto-vacuum with its pointer map", "
        PRAGMA page_size=512; PRAGMA auto_vacuum=FULL; CREATE TABLE t1(a INTEGER PRIMARY KEY, b); CREATE INDEX i1 ON t1(b);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<30) INSERT INTO t1 SELECT i, hex(zeroblob(i*9)) FROM c;
        DELETE FROM t1 WHERE a%3=0;", "
        INSERT INTO t1 VALUES(100, zeroblob(2500)); DELETE FROM t1 WHERE a<10; DROP INDEX i1; CREATE TABLE t2(x UNIQUE); INSERT INTO t2 SELECT b FROM t1; PRAGMA auto_vacuum; UPDATE t1 SET b=NULL; DROP TABLE t1; PRAGMA integrity_check;"),
    closed("incremental vacuum with free pages to move", "
        PRAGMA page_size=512; PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t1(a, b); CREATE TABLE t2(x UNIQUE);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<20) INSERT INTO t1 SELECT i, zeroblob(800) FROM c;
        INSERT INTO t2 SELECT a FROM t1; DELETE FROM t1 WHERE a<15;", "
        PRAGMA incremental_vacuum(3); SELECT count(*) FROM t1; PRAGMA incremental_vacuum; INSERT INTO t1 VALUES(99, zeroblob(4000)); DROP TABLE t2; PRAGMA incremental_vacuum(1); PRAGMA auto_vacuum=0; VACUUM;"),
    cut("WAL with committed frames", "
        PRAGMA page_size=512; PRAGMA journal_mode=WAL; CREATE TABLE t1(a, b); CREATE INDEX i1 ON t1(b);
        INSERT INTO t1 VALUES(1,'one'),(2,'two'); UPDATE t1 SET b='zwei' WHERE a=2; INSERT INTO t1 VALUES(3, zeroblob(900));", "
        SELECT * FROM t1 ORDER BY b; BEGIN; INSERT INTO t1 VALUES(4,'four'); SAVEPOINT s; DELETE FROM t1; ROLLBACK TO s; COMMIT; PRAGMA wal_checkpoint; UPDATE t1 SET b='x'; PRAGMA wal_checkpoint(TRUNCATE); SELECT count(*) FROM t1;"),
    cut("WAL whose last frames commit nothing", "
        PRAGMA page_size=512; PRAGMA journal_mode=WAL; CREATE TABLE t1(a INTEGER PRIMARY KEY, b); INSERT INTO t1 VALUES(1,'committed');
        PRAGMA cache_size=1; BEGIN; WITH RECURSIVE c(i) AS (VALUES(2) UNION ALL SELECT i+1 FROM c WHERE i<40)
        INSERT INTO t1 SELECT i, hex(zeroblob(60)) FROM c;", "
        SELECT count(*), max(a) FROM t1; INSERT INTO t1 VALUES(50,'after'); PRAGMA wal_autocheckpoint=1; UPDATE t1 SET b=zeroblob(700); PRAGMA journal_mode=DELETE; SELECT length(b) FROM t1;"),
    cut("WAL behind a checkpoint, restarted", "
        PRAGMA page_size=512; PRAGMA journal_mode=WAL; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1, zeroblob(2000));
        PRAGMA wal_checkpoint(RESTART); UPDATE t1 SET b=zeroblob(600); CREATE TABLE t2(x); INSERT INTO t2 VALUES('after');", "
        SELECT length(b) FROM t1; SELECT * FROM t2; PRAGMA wal_checkpoint(FULL); DELETE FROM t1; PRAGMA wal_checkpoint(PASSIVE); CREATE INDEX i1 ON t2(x); PRAGMA journal_size_limit=1000; VACUUM;"),
    closed("database in WAL mode without a log", "
        PRAGMA page_size=1024; PRAGMA journal_mode=WAL; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,2),(3,4);", "
        PRAGMA locking_mode=EXCLUSIVE; SELECT * FROM t1; INSERT INTO t1 VALUES(5,6); PRAGMA wal_checkpoint(RESTART); PRAGMA locking_mode=NORMAL; SELECT sum(a) FROM t1; PRAGMA journal_mode=TRUNCATE; INSERT INTO t1 VALUES(7,8);"),
    cut("hot journal of an update that reached the file", "
        PRAGMA page_size=512; CREATE TABLE t1(a INTEGER PRIMARY KEY, b); CREATE INDEX i1 ON t1(b);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<60) INSERT INTO t1 SELECT i, 'before '||i FROM c;
        PRAGMA cache_size=2; BEGIN; UPDATE t1 SET b='after '||a; DELETE FROM t1 WHERE a%5=0;", "
        SELECT count(*), min(b), max(b) FROM t1; UPDATE t1 SET b='again' WHERE a=7; PRAGMA integrity_check; BEGIN EXCLUSIVE; DELETE FROM t1 WHERE a>30; ROLLBACK; SELECT b FROM t1 WHERE a=7;"),
    cut("hot journal of a transaction that made the file longer", "
        PRAGMA page_size=1024; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'old'); PRAGMA cache_size=1; BEGIN;
        UPDATE t1 SET b='new'; WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<30) INSERT INTO t1 SELECT i, zeroblob(300) FROM c;", "
        PRAGMA page_count; SELECT a, length(b) FROM t1; PRAGMA journal_mode=MEMORY; BEGIN; DELETE FROM t1; ROLLBACK; PRAGMA journal_mode=PERSIST; UPDATE t1 SET b=zeroblob(5000); SELECT count(*) FROM t1;"),
    cut("persistent journal with its header cleared", "
        PRAGMA page_size=512; PRAGMA journal_mode=PERSIST; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,2); UPDATE t1 SET b=3;", "
        SELECT * FROM t1; PRAGMA journal_mode=TRUNCATE; BEGIN; INSERT INTO t1 VALUES(5, zeroblob(3000)); SAVEPOINT a; DROP TABLE t1; ROLLBACK TO a; RELEASE a; COMMIT; SELECT a FROM t1;"),
    cut("hot journal beside an attached database", "
        PRAGMA page_size=512; CREATE TABLE t1(a); INSERT INTO t1 VALUES(1); ATTACH 'aux.db' AS aux1; CREATE TABLE aux1.t2(b);
        INSERT INTO aux1.t2 VALUES(2); PRAGMA cache_size=1; PRAGMA aux1.cache_size=1; BEGIN; UPDATE t1 SET a=zeroblob(3000); UPDATE t2 SET b=zeroblob(3000);
        INSERT INTO t1 SELECT zeroblob(400) FROM t1, t1 AS x; INSERT INTO t2 SELECT zeroblob(400) FROM t2, t2 AS x;", "
        ATTACH 'aux.db' AS aux1; SELECT count(*) FROM t1; SELECT count(*), max(length(b)) FROM aux1.t2; BEGIN; INSERT INTO t1 VALUES(3); INSERT INTO aux1.t2 VALUES(4); COMMIT; CREATE TABLE aux1.t3 AS SELECT * FROM main.t1; DETACH aux1;"),
    closed("UTF-16 little-endian text", "
        PRAGMA page_size=512; PRAGMA encoding='UTF-16le'; CREATE TABLE t1(a, b COLLATE NOCASE); CREATE INDEX i1 ON t1(b);
        INSERT INTO t1 VALUES('abc','ABC'),('\u{e9}\u{4e2d}','\u{1f600}'),('','x');", "
        SELECT a, hex(b), length(a), unicode(b) FROM t1 ORDER BY b; SELECT * FROM t1 WHERE b LIKE 'AB%'; UPDATE t1 SET a=upper(a)||b; SELECT instr(a,'B'), substr(a,-2), trim(a,'A') FROM t1; INSERT INTO t1 VALUES(char(0x10ffff, 0xd800, 65), x'4100');"),
    closed("UTF-16 big-endian text", "
        PRAGMA page_size=512; PRAGMA encoding='UTF-16be'; CREATE TABLE t1(a PRIMARY KEY, b) WITHOUT ROWID;
        INSERT INTO t1 VALUES('abc','\u{3b1}'),('b','\u{1d11e}'),('a', x'00d8');", "
        SELECT * FROM t1 WHERE a GLOB '[a-b]*' ORDER BY a; INSERT INTO t1 VALUES('aa', CAST(x'd83dde00' AS TEXT)); SELECT quote(a), hex(CAST(b AS BLOB)) FROM t1; CREATE TABLE t2 AS SELECT a||b AS ab FROM t1; SELECT replace(ab,'a','\u{e9}') FROM t2; PRAGMA encoding;"),
    closed("pages of 2048 bytes", "PRAGMA page_size=2048; CREATE TABLE t1(a, b UNIQUE); INSERT INTO t1 VALUES(1,'x'),(2,zeroblob(5000));", "
        SELECT * FROM t1; UPDATE t1 SET b=zeroblob(1980) WHERE a=1; INSERT INTO t1 VALUES(3, randomblob(2000)); SELECT a FROM t1 WHERE b=zeroblob(1980); PRAGMA page_size=512; VACUUM;"),
    closed("pages of 4096 bytes", "PRAGMA page_size=4096; CREATE TABLE t1(a, b); CREATE INDEX i1 ON t1(a,b); INSERT INTO t1 VALUES(1,'x'),(2,zeroblob(9000));", "
        SELECT a FROM t1 INDEXED BY i1 WHERE a>0; INSERT INTO t1 VALUES(3, zeroblob(4061)),(4, zeroblob(4060)); UPDATE t1 SET b=a; PRAGMA page_size=1024; VACUUM; SELECT * FROM t1;"),
    closed("pages of 8192 bytes", "PRAGMA page_size=8192; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'x'),(2,zeroblob(9000));", "
        CREATE INDEX i1 ON t1(b, a); INSERT INTO t1 SELECT a+2, b FROM t1; SELECT length(b) FROM t1 ORDER BY b; DELETE FROM t1 WHERE a=2; PRAGMA auto_vacuum=1; VACUUM;"),
    closed("pages of 16384 bytes", "PRAGMA page_size=16384; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'x'),(2,'y');", "
        INSERT INTO t1 VALUES(3, zeroblob(40000)); CREATE TABLE t2(x PRIMARY KEY) WITHOUT ROWID; INSERT INTO t2 SELECT b FROM t1; SELECT count(*) FROM t2;"),
    closed("pages of 32768 bytes", "PRAGMA page_size=32768; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'x'),(2,'y');", "
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<20) INSERT INTO t1 SELECT i, zeroblob(1000) FROM c; CREATE INDEX i1 ON t1(a); SELECT sum(a) FROM t1 WHERE a>4; DELETE FROM t1;"),
    closed("pages of 65536 bytes", "PRAGMA page_size=65536; CREATE TABLE t1(a, b); CREATE INDEX i1 ON t1(b); INSERT INTO t1 VALUES(1,'x'),(2,hex(zeroblob(9000)));", "
        SELECT * FROM t1 WHERE b>'0'; INSERT INTO t1 VALUES(3, zeroblob(65500)); UPDATE t1 SET b='x' WHERE a=3; DELETE FROM t1 WHERE a=1; INSERT INTO t1 SELECT a, b||a FROM t1;"),
    closed("STRICT tables", "
        PRAGMA page_size=512; CREATE TABLE t1(i INTEGER PRIMARY KEY, n INT, r REAL, t TEXT, b BLOB, x ANY) STRICT;
        CREATE TABLE t2(k TEXT PRIMARY KEY, v ANY NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO t1 VALUES(1,2,3.0,'4',x'05','6'),(2,NULL,1,NULL,NULL,7); INSERT INTO t2 VALUES('a',1),('b','two');", "
        INSERT INTO t1(n) VALUES('7'); INSERT INTO t1(n) VALUES('x'); INSERT INTO t2 VALUES('c',x'00'); UPDATE t1 SET x=t, r=i, t=r; SELECT typeof(i),typeof(n),typeof(r),typeof(t),typeof(b),typeof(x) FROM t1; UPDATE t2 SET v=NULL; INSERT OR REPLACE INTO t2 VALUES('a',2.5);"),
    closed("generated columns, virtual and stored, indexed", "
        PRAGMA page_size=512; CREATE TABLE t1(a INT, b TEXT, c AS (a+length(b)) VIRTUAL, d TEXT AS (upper(b)) STORED, e AS (c*2), UNIQUE(d));
        CREATE INDEX i1 ON t1(c, e); INSERT INTO t1(a,b) VALUES(1,'x'),(2,'yy'),(3,'zzz');", "
        SELECT * FROM t1 WHERE c>3; SELECT a FROM t1 WHERE e=8; UPDATE t1 SET b='new' WHERE d='YY'; INSERT INTO t1(a,b) VALUES(4,'X'); ALTER TABLE t1 ADD COLUMN f AS (a||d); SELECT f, c FROM t1 ORDER BY e DESC; PRAGMA table_xinfo(t1); DELETE FROM t1 WHERE c=2;"),
    closed("triggers of every kind", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b); CREATE TABLE log(x, y); CREATE VIEW v1 AS SELECT a FROM t1;
        CREATE TRIGGER r1 BEFORE INSERT ON t1 BEGIN INSERT INTO log VALUES('bi', new.a); END;
        CREATE TRIGGER r2 AFTER UPDATE OF a ON t1 WHEN old.a IS NOT new.a BEGIN UPDATE log SET y=old.a WHERE x='bi'; END;
        CREATE TRIGGER r3 AFTER DELETE ON t1 BEGIN INSERT INTO log SELECT 'ad', count(*) FROM t1; END;
        CREATE TRIGGER r4 INSTEAD OF DELETE ON v1 BEGIN DELETE FROM t1 WHERE a=old.a; END;
        INSERT INTO t1 VALUES(1,2),(3,4);", "
        INSERT INTO t1 VALUES(5,6),(7,8); UPDATE t1 SET a=a+1 WHERE a>3; DELETE FROM v1 WHERE a=1; SELECT * FROM log; DELETE FROM t1; SELECT x, count(*) FROM log GROUP BY x; DROP TRIGGER r2; PRAGMA recursive_triggers=1; INSERT INTO t1 SELECT y, x FROM log;"),
    closed("views on views, with CTE, compound and window", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'x'),(2,'y'),(2,'z');
        CREATE VIEW v1 AS WITH w AS (SELECT a, count(*) AS n FROM t1 GROUP BY a) SELECT * FROM w UNION ALL SELECT 0, 0;
        CREATE VIEW v2(p, q) AS SELECT a, sum(n) OVER (ORDER BY a) FROM v1; CREATE VIEW v3 AS SELECT * FROM v2 JOIN t1 ON p=a;", "
        SELECT * FROM v1 ORDER BY 1; SELECT * FROM v2 WHERE q>1; SELECT p, b FROM v3 WHERE b>='y' ORDER BY b DESC; SELECT (SELECT max(q) FROM v2 WHERE p<=a) FROM t1; CREATE VIEW v4 AS SELECT * FROM v3 LEFT JOIN v1 USING(a); SELECT count(*) FROM v4;"),
    closed("foreign keys with every action", "
        PRAGMA page_size=512; CREATE TABLE p(id INTEGER PRIMARY KEY, u UNIQUE); CREATE TABLE c1(x REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
        CREATE TABLE c2(x REFERENCES p(u) ON DELETE SET NULL ON UPDATE SET DEFAULT DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE c3(x DEFAULT 1, y, FOREIGN KEY(x) REFERENCES p(id) ON DELETE RESTRICT); CREATE INDEX c1x ON c1(x);
        INSERT INTO p VALUES(1,'a'),(2,'b'),(3,'c'); INSERT INTO c1 VALUES(1),(2); INSERT INTO c2 VALUES('a'),(NULL); INSERT INTO c3 VALUES(3,0);", "
        PRAGMA foreign_keys=ON; DELETE FROM p WHERE id=2; UPDATE p SET id=10, u='z' WHERE id=1; SELECT * FROM c1; SELECT * FROM c2; DELETE FROM p WHERE id=3; PRAGMA foreign_key_check; BEGIN; INSERT INTO c2 VALUES('nope'); COMMIT; DELETE FROM c2 WHERE x='nope'; COMMIT; PRAGMA foreign_key_list(c3);"),
    closed("AUTOINCREMENT and its sequence table", "
        PRAGMA page_size=512; CREATE TABLE t1(a INTEGER PRIMARY KEY AUTOINCREMENT, b); INSERT INTO t1(b) VALUES('x'),('y');
        INSERT INTO t1 VALUES(1000,'z'); DELETE FROM t1 WHERE a=1000; CREATE TABLE t2(c INTEGER PRIMARY KEY AUTOINCREMENT);", "
        INSERT INTO t1(b) VALUES('next'); SELECT a FROM t1; SELECT * FROM sqlite_sequence; UPDATE sqlite_sequence SET seq=9223372036854775806 WHERE name='t1'; INSERT INTO t1(b) VALUES('p'); INSERT INTO t1(b) VALUES('q'); INSERT INTO t2 DEFAULT VALUES; DELETE FROM sqlite_sequence; DROP TABLE t2;"),
    closed("partial indexes and indexes on expressions", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b, c); CREATE INDEX i1 ON t1(b) WHERE a>2; CREATE UNIQUE INDEX i2 ON t1(a+c) WHERE c IS NOT NULL;
        CREATE INDEX i3 ON t1(lower(b), abs(a)); INSERT INTO t1 VALUES(1,'X',1),(2,'y',NULL),(3,'Z',3),(4,NULL,4);", "
        SELECT b FROM t1 WHERE a>2 AND b='Z'; SELECT * FROM t1 WHERE a+c=6; SELECT c FROM t1 WHERE lower(b)='x'; UPDATE t1 SET a=0 WHERE b='Z'; INSERT INTO t1 VALUES(2,'w',0); INSERT INTO t1 VALUES(9,'w',-7) ON CONFLICT(a+c) WHERE c IS NOT NULL DO UPDATE SET b='conflict'; DELETE FROM t1 WHERE lower(b)='y';"),
    closed("sqlite_stat1 and sqlite_stat4", "
        PRAGMA page_size=1024; CREATE TABLE t1(a, b, c); CREATE INDEX i1 ON t1(a, b); CREATE INDEX i2 ON t1(c);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<60) INSERT INTO t1 SELECT i%3, i%10, 'c'||i FROM c; ANALYZE;", "
        EXPLAIN QUERY PLAN SELECT * FROM t1 WHERE a=1 AND c='c5'; SELECT count(*) FROM t1 WHERE b>5 AND a IN (0,2); UPDATE sqlite_stat1 SET stat='100000 10 1' WHERE idx='i1'; ANALYZE sqlite_schema; SELECT * FROM t1 AS x, t1 AS y WHERE x.a=y.b AND x.c<y.c LIMIT 5; DELETE FROM sqlite_stat4; ANALYZE i2; SELECT tbl, idx, stat FROM sqlite_stat1;"),
    closed("FTS5 with prefix indexes", "
        PRAGMA page_size=1024; CREATE VIRTUAL TABLE ft USING fts5(x, y, prefix='1 3');
        INSERT INTO ft VALUES('the quick brown fox','jumps over the lazy dog'),('lorem ipsum','dolor sit amet'),('quick quick','fox');
        DELETE FROM ft WHERE rowid=2; INSERT INTO ft(ft, rank) VALUES('merge', 4);", "
        SELECT rowid, * FROM ft WHERE ft MATCH 'quick NOT lazy'; SELECT highlight(ft,0,'[',']'), snippet(ft,1,'<','>','..',3), bm25(ft) FROM ft WHERE ft MATCH 'qu* OR fox' ORDER BY rank; UPDATE ft SET y='over' WHERE rowid=1; SELECT * FROM ft('x:quick + brown'); INSERT INTO ft(ft) VALUES('integrity-check'); INSERT INTO ft(ft) VALUES('rebuild'); SELECT * FROM ft WHERE ft MATCH 'NEAR(the dog, 4)';"),
    closed("FTS5 without content, and with detail=none", "
        PRAGMA page_size=1024; CREATE VIRTUAL TABLE f1 USING fts5(x, content='', contentless_delete=1); CREATE VIRTUAL TABLE f2 USING fts5(x, detail=none, columnsize=0);
        INSERT INTO f1(rowid, x) VALUES(1,'alpha beta'),(2,'beta gamma'); DELETE FROM f1 WHERE rowid=1; INSERT INTO f2 VALUES('one two'),('two three');", "
        SELECT rowid FROM f1('beta'); SELECT rowid FROM f2 WHERE f2 MATCH 'two AND three'; INSERT INTO f1(rowid,x) VALUES(3,'alpha'); DELETE FROM f1 WHERE rowid=2; INSERT INTO f1(f1) VALUES('optimize'); INSERT INTO f2(f2) VALUES('optimize'); SELECT count(*) FROM f1;"),
    closed("FTS5 over an external table kept by triggers", "
        PRAGMA page_size=1024; CREATE TABLE doc(id INTEGER PRIMARY KEY, body); CREATE VIRTUAL TABLE ft USING fts5(body, content='doc', content_rowid='id', tokenize='porter');
        CREATE TRIGGER di AFTER INSERT ON doc BEGIN INSERT INTO ft(rowid, body) VALUES(new.id, new.body); END;
        CREATE TRIGGER dd AFTER DELETE ON doc BEGIN INSERT INTO ft(ft, rowid, body) VALUES('delete', old.id, old.body); END;
        INSERT INTO doc VALUES(1,'walking walks'),(2,'running runs');", "
        INSERT INTO doc VALUES(3,'walked runner'); SELECT id, doc.body FROM ft JOIN doc ON id=ft.rowid WHERE ft MATCH 'walk'; DELETE FROM doc WHERE id=1; SELECT rowid FROM ft WHERE ft MATCH 'run*' ORDER BY rank DESC; INSERT INTO ft(ft, rank) VALUES('rank','bm25(2.0)'); INSERT INTO ft(ft) VALUES('rebuild'); SELECT * FROM ft;"),
    closed("FTS5 with several segments and large doclists", "
        PRAGMA page_size=1024; CREATE VIRTUAL TABLE ft USING fts5(x, tokenize='trigram'); INSERT INTO ft(ft, rank) VALUES('pgsz', 64),('automerge', 2);
        INSERT INTO ft VALUES('abcabcabc'),('bcabca'); INSERT INTO ft VALUES('abcd'),('zabc'); INSERT INTO ft VALUES('xxabcxx');", "
        SELECT rowid FROM ft WHERE ft MATCH 'abc'; SELECT x FROM ft WHERE x GLOB '*zabc*'; INSERT INTO ft(ft, rank) VALUES('merge', -8); INSERT INTO ft(ft, rank) VALUES('crisismerge', 2); DELETE FROM ft WHERE rowid%2; INSERT INTO ft(ft) VALUES('flush'); SELECT count(*) FROM ft_data;"),
    closed("FTS4 with all options", "
        PRAGMA page_size=1024; CREATE VIRTUAL TABLE ft USING fts4(x, y, tokenize=porter, order=desc, prefix='2', notindexed=y, languageid=lid);
        INSERT INTO ft(x, y, lid) VALUES('the quick brown fox','skip',0),('quick foxes','skip',1); INSERT INTO ft(ft) VALUES('optimize'); CREATE VIRTUAL TABLE aux USING fts4aux(ft);", "
        SELECT docid, snippet(ft), offsets(ft), matchinfo(ft,'pcnalx') FROM ft WHERE ft MATCH 'qui*'; SELECT term, col, documents FROM aux ORDER BY term DESC; INSERT INTO ft(x,y,lid) VALUES('lazy quick','skip',1); SELECT x FROM ft WHERE ft MATCH 'quick NEAR/2 fox' AND lid=0; INSERT INTO ft(ft) VALUES('merge=2,2'); INSERT INTO ft(ft) VALUES('integrity-check'); DELETE FROM ft WHERE lid=1;"),
    closed("FTS3 with several segments", "
        PRAGMA page_size=512; CREATE VIRTUAL TABLE ft USING fts3(x, y); INSERT INTO ft VALUES('one two three','four');
        INSERT INTO ft VALUES('two three','five six'); INSERT INTO ft VALUES(hex(zeroblob(60)),'one'); UPDATE ft SET x='zero' WHERE rowid=2; DELETE FROM ft WHERE rowid=1;", "
        SELECT * FROM ft WHERE ft MATCH 'two three'; SELECT snippet(ft,'<','>','.',0,3) FROM ft WHERE x MATCH '\"two three\" OR one'; INSERT INTO ft(ft) VALUES('optimize'); SELECT level, idx, length(root) FROM ft_segdir; UPDATE ft SET y='y2'; SELECT docid FROM ft WHERE y MATCH 'y2'; DROP TABLE ft;"),
    closed("FTS4 contentless and matchinfo=fts3", "
        PRAGMA page_size=512; CREATE VIRTUAL TABLE f1 USING fts4(content='', x); CREATE VIRTUAL TABLE f2 USING fts4(x, matchinfo=fts3, compress=upper, uncompress=lower);
        INSERT INTO f1(docid, x) VALUES(1,'a b c'),(2,'b c d'); INSERT INTO f2 VALUES('alpha'),('beta alpha');", "
        SELECT docid FROM f1 WHERE f1 MATCH 'b AND (c OR d)'; SELECT hex(matchinfo(f2)) FROM f2 WHERE f2 MATCH 'alpha'; INSERT INTO f1(docid,x) VALUES(9,'d e f'); INSERT INTO f2 VALUES('gamma'); UPDATE f2 SET x='delta alpha' WHERE docid=1; SELECT * FROM f2 ORDER BY docid DESC;"),
    closed("R-Tree of two levels with auxiliary columns", "
        PRAGMA page_size=512; CREATE VIRTUAL TABLE rt USING rtree(id, x0, x1, y0, y1, +label);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<40) INSERT INTO rt SELECT i, i, i+2, -i, i%5, 'n'||i FROM c; DELETE FROM rt WHERE id%7=0;", "
        SELECT id, label FROM rt WHERE x0>=5 AND x1<=20 AND y0<-6; UPDATE rt SET x1=x1+50 WHERE id=20; DELETE FROM rt WHERE id BETWEEN 3 AND 30; INSERT INTO rt SELECT id+100, x0, x1, y0, y1, 'copy' FROM rt; SELECT rtreecheck('rt'); SELECT rtreenode(2,data) FROM rt_node WHERE nodeno=1; SELECT max(x1) FROM rt WHERE label='copy'; ALTER TABLE rt RENAME TO rt2;"),
    closed("R-Tree of integers in five dimensions", "
        PRAGMA page_size=1024; CREATE VIRTUAL TABLE rt USING rtree_i32(id, a0,a1,b0,b1,c0,c1,d0,d1,e0,e1);
        INSERT INTO rt VALUES(1,0,1,0,1,0,1,0,1,0,1),(2,-5,5,-5,5,-5,5,-5,5,-5,5),(3,9,9,9,9,9,9,9,9,9,9);", "
        SELECT id FROM rt WHERE a0>=0 AND e1<=5; INSERT INTO rt VALUES(4,2147483647,-1,0,0,0,0,0,0,0,0); REPLACE INTO rt VALUES(2,1,2,1,2,1,2,1,2,1,2); SELECT * FROM rt WHERE id=3; UPDATE rt SET id=7 WHERE id=1; DELETE FROM rt WHERE a1=9; SELECT rtreedepth(data) FROM rt_node;"),
    closed("Geopoly", "
        PRAGMA page_size=1024; CREATE VIRTUAL TABLE gp USING geopoly(name);
        INSERT INTO gp(_shape, name) VALUES('[[0,0],[4,0],[4,4],[0,4],[0,0]]','sq'),(geopoly_regular(10,10,3,6),'hex'),('[[1,1],[2,1],[1,2],[1,1]]','tri');", "
        SELECT name, geopoly_area(_shape), geopoly_json(_shape) FROM gp WHERE geopoly_overlap(_shape,'[[0,0],[3,0],[3,3],[0,0]]'); SELECT geopoly_svg(_shape), geopoly_contains_point(_shape,1,1) FROM gp; UPDATE gp SET _shape=geopoly_xform(_shape,2,0,0,2,1,1) WHERE name='tri'; SELECT geopoly_group_bbox(_shape) FROM gp; DELETE FROM gp WHERE geopoly_within(_shape,'[[0,0],[99,0],[99,99],[0,99],[0,0]]'); SELECT geopoly_blob(geopoly_ccw('[[0,0],[0,1],[1,1],[0,0]]'));"),
    closed("JSON text and JSONB of every element type", "
        PRAGMA page_size=1024; CREATE TABLE t1(id INTEGER PRIMARY KEY, j TEXT, b BLOB, k AS (j->>'$.a') STORED); CREATE INDEX i1 ON t1(json_extract(b,'$.n'));
        INSERT INTO t1(j,b) VALUES('{\"a\":1,\"b\":[true,false,null]}', jsonb('{\"n\":1,\"s\":\"t\",\"f\":-1.5e3,\"a\":[[],{}]}')),
         ('[0,\"\\u00e9\\n\"]', jsonb('[0x1F,+1,.5,Infinity,''x'',\"\\u0041\"]')),('{\"a\":{\"a\":{\"a\":[1,2,3]}}}', jsonb('\"'||hex(zeroblob(20))||'\"'));", "
        SELECT json(b), json_type(b), json_valid(b,8), b->'$.a[0]', j->>'a' FROM t1; SELECT key, value, type, atom, fullkey FROM t1, json_tree(t1.b) WHERE atom IS NOT NULL; UPDATE t1 SET b=jsonb_set(b,'$.n',json('{\"z\":[9]}')), j=json_remove(j,'$.a','$[0]'); SELECT json_group_array(json(b)), jsonb_group_object(id,j) FROM t1; SELECT json_patch(j,'{\"a\":null,\"q\":[1]}'), json_insert(b,'$.a[#]',7), json_error_position(j||'x'), json_pretty(b) FROM t1;"),
    closed("columns added, dropped and renamed", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b, c DEFAULT 7); INSERT INTO t1(a,b) VALUES(1,2); ALTER TABLE t1 ADD COLUMN d DEFAULT 'late'; INSERT INTO t1 VALUES(3,4,5,6);
        ALTER TABLE t1 DROP COLUMN b; ALTER TABLE t1 RENAME COLUMN c TO cc; ALTER TABLE t1 RENAME TO t2; ALTER TABLE t2 ADD COLUMN e INT NOT NULL DEFAULT 9;", "
        SELECT * FROM t2; INSERT INTO t2(a, cc) VALUES('x','y'); ALTER TABLE t2 DROP COLUMN d; ALTER TABLE t2 RENAME COLUMN cc TO \"c c\"; UPDATE t2 SET \"c c\"=e; ALTER TABLE t2 ADD COLUMN z CHECK(z<>5) DEFAULT 4; SELECT sql FROM sqlite_schema; CREATE INDEX i1 ON t2(z, a); ALTER TABLE t2 RENAME TO \"t 3\"; SELECT * FROM \"t 3\" ORDER BY z;"),
    closed("many tables: a schema of several pages", "
        PRAGMA page_size=512; CREATE TABLE a1(x INTEGER PRIMARY KEY, y TEXT); CREATE TABLE a2(x, y, UNIQUE(x,y)); CREATE TABLE a3(x REFERENCES a1, y CHECK(y>0)); CREATE INDEX a3x ON a3(x);
        CREATE TABLE a4(x,y,z,PRIMARY KEY(z,y)) WITHOUT ROWID; CREATE VIEW b1 AS SELECT * FROM a1; CREATE VIEW b2 AS SELECT x FROM a2 WHERE y IN (SELECT y FROM a1); CREATE TABLE a5 AS SELECT 1 AS p, 'q' AS q;
        CREATE TRIGGER c1 AFTER INSERT ON a1 BEGIN INSERT INTO a2 VALUES(new.x, new.y); END; INSERT INTO a1 VALUES(1,'one'),(2,'two'); INSERT INTO a3 VALUES(1,1); INSERT INTO a4 VALUES(1,2,3);", "
        SELECT name, type FROM sqlite_schema ORDER BY rowid DESC; INSERT INTO a1 VALUES(3,'three'); SELECT * FROM b1 JOIN b2 USING(x); DROP TABLE a5; ALTER TABLE a1 RENAME TO a9; SELECT * FROM a2; CREATE TABLE a6(x, y, FOREIGN KEY(x) REFERENCES a9); DROP VIEW b2; DROP TABLE a9; PRAGMA integrity_check; SELECT * FROM pragma_table_list;"),
    closed("numbers in the header: user version, application id, cache size", "
        PRAGMA page_size=512; PRAGMA user_version=7; PRAGMA application_id=1413; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1, zeroblob(800)),(2,'x'); PRAGMA default_cache_size=50;", "
        PRAGMA user_version; PRAGMA application_id=5; PRAGMA default_cache_size; INSERT INTO t1 VALUES(3, zeroblob(4000)); PRAGMA schema_version; CREATE TABLE t2(z); PRAGMA user_version=-1; SELECT a FROM t1; PRAGMA data_version; PRAGMA max_page_count=20; INSERT INTO t1 VALUES(4, zeroblob(40000));"),
    closed("empty tables and tables with one row", "
        PRAGMA page_size=512; CREATE TABLE e0(a PRIMARY KEY, b UNIQUE); CREATE TABLE e1(a INTEGER PRIMARY KEY); CREATE TABLE e2(a) ; INSERT INTO e2 VALUES(NULL); CREATE TABLE e3(a TEXT PRIMARY KEY) WITHOUT ROWID; CREATE VIEW ev AS SELECT * FROM e0;", "
        SELECT * FROM e0 LEFT JOIN e2 ON e0.a=e2.a; SELECT * FROM e2 LEFT JOIN e0 ON e0.a=e2.a; SELECT max(a), count(b) FROM e0; SELECT min(a) FROM e1; DELETE FROM e0; UPDATE e1 SET a=a+1; INSERT INTO e1 DEFAULT VALUES; INSERT INTO e3 SELECT a FROM e2; SELECT * FROM ev, e1 ORDER BY 1; SELECT avg(a), total(a), group_concat(a) FROM e2;"),
    closed("columns with every affinity and conflict clause", "
        PRAGMA page_size=512; CREATE TABLE t1(a INT UNIQUE ON CONFLICT REPLACE, b VARCHAR(9) NOT NULL ON CONFLICT IGNORE, c NUMERIC DEFAULT 1.0, d DOUBLE, e, f BLOB COLLATE RTRIM, g DECIMAL(3,1) CHECK(g IS NULL OR g<100) , PRIMARY KEY(c, d) ON CONFLICT ROLLBACK);
        INSERT INTO t1 VALUES('1','2','3','4','5','6 ','7'),(2,'x','abc','1e2',x'35','6',NULL);", "
        INSERT INTO t1 VALUES(1,NULL,8,8,8,8,8); INSERT INTO t1(a,b,c,d) VALUES(1,'rep',5,6); INSERT INTO t1(b,c,d) VALUES('x',3,4); UPDATE OR IGNORE t1 SET g=150; SELECT a,typeof(a),typeof(c),typeof(d),f='6' FROM t1; INSERT INTO t1(b,c,d) VALUES('y',3,4) ON CONFLICT(c,d) DO UPDATE SET e=excluded.b, b='up' WHERE t1.e IS NOT 0; SELECT * FROM t1 ORDER BY f;"),
    closed("rowids at the ends of their range", "
        PRAGMA page_size=512; CREATE TABLE t1(a INTEGER PRIMARY KEY, b); INSERT INTO t1 VALUES(-9223372036854775808,'min'),(-1,'-1'),(0,'0'),(9223372036854775806,'max-1'),(9223372036854775807,'max'); INSERT INTO t1(b) VALUES('any');", "
        SELECT a, b FROM t1 ORDER BY a; SELECT rowid FROM t1 WHERE rowid>9223372036854775805; SELECT * FROM t1 WHERE a<-1 OR a=0.0 OR a='-1'; INSERT INTO t1(b) VALUES('x'),('y'); UPDATE t1 SET a=a-1 WHERE a>0; DELETE FROM t1 WHERE a=-9223372036854775808; SELECT count(*) FROM t1 WHERE a BETWEEN -1.5 AND 1e19; INSERT INTO t1 VALUES(1e3,'e'),(NULL,'n');"),
    closed("floating point at its edges, stored as integers where possible", "
        PRAGMA page_size=512; CREATE TABLE t1(r REAL, n NUMERIC); CREATE INDEX i1 ON t1(r); INSERT INTO t1 VALUES(1.0,1.0),(-0.0,'-0'),(9e999,-9e999),(1e-320,'1e-320'),(9007199254740993,'9007199254740993'),(1e15,1e16),(0.1+0.2,'0.30000000000000004');", "
        SELECT r, n, typeof(n), r=n, printf('%!.20g', r) FROM t1 ORDER BY r; SELECT sum(r), avg(n), total(r), max(n), min(r) FROM t1; SELECT round(r,2), abs(n), CAST(r AS INT), CAST(n AS TEXT) FROM t1; UPDATE t1 SET r=n, n=r; SELECT count(*) FROM t1 WHERE r IN (SELECT n FROM t1); SELECT r FROM t1 WHERE r>1e15 OR r<-1; SELECT n/0, n%3, n<<2, ~CAST(n AS INT) FROM t1;"),
    closed("a wide table and an index on many columns", "
        PRAGMA page_size=1024; CREATE TABLE w(c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16,c17,c18,c19,c20,c21,c22,c23,c24,c25,c26,c27,c28,c29,c30,c31,c32,c33,c34,c35,c36,c37,c38,c39,c40,c41,c42,c43,c44,c45,c46,c47,c48,c49,c50,c51,c52,c53,c54,c55,c56,c57,c58,c59,c60,c61,c62,c63,c64,c65,c66);
        CREATE INDEX wi ON w(c1,c5,c9,c13,c17,c21,c25,c29,c65); INSERT INTO w(c1,c5,c64,c65,c66) VALUES(1,'x',zeroblob(90),3,4),(2,NULL,'y',5,6);", "
        SELECT c66, c65, c64 FROM w; UPDATE w SET c33='mid', c66=c1 WHERE c65=3; SELECT c1,c5 FROM w WHERE c1>0 AND c5 IS NULL; INSERT INTO w(c2, c65) SELECT c1, c66 FROM w; DELETE FROM w WHERE c29 IS NULL AND c1=1; ALTER TABLE w DROP COLUMN c40; SELECT count(*) FROM w GROUP BY c1, c2; CREATE INDEX wj ON w(c64 DESC, c63, c62);"),
    closed("an index with duplicates and NULLs", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b); CREATE INDEX i1 ON t1(a); CREATE UNIQUE INDEX i2 ON t1(b); WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<50)
        INSERT INTO t1 SELECT CASE WHEN i%3=0 THEN NULL ELSE i%2 END, CASE WHEN i%5=0 THEN NULL ELSE i END FROM c;", "
        SELECT count(*) FROM t1 WHERE a IS NULL; SELECT a, count(b), count(*) FROM t1 GROUP BY a; SELECT b FROM t1 WHERE a=1 AND b NOT IN (7,13) ORDER BY b DESC; UPDATE t1 SET a=5 WHERE b IS NULL; INSERT OR REPLACE INTO t1 VALUES(1, 49); SELECT * FROM t1 WHERE a IS NOT DISTINCT FROM NULL AND b<9; DELETE FROM t1 WHERE a=0; DELETE FROM t1 WHERE b>40 OR a=5;"),
    closed("deleted cells: freeblocks and fragments", "
        PRAGMA page_size=1024; CREATE TABLE t1(a INTEGER PRIMARY KEY, b); WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<30) INSERT INTO t1 SELECT i, substr('abcdefghijklmnop',1,i%17) FROM c;
        DELETE FROM t1 WHERE a%3=1; UPDATE t1 SET b=b||'x' WHERE a%4=0; DELETE FROM t1 WHERE a=9;", "
        INSERT INTO t1 VALUES(1,'abc'),(4,'defghijk'),(7,zeroblob(100)); UPDATE t1 SET b=substr(b,2) WHERE a>15; DELETE FROM t1 WHERE a IN (2,3,5,6); INSERT INTO t1 SELECT a+100, b FROM t1; PRAGMA integrity_check; SELECT count(*), sum(length(b)) FROM t1;"),
    closed("secure delete", "
        PRAGMA page_size=512; PRAGMA secure_delete=ON; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'secret'),(2,zeroblob(2000)),(3,'kept'); DELETE FROM t1 WHERE a<3;", "
        UPDATE t1 SET b=zeroblob(10); DELETE FROM t1; PRAGMA secure_delete=FAST; INSERT INTO t1 VALUES(4,zeroblob(3000)); DELETE FROM t1 WHERE a=4; SELECT count(*) FROM t1; SELECT sum(length(data)) FROM sqlite_dbpage; DROP TABLE t1; VACUUM;"),
    closed("schema format 1", "
        PRAGMA page_size=512; CREATE TABLE t1(a, b); CREATE INDEX i1 ON t1(a); INSERT INTO t1 VALUES(2,3),(4,5);
        UPDATE sqlite_dbpage SET data=CAST(substr(data,1,47)||x'01'||substr(data,49) AS BLOB) WHERE pgno=1;", "
        PRAGMA schema_version; INSERT INTO t1 VALUES(0,0),(1,1); CREATE INDEX i2 ON t1(b DESC); SELECT a, typeof(a) FROM t1 ORDER BY b DESC; ALTER TABLE t1 ADD COLUMN c; UPDATE t1 SET c=a; VACUUM; SELECT * FROM t1 WHERE a=0;"),
    closed("a table with a CHECK that uses a subexpression of everything", "
        PRAGMA page_size=512; CREATE TABLE t1(a INT, b TEXT, CHECK(a BETWEEN -9 AND 9 AND (b LIKE 'x%' OR b GLOB '*y' OR b IN ('p','q') OR b IS NULL OR CASE a WHEN 1 THEN b='z' ELSE length(b)<5 END)));
        INSERT INTO t1 VALUES(1,'z'),(2,'xa'),(3,'y'),(4,'p'),(5,NULL),(6,'abcd');", "
        INSERT INTO t1 VALUES(7,'too long'); INSERT INTO t1 VALUES(10,'p'); INSERT OR IGNORE INTO t1 VALUES(-8,'q'),(8,NULL); UPDATE t1 SET b='py' WHERE a=3; UPDATE t1 SET a=a*3; PRAGMA ignore_check_constraints=1; SELECT * FROM t1 WHERE b LIKE '%a%' OR b IN ('y','p') OR a BETWEEN 5 AND 6; PRAGMA quick_check;"),
    closed("an index shared by ORDER BY, GROUP BY and a skip-scan", "
        PRAGMA page_size=1024; CREATE TABLE t1(sex, age INT, name); CREATE INDEX i1 ON t1(sex, age); WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<90) INSERT INTO t1 SELECT CASE i%2 WHEN 0 THEN 'f' ELSE 'm' END, 20+i%50, 'n'||i FROM c; ANALYZE;", "
        SELECT sex, max(age), count(*) FROM t1 WHERE age=33 GROUP BY sex; SELECT sex, age, name FROM t1 ORDER BY sex DESC, age LIMIT 5; SELECT DISTINCT sex FROM t1; SELECT name FROM t1 WHERE age BETWEEN 40 AND 42 ORDER BY age; SELECT sex, avg(age) OVER (PARTITION BY sex ORDER BY age RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) FROM t1 LIMIT 9; SELECT min(age) FROM t1 WHERE sex='f';"),
    closed("text that looks like numbers, and the other way round", "
        PRAGMA page_size=512; CREATE TABLE t1(i INT, t TEXT, n NUMERIC, b BLOB); CREATE INDEX it ON t1(t); CREATE INDEX ib ON t1(b); INSERT INTO t1 VALUES('12','12','12','12'),(12,12,12,12),('1e1','1e1','1e1','1e1'),(' 7 ',' 7 ',' 7 ',' 7 '),('0x1F','0x1F','0x1F','0x1F'),('abc',1.0,'1.0',1.0);", "
        SELECT i, t, n, b, typeof(i), typeof(t), typeof(n), typeof(b) FROM t1; SELECT count(*) FROM t1 WHERE i=t; SELECT t FROM t1 WHERE t=12 OR t='12' OR b=12; SELECT * FROM t1 WHERE n<'a' AND i+0>=t ORDER BY b; SELECT CAST(t AS INT)+n, t||i, -t, +b, t IN (12,'7') FROM t1; UPDATE t1 SET i=t, t=n, n=b, b=i; SELECT * FROM t1 WHERE b COLLATE NOCASE = 'ABC';"),
    closed("a temporary file's worth: long keys in interior index pages", "
        PRAGMA page_size=512; CREATE TABLE t1(a TEXT PRIMARY KEY, b); WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<24) INSERT INTO t1 SELECT hex(zeroblob(40+i*9))||i, i FROM c;", "
        SELECT b FROM t1 WHERE a>'00' ORDER BY a DESC; DELETE FROM t1 WHERE b%3=0; INSERT INTO t1 SELECT a||'x', b+100 FROM t1 WHERE b<9; SELECT max(length(a)) FROM t1; UPDATE t1 SET a=substr(a,50) WHERE b=7; CREATE INDEX i2 ON t1(b, a); SELECT count(*) FROM t1 WHERE b BETWEEN 3 AND 104; DROP INDEX i2;"),
    closed("two tables for joins, with statistics that fit", "
        PRAGMA page_size=1024; CREATE TABLE x(id INTEGER PRIMARY KEY, k, v); CREATE TABLE y(k, w, PRIMARY KEY(k, w)) WITHOUT ROWID; CREATE INDEX xk ON x(k);
        WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<50) INSERT INTO x SELECT i, i%10, 'v'||i FROM c; INSERT INTO y SELECT DISTINCT k, id%4 FROM x; ANALYZE;", "
        SELECT x.id, y.w FROM x JOIN y USING(k) WHERE y.w>1 ORDER BY x.v LIMIT 6; SELECT count(*) FROM x LEFT JOIN y ON x.k=y.k AND y.w=3 WHERE y.k IS NULL; SELECT * FROM x RIGHT JOIN y ON x.id=y.w WHERE x.k<5; SELECT k, (SELECT count(*) FROM y WHERE y.k=x.k AND w<x.id) AS n FROM x GROUP BY k HAVING n>1; DELETE FROM x WHERE EXISTS (SELECT 1 FROM y WHERE y.k=x.k AND y.w=0); SELECT * FROM x FULL JOIN y USING(k) WHERE w IN (SELECT id FROM x);"),
    Image { about: "the lock-byte page in the middle of a table", setup: "
        PRAGMA page_size=512; CREATE TABLE t1(a INTEGER PRIMARY KEY, b); WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i<9) INSERT INTO t1 SELECT i, zeroblob(8000) FROM c;", script: "
        SELECT a, length(b) FROM t1; INSERT INTO t1 VALUES(20, zeroblob(9000)); DELETE FROM t1 WHERE a<5; PRAGMA integrity_check; VACUUM; SELECT count(*) FROM t1;",
        moment: Moment::Closed, settings: &[(Setting::PendingBytePage, 1)] },
    Image { about: "a disk with sectors of 512 bytes and atomic writes", setup: "
        PRAGMA page_size=512; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'x'); UPDATE t1 SET b='y'; CREATE TABLE t2(c); INSERT INTO t2 SELECT a FROM t1;", script: "
        UPDATE t1 SET a=2; INSERT INTO t2 VALUES(5); BEGIN; UPDATE t1 SET b='z'; SAVEPOINT p; UPDATE t2 SET c=c+1; ROLLBACK TO p; COMMIT; PRAGMA journal_mode=TRUNCATE; UPDATE t1 SET b='last'; PRAGMA synchronous=FULL; DELETE FROM t2;",
        moment: Moment::Closed, settings: &[(Setting::SectorLog2, 9), (Setting::DeviceCharacteristics, 0x1007)] },
    closed("virtual tables beside ordinary ones", "
        PRAGMA page_size=1024; CREATE TABLE t1(a, b); INSERT INTO t1 VALUES(1,'dog'),(2,'cat'); CREATE VIRTUAL TABLE ft USING fts5(b); INSERT INTO ft SELECT b FROM t1; CREATE VIRTUAL TABLE voc USING fts5vocab(ft, row);
        CREATE VIRTUAL TABLE rt USING rtree(id, lo, hi); INSERT INTO rt SELECT a, a, a+1 FROM t1; CREATE VIEW vv AS SELECT t1.a, term FROM t1, voc WHERE term=b;", "
        SELECT term, doc, cnt FROM voc; INSERT INTO ft VALUES('dog bites cat'); SELECT * FROM vv; SELECT t1.b, rt.hi FROM t1 JOIN rt ON rt.id=t1.a WHERE rt.lo<=2; CREATE VIRTUAL TABLE temp.v2 USING fts5vocab(main, ft, instance); SELECT * FROM v2 WHERE term>='c'; DELETE FROM rt; DROP TABLE ft; SELECT name FROM sqlite_schema WHERE sql LIKE '%USING%';"),
];
