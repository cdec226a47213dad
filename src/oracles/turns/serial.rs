//! Transactions of several connections do what they would do one after the other.
//!
//! SQLite promises that those that write are serialisable, and it is known in which order: nobody else can write while a
//! connection holds the lock for it (<https://sqlite.org/isolation.html>). So the case runs again, in order: each transaction
//! that was committed at the place where it got that lock, without what was refused as locked and without what was rolled
//! back. Each statement must return the same again, and at the end the same rows must be there.
//!
//! A transaction that only reads sees one snapshot, that of the last commit before its first read, or a later one up to the
//! end of that read. It runs at each of these places, and must return the same at one of them.
//!
//! # Excuses
//! * Statements that return what other connections did on purpose: pragmas, virtual tables that show pages or statements.
//! * Random values, and statistics, which change the order of rows: their order is not compared anyway.
//! * Several files: a commit in all of them is not one moment.
//! * Settings after which SQLite promises nothing: no journal, `read_uncommitted`, `writable_schema`, raw pages, limits.

use std::collections::BTreeMap;

use super::{BUSY, Environment, Finding, LOCKED, Oracle, Signature, SkipReason, Verdict, tainted, unfit};
use crate::engine::{Asked, Code, Observation, StatementTrace, Taint};
use crate::sql;
use crate::testcase::{CONNECTIONS_MAX, Operation, Operations, Schedule, Script, TestCase};

pub(crate) struct Serial;

const ASKED: Asked = Asked { has_end: true, has_values: true, ..Asked::NOTHING };
/// Taints after which nothing can be said.
const EXCUSES: [Taint; 8] = [
    Taint::JOURNAL_OFF,
    Taint::WRITABLE_SCHEMA,
    Taint::SCHEMA_WRITTEN,
    Taint::DBPAGE,
    Taint::ATTACHED_FILE,
    Taint::HEAP_LIMIT,
    Taint::LIMITS,
    Taint::SCHEMA_VERSION,
];
/// Words of scripts that cannot be repeated in another order.
const OWN_STATE: [&str; 18] = [
    "random",
    "randomblob",
    "attach",
    "detach",
    "vacuum",
    "dbstat",
    "sqlite_dbpage",
    "sqlite_stmt",
    "bytecode",
    "tables_used",
    "read_uncommitted",
    "analyze",
    "optimize",
    "reindex",
    "load_extension",
    "data_version",
    "incremental_vacuum",
    "sqlite_offset",
];
/// Statements whose rows tell of the moment.
const OF_THE_MOMENT: [&str; 2] = ["PRAGMA", "EXPLAIN"];

/// Statements that write to tables.
const WRITING: [&str; 7] = ["INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"];

impl Oracle for Serial {
    fn check(&self, case: &TestCase, observation: &Observation, ask: &mut Environment<'_>) -> Verdict {
        if let Some(reason) = unfit(case, observation).or_else(|| tainted(observation, &EXCUSES)) {
            return Verdict::Skip(reason);
        }
        if has_own_state(case) {
            return Verdict::Skip(SkipReason::Excused("what differs in another order"));
        }
        if !ask.is_healthy_at_start() {
            return Verdict::Skip(SkipReason::DamagedAtStart);
        }
        match judge(case, ask) {
            Ok(None) => Verdict::Pass,
            Ok(Some((kind, message))) => {
                Verdict::Fail(Finding { signature: Signature::new("serial", kind, "-"), message })
            }
            Err(reason) => Verdict::Skip(reason),
        }
    }
}

/// Whether the script says something that is not the same in another order.
fn has_own_state(case: &TestCase) -> bool {
    let is_own = |word: &[u8]| OWN_STATE.iter().any(|own| word.eq_ignore_ascii_case(own.as_bytes()));
    sql::words(case.sql.as_bytes()).any(is_own)
}

/// Statements of one connection that take effect together.
#[derive(Debug, Default)]
struct Transaction {
    /// By their places in the trace.
    statements: Vec<usize>,
    connection: u8,
    began: u64,
    began_lock: u64,
    /// When it took its snapshot: not before it got its lock for reading, and not after the end of that statement.
    read: Option<(u64, u64)>,
    /// When it got the lock; 0 if it did not.
    got_lock: u64,
    /// When it gave the lock up; 0 if it did not.
    released: u64,
    is_rolled_back: bool,
}

type Told = (&'static str, String);

fn judge(case: &TestCase, ask: &mut Environment<'_>) -> Result<Option<Told>, SkipReason> {
    let first = ask.run(case, ASKED)?;
    let transactions = transactions(&first)?;
    let order = order(&transactions);
    let (serial, origins) = serial_case(case, &first, &transactions, &order);
    let second = ask.run(&serial, ASKED)?;
    if first.ended_early() || second.ended_early() {
        return Err(SkipReason::CheckCutShort);
    }
    let count = transactions.iter().filter(|one| !one.is_rolled_back).count();
    ask.count_check(count < 2);
    Ok(compare(case, &first, &second, &transactions, &order, &origins))
}

/// The transactions of all connections.
fn transactions(run: &Observation) -> Result<Vec<Transaction>, SkipReason> {
    let mut open: [Option<Transaction>; CONNECTIONS_MAX as usize] =
        [const { None }; CONNECTIONS_MAX as usize];
    let mut last_lock = [0; CONNECTIONS_MAX as usize];
    let mut done = Vec::new();
    let mut seen = BTreeMap::new();
    for (at, statement) in run.trace.statements.iter().enumerate() {
        let Some(place) = statement.place else {
            continue;
        };
        if seen.insert(place.operation, at).is_some() {
            return Err(SkipReason::Excused("several statements in one"));
        }
        let connection = usize::from(place.connection);
        let was_open = open[connection].is_some();
        let one = open[connection].get_or_insert_with(|| Transaction {
            began: place.began.event,
            connection: place.connection,
            began_lock: place.began.lock,
            ..Transaction::default()
        });
        // What cannot be prepared might be, and might write, where it runs again.
        let has_effect = statement.prepare == Code::OK && !is_refused(statement) && !statement.sql.is_empty();
        if has_effect {
            one.statements.push(at);
        }
        // The last one is kept: what read before it, read the schema and no more.
        one.read = place.read_at.map(|from| (from, place.done.lock)).or(one.read);
        // What was refused although it had got the lock gave it up at once: its snapshot was too old. And who only reads gets
        // it to read the header of the wal-index while somebody writes that.
        let is_new = place.got_lock > last_lock[connection];
        last_lock[connection] = place.got_lock;
        // With locking_mode=EXCLUSIVE, or after a COMMIT that was refused, the lock is kept.
        let is_kept = place.got_lock > place.released;
        if has_effect && !statement.is_read_only && (is_new || is_kept) {
            one.got_lock = place.got_lock;
        }
        one.released = if place.released > one.got_lock { place.released } else { 0 };
        let writes = WRITING.contains(&statement.verb) && statement.code().is_success();
        if writes && one.got_lock == 0 {
            return Err(SkipReason::Excused("writes to tables of one connection"));
        }
        if place.is_autocommit {
            let ends = ["COMMIT", "END", "RELEASE"].contains(&statement.verb);
            // Outside of a transaction a statement is one; inside, only a statement that says so commits.
            one.is_rolled_back = was_open && !(ends && statement.code().is_success());
            done.extend(open[connection].take());
        }
    }
    for mut left in open.into_iter().flatten() {
        left.is_rolled_back = true;
        done.push(left);
    }
    Ok(done)
}

fn is_refused(statement: &StatementTrace) -> bool {
    matches!(statement.code().primary(), BUSY | LOCKED)
}

/// The transactions in the order in which they run: each that writes at its place, and those that only read as often as there
/// are snapshots that they may have seen.
fn order(transactions: &[Transaction]) -> Vec<usize> {
    let counts = |one: &Transaction| !one.is_rolled_back && !one.statements.is_empty();
    let all = || transactions.iter().enumerate().filter(|(_, one)| counts(one));
    let mut writers: Vec<(usize, &Transaction)> = all().filter(|(_, one)| one.got_lock > 0).collect();
    // One that keeps its lock writes several times with it.
    writers.sort_by_key(|(_, one)| (one.got_lock, one.began));
    let mut order: Vec<(usize, bool, u64, usize)> = Vec::new();
    for (rank, (at, one)) in writers.iter().enumerate() {
        order.push((rank, true, one.began, *at));
    }
    for (at, one) in all().filter(|(_, one)| one.got_lock == 0) {
        // What takes no snapshot may run anywhere.
        let (from, to) = one.read.unwrap_or((one.began_lock, one.began_lock));
        let is_own = |other: &Transaction| other.connection == one.connection;
        let is_over = |other: &Transaction| other.released > 0 && other.released <= from;
        let before = |other: &Transaction| {
            if is_own(other) { other.began < one.began } else { is_over(other) }
        };
        let may_be_before = |other: &Transaction| {
            if is_own(other) { other.began < one.began } else { other.got_lock <= to }
        };
        // Those that are certainly before it, and all of which some part may be.
        let lowest = writers.iter().rposition(|(_, other)| before(other)).map_or(0, |rank| rank + 1);
        let highest = writers.iter().rposition(|(_, other)| may_be_before(other)).map_or(0, |rank| rank + 1);
        let own_next = writers.iter().position(|(_, other)| is_own(other) && other.began > one.began);
        let highest = highest.min(own_next.unwrap_or(usize::MAX)).max(lowest);
        order.extend((lowest..=highest).map(|rank| (rank, false, one.began, at)));
    }
    // Readers at a place come before the writer there.
    order.sort_unstable();
    order.into_iter().map(|(.., at)| at).collect()
}

/// The case that runs the transactions in that order, and for each of its operations the statement of the first run.
fn serial_case(
    case: &TestCase,
    first: &Observation,
    transactions: &[Transaction],
    order: &[usize],
) -> (TestCase, Vec<usize>) {
    let (script, mut text) = (case.sql.as_bytes(), Vec::new());
    let (mut operations, mut origins) = (Vec::new(), Vec::new());
    for &transaction in order {
        for &at in &transactions[transaction].statements {
            let statement = &first.trace.statements[at];
            let place = statement.place.expect("it is in a transaction");
            text.extend_from_slice(script[statement.sql.clone()].trim_ascii());
            text.extend_from_slice(if text.ends_with(b";") { b"\n" } else { b";\n" });
            operations.push(Operation::Run { connection: place.connection });
            origins.push(at);
        }
    }
    // What runs after all operations does so again.
    for statement in first.trace.statements.iter().filter(|statement| statement.place.is_none()) {
        text.extend_from_slice(script.get(statement.sql.clone()).unwrap_or_default());
        text.extend_from_slice(b";\n");
    }
    let serial = TestCase {
        sql: Script::new(text),
        operations: Operations::new(operations),
        schedule: Schedule::default(),
        ..case.clone()
    };
    (serial, origins)
}

/// The first difference.
fn compare(
    case: &TestCase,
    first: &Observation,
    second: &Observation,
    transactions: &[Transaction],
    order: &[usize],
    origins: &[usize],
) -> Option<Told> {
    let by_operation: BTreeMap<usize, &StatementTrace> = second
        .trace
        .statements
        .iter()
        .filter_map(|statement| Some((statement.place?.operation, statement)))
        .collect();
    let text = |statement: &StatementTrace| {
        let text = case.sql.as_bytes().get(statement.sql.clone()).unwrap_or_default();
        String::from_utf8_lossy(text.trim_ascii()).into_owned()
    };
    // Each run of a transaction, and its first difference.
    let mut differences: BTreeMap<usize, Option<String>> = BTreeMap::new();
    let mut operation = 0;
    for &transaction in order {
        let mut found = None;
        for _ in &transactions[transaction].statements {
            let before = &first.trace.statements[origins[operation]];
            let after = by_operation.get(&operation).copied();
            operation += 1;
            if found.is_none() && !is_same(before, after) {
                let place = before.place.map_or(0, |place| place.connection);
                let told = |statement: &StatementTrace| {
                    format!("{} with {} {:?}", statement.code(), statement.rows, Shown(statement))
                };
                found = Some(format!(
                    "connection {place}: `{}`: {}; one transaction after the other: {}",
                    text(before),
                    told(before),
                    after.map_or_else(|| "it does not run".to_owned(), told),
                ));
            }
        }
        let known = differences.entry(transaction).or_insert_with(|| found.clone());
        if found.is_none() {
            *known = None;
        }
    }
    if let Some(difference) = differences.into_values().flatten().next() {
        return Some(("rows", difference));
    }
    let at_end = |run: &Observation| {
        run.trace
            .statements
            .iter()
            .filter(|one| one.place.is_none())
            .map(|one| (one.code(), sorted(one)))
            .collect::<Vec<_>>()
    };
    let (end, other) = (at_end(first), at_end(second));
    if end != other {
        return Some((
            "end",
            format!("after all operations {end:?}; one transaction after the other: {other:?}"),
        ));
    }
    let tables = |run: &Observation| {
        run.end.as_ref().map(|end| {
            (
                end.schema.clone(),
                end.tables.iter().map(|table| (table.name.clone(), table.rows)).collect::<Vec<_>>(),
            )
        })
    };
    match (tables(first), tables(second)) {
        (Some(a), Some(b)) if a != b => {
            Some(("lost", format!("the tables at the end: {a:?}; one transaction after the other: {b:?}")))
        }
        _ => None,
    }
}

/// The rows of a statement, for a message.
struct Shown<'s>(&'s StatementTrace);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const ROWS_MAX: usize = 4;
        f.debug_list().entries(self.0.values.iter().take(ROWS_MAX)).finish()
    }
}

fn sorted(statement: &StatementTrace) -> Vec<String> {
    if OF_THE_MOMENT.contains(&statement.verb) {
        return Vec::new();
    }
    let mut rows: Vec<String> = statement.values.iter().map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    rows
}

fn is_same(before: &StatementTrace, after: Option<&StatementTrace>) -> bool {
    after.is_some_and(|after| {
        let is_of_moment = OF_THE_MOMENT.contains(&before.verb);
        is_of_moment || before.code() == after.code() && sorted(before) == sorted(after)
    })
}
