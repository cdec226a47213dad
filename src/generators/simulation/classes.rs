//! What a simulation consists of: classes of statements, and how often each comes.

/// What a statement does, and so what is compared behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It reads.
    Query,
    /// It writes to a table, whose rows are compared behind it.
    Write,
    /// It changes the schema, which is compared behind it.
    Definition,
    /// It begins or ends a transaction, or a part of one; what it is depends on what is open.
    Transaction,
    /// It changes how the database is stored, and no answer.
    Upkeep,
}

/// A class of statements.
#[derive(Debug)]
pub struct Class {
    /// Its name; what stands before the point is its group.
    pub name: &'static str,
    /// How often it comes unless somebody says otherwise, beside the others.
    pub weight: f64,
    /// What it does.
    pub effect: Effect,
    /// Alternatives in the notation of the grammar (`statements::grammar`).
    pub(super) texts: &'static [&'static str],
}

const fn class(name: &'static str, weight: f64, effect: Effect, texts: &'static [&'static str]) -> Class {
    Class { name, weight, effect, texts }
}

use Effect::{Definition, Query, Transaction, Upkeep, Write};

/// All classes.
#[rustfmt::skip]
pub const CLASSES: [Class; 44] = [
    class("select.simple", 2.0, Query, &["SELECT {columns} FROM _t{where}{order}"]),
    class("select.from", 1.5, Query, &["{core}{order}"]),
    class("select.limit", 0.5, Query, &["{core}{order}{limit}"]),
    class("select.join", 2.0, Query, &["{join_query}"]),
    class("select.group", 1.5, Query, &["{group_query}"]),
    class("select.window", 1.0, Query, &["{window_query}"]),
    class("select.compound", 1.0, Query, &["{core} {setop} {core}{order}"]),
    class("select.cte", 0.7, Query, &["WITH {ctes} {core}{order}"]),
    class("select.recursive-cte", 0.5, Query, &["WITH RECURSIVE {recursive} SELECT {columns} FROM r0{join}{where}"]),
    class("select.planner", 2.0, Query, &["{planner_query}"]),
    class("select.exists", 0.7, Query, &["SELECT {columns} FROM _t WHERE EXISTS({core1}) AND {cond}{order}"]),
    class("select.in", 1.0, Query, &["SELECT {columns} FROM _t WHERE _c IN ({core1}) AND {cond}"]),
    class("select.rowvalue", 0.5, Query, &["SELECT * FROM _t WHERE (_c, _d) IN (SELECT _c, _d FROM _t{where})"]),
    class("select.subquery", 1.0, Query, &["SELECT * FROM ({core}) AS y3 WHERE {cond}"]),
    class("select.view", 0.7, Query, &["SELECT * FROM _v{where}{order}"]),
    class("select.values", 0.2, Query, &["VALUES {rows}"]),
    class("select.scalar", 0.7, Query, &["SELECT {expr}, {expr}, {call}"]),
    class("select.json", 0.5, Query, &["SELECT {jsoncall}, {jsoncall}"]),
    class("insert.values", 1.5, Write, &["INSERT INTO _t(_c, _d) VALUES({lit}, {lit}), ({lit}, {lit})"]),
    class("insert.one", 1.0, Write, &["INSERT INTO _t(_c) VALUES({lit})"]),
    class("insert.select", 0.7, Write, &["INSERT INTO _t(_c, _d) SELECT _c, _d FROM _t{where} ORDER BY 1, 2 LIMIT 5"]),
    class("insert.conflict", 0.7, Write, &["INSERT OR {conflict} INTO _t(_c, _d) VALUES({lit}, {lit}), ({lit}, {lit})"]),
    class("insert.upsert", 0.7, Write, &["INSERT INTO _t(_c, _d) VALUES({lit}, {lit}) ON CONFLICT DO UPDATE SET _c = {expr}, _c = excluded._c"]),
    class("insert.returning", 0.4, Write, &["INSERT INTO _t(_c, _d) VALUES({lit}, {lit}) RETURNING *"]),
    class("update.where", 1.5, Write, &["UPDATE _t SET _c = {expr} WHERE {cond}"]),
    class("update.rowvalue", 0.5, Write, &["UPDATE _t SET (_c, _d) = (SELECT {expr}, {expr}){where}"]),
    class("update.from", 0.4, Write, &["UPDATE _t SET _c = {lit} FROM (SELECT DISTINCT _c AS z0 FROM _t) AS y WHERE {cond}"]),
    class("update.conflict", 0.5, Write, &["UPDATE OR {conflict} _t SET _c = {expr}{where}"]),
    class("update.all", 0.3, Write, &["UPDATE _t SET _c = {expr}"]),
    class("delete.where", 1.0, Write, &["DELETE FROM _t WHERE {cond} AND {cond}"]),
    class("delete.in", 0.4, Write, &["DELETE FROM _t WHERE _c IN ({core1}) AND _c = {lit}"]),
    class("ddl.table", 0.15, Definition, &["CREATE TABLE n0({coldefs})"]),
    class("ddl.constraint", 0.1, Definition, &["CREATE TABLE n0({coldefs}, {constraint})"]),
    class("ddl.as", 0.1, Definition, &["CREATE TABLE n0 AS {core}"]),
    class("ddl.index", 0.6, Definition, &["CREATE INDEX n0 ON _t(_c, _d DESC)", "CREATE INDEX n0 ON _t(_c)", "CREATE INDEX n0 ON _t(_c COLLATE {collation}, _d)", "CREATE UNIQUE INDEX n0 ON _t(_c, _d)"]),
    class("ddl.index-partial", 0.3, Definition, &["CREATE INDEX n0 ON _t(_c) WHERE _c IS NOT NULL", "CREATE INDEX n0 ON _t(_c, _d) WHERE _c > {literal}"]),
    class("ddl.index-expr", 0.3, Definition, &["CREATE INDEX n0 ON _t({function_of_column})"]),
    class("ddl.view", 0.3, Definition, &["CREATE VIEW n0 AS {core}"]),
    class("ddl.trigger", 0.2, Definition, &["CREATE TRIGGER n0 {when} {event} ON _t BEGIN {command}; END"]),
    class("ddl.alter", 0.15, Definition, &["{alter}"]),
    class("ddl.drop", 0.1, Definition, &["DROP INDEX _i", "DROP INDEX _i", "DROP VIEW _v", "DROP TABLE _t"]),
    class("transaction.whole", 0.5, Transaction, &[]),
    class("transaction.savepoint", 0.3, Transaction, &[]),
    class("upkeep.any", 0.3, Upkeep, &["ANALYZE", "ANALYZE _t", "REINDEX", "REINDEX _t", "VACUUM", "PRAGMA integrity_check", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA incremental_vacuum(2)"]),
];

/// How often each class comes, beside the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights([f64; CLASSES.len()]);

impl Default for Weights {
    fn default() -> Self {
        Self(CLASSES.map(|class| class.weight))
    }
}

impl Weights {
    /// Sets the weight of a class, or of each class of a group (`select`).
    ///
    /// # Errors
    /// There is none of that name: those that there are.
    pub fn set(&mut self, name: &str, weight: f64) -> Result<(), String> {
        let is_meant = |class: &Class| class.name == name || class.name.split('.').next() == Some(name);
        let meant: Vec<usize> = (0..CLASSES.len()).filter(|&at| is_meant(&CLASSES[at])).collect();
        if meant.is_empty() {
            return Err(format!("no class of statements is named `{name}`; there are {}", names()));
        }
        if !(weight.is_finite() && weight >= 0.0) {
            return Err(format!("{name}: a weight is a number from 0, not {weight}"));
        }
        meant.into_iter().for_each(|at| self.0[at] = weight);
        Ok(())
    }

    /// Makes one class as frequent as all others together; its group may be left out (`window`).
    ///
    /// # Errors
    /// There is none of that name: those that there are.
    pub fn focus(&mut self, name: &str) -> Result<(), String> {
        let is_it = |class: &Class| class.name == name || class.name.rsplit('.').next() == Some(name);
        let at = CLASSES.iter().position(is_it);
        let at =
            at.ok_or_else(|| format!("no class of statements is named `{name}`; there are {}", names()))?;
        self.0[at] = 0.0;
        self.0[at] = self.0.iter().sum::<f64>().max(1.0);
        Ok(())
    }

    /// The classes with their weights.
    pub fn each(&self) -> impl Iterator<Item = (&'static Class, f64)> {
        CLASSES.iter().zip(self.0)
    }

    /// Whether nothing at all would come.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|weight| *weight <= 0.0)
    }

    /// The class at a place in 0..1 of all weights.
    pub(super) fn at(&self, place: f64) -> &'static Class {
        let mut left = place * self.0.iter().sum::<f64>();
        for (class, weight) in self.each() {
            left -= weight;
            if left < 0.0 && weight > 0.0 {
                return class;
            }
        }
        self.each().filter(|(_, weight)| *weight > 0.0).last().map_or(&CLASSES[0], |(class, _)| class)
    }
}

fn names() -> String {
    CLASSES.map(|class| class.name).join(", ")
}
