//! A schema with something of everything, for cases that are SQL only.

/// Creates the rich schema. Cases refer to it by a setting, so this text is frozen: a change would give
/// kept cases another meaning. A richer one gets a number of its own.
pub const RICH_SCHEMA: &str = "\
CREATE TABLE t0(a INTEGER PRIMARY KEY, b TEXT, c REAL, d BLOB, e);
INSERT INTO t0 VALUES(1,'one',1.5,x'01',NULL),(2,'two',-2.5,x'0202',2),(3,'THREE',9e99,NULL,'x'),(9,'',0.0,x'',-9);
";
