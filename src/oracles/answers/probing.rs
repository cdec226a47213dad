//! The run in which all checks of statements judge a case.

use std::cell::{Cell, RefCell};
use std::iter::Peekable;
use std::ops::Range;

use super::{After, Change, Check, Follower, Open, Query, Said, Statementwise, open, query};
use crate::engine::sqlite::{Execution, Program, Row, Session};
use crate::engine::{Code, StatementTrace, Taint};
use crate::oracles::{Environment, Finding, Signature, SkipReason, Verdict};
use crate::sql;
use crate::sql::tree::{self, Kind};
use crate::testcase::{Setting, TestCase};

/// Ticks, of 100 VM steps each, that one check may use per case.
const TICKS_PER_CHECK: u64 = 2_000;

/// What one check has said of a case so far.
#[derive(Debug, Clone, Default)]
pub(in crate::oracles) struct Ledger {
    /// The oracle.
    pub name: &'static str,
    /// The statements that it has judged.
    pub checks: u32,
    /// Those of them whose agreement says something.
    pub telling: u32,
    /// The first finding.
    pub finding: Option<Finding>,
    /// Why it said nothing, the last time.
    pub nothing: Option<&'static str>,
    /// Why it has not looked at the script, or at the rest of it: then it has not judged the case, but may have found
    /// something before.
    pub not_judged: Option<SkipReason>,
    pub(super) ticks_left: u64,
}

impl Ledger {
    pub(in crate::oracles) fn verdict(&self) -> Verdict {
        match (&self.finding, self.not_judged, self.checks) {
            (Some(finding), ..) => Verdict::Fail(finding.clone()),
            (None, Some(reason), _) => Verdict::Skip(reason),
            (None, None, 0) => {
                Verdict::Skip(SkipReason::Excused(self.nothing.unwrap_or("no statement of its kind")))
            }
            (None, None, _) => Verdict::Pass,
        }
    }
}

/// Runs the case with all these checks; a ledger for each.
pub(in crate::oracles) fn judge(checks: &[&Statementwise], ask: &mut Environment<'_>) -> Vec<Ledger> {
    let ledgers = checks.iter().map(|check| Ledger {
        name: check.name,
        ticks_left: TICKS_PER_CHECK,
        ..Ledger::default()
    });
    let mut ledgers: Vec<Ledger> = ledgers.collect();
    if let Some(reason) = ask.why_no_answers_ever() {
        ledgers.iter_mut().for_each(|ledger| ledger.not_judged = Some(reason));
        return ledgers;
    }
    let expected = &ask.observation().trace.statements.clone();
    let follower = |check: &&Statementwise| match check.check {
        Check::Runs(make) => Some(make(expected)),
        _ => None,
    };
    let program = Probing {
        checks,
        expected,
        blamed: ask.blamed_for_answers(),
        followers: RefCell::new(checks.iter().map(follower).collect()),
        ledgers: RefCell::new(ledgers),
        has_drifted: Cell::new(false),
    };
    let mut case = ask.case().clone();
    case.config.set(Setting::Utf16, 0);
    let ran = ask.run_other(&case, &program);
    let (has_drifted, blamed) = (program.has_drifted.get(), program.blamed);
    let mut ledgers = program.ledgers.into_inner();
    for (ledger, check) in ledgers.iter_mut().zip(checks) {
        if let Some((_, name)) = blamed.without(excused_by_query(check)).members().next() {
            ledger.not_judged = Some(SkipReason::Tainted(name));
        } else if ran.is_err() || ledger.ticks_left == 0 {
            ledger.not_judged = Some(SkipReason::BudgetUsedUp);
        } else if has_drifted {
            ledger.not_judged = Some(SkipReason::NotReproduced);
        }
    }
    ledgers
}

/// What does not keep a check from judging all that comes after: of a query, it says more what that reads.
fn excused_by_query(check: &Statementwise) -> Taint {
    if matches!(check.check, Check::Queries(_)) { Taint::SHADOW_TABLE } else { Taint::NONE }
}

/// The script of the case, with the checks between its statements.
struct Probing<'a> {
    checks: &'a [&'a Statementwise],
    expected: &'a [StatementTrace],
    /// What the script does that excuses answers; not those before.
    blamed: Taint,
    /// Those of the checks that have one.
    followers: RefCell<Vec<Option<Box<dyn Follower>>>>,
    ledgers: RefCell<Vec<Ledger>>,
    has_drifted: Cell<bool>,
}

impl Program for Probing<'_> {
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
        let text = case.sql.as_bytes();
        let mut expected = self.expected.iter().peekable();
        for range in sql::statements(text) {
            if execution.is_over() {
                break;
            }
            if !self.statement(&text[range.clone()], range, execution, &mut expected) {
                self.has_drifted.set(true);
                break;
            }
        }
    }
}

impl Probing<'_> {
    /// Runs one statement and the checks around it; false if it did something else than it did the first time.
    fn statement<'e>(
        &self,
        text: &[u8],
        at: Range<usize>,
        execution: &mut Execution<'_>,
        expected: &mut Peekable<impl Iterator<Item = &'e StatementTrace>>,
    ) -> bool {
        let tree = tree::parse(text.trim_ascii_end().strip_suffix(b";").unwrap_or(text));
        let words = String::from_utf8_lossy(text).trim().trim_end_matches(';').to_owned();
        let code = expected.peek().map_or(Code::OK, |first| first.code());
        let change = Change { text: &words, tree: tree.as_ref(), code };
        let is_query = tree.as_ref().is_some_and(|tree| tree.kind == Kind::Select);
        let writes = !is_query && !text.trim_ascii().is_empty();
        if writes {
            self.queries(query::within(&change), None, execution);
        }
        let pending =
            if writes && !self.is_tainted(execution) { self.before(&change, execution) } else { Vec::new() };
        let Some(trace) = self.session(execution, u64::MAX, |db| db.run(text, at)).0 else {
            // A comment, or what a run refuses because of a known bug; more than one ends what can be compared.
            return true;
        };
        let is_same = expected.next().is_some_and(|first| {
            (first.prepare, first.step, first.rows) == (trace.prepare, trace.step, trace.rows)
        });
        if !is_same {
            return false;
        }
        let is_tainted = self.is_tainted(execution);
        for (index, after) in pending.into_iter().filter(|_| !is_tainted) {
            let ticks = self.ledgers.borrow()[index].ticks_left;
            let (said, left) = self.session(execution, ticks, |db| after(&trace, db));
            self.note(index, said, left, &words);
        }
        if writes && !is_tainted {
            self.follow(&change, execution, &mut |follower, db| follower.after(&change, &trace, db));
        }
        if is_query && trace.code() == Code::DONE && tree.is_some() {
            self.queries(vec![words], Some(trace.values), execution);
        }
        true
    }

    /// Whether the script has done something that excuses answers.
    fn is_tainted(&self, execution: &Execution<'_>) -> bool {
        execution.taint().intersects(self.blamed)
    }

    fn session<'c, T>(
        &self,
        execution: &mut Execution<'c>,
        ticks: u64,
        action: impl FnOnce(&mut Session<'_, 'c>) -> T,
    ) -> (T, u64) {
        let mut session = Session::new(execution, ticks);
        let result = action(&mut session);
        let left = session.ticks_left();
        (result, left)
    }

    fn before<'q>(&self, change: &'q Change<'q>, execution: &mut Execution<'_>) -> Vec<(usize, After<'q>)> {
        self.follow(change, execution, &mut |follower, db| {
            follower.before(change, db);
            Said::Nothing("a statement of another kind")
        });
        let mut pending = Vec::new();
        for (index, check) in self.checks.iter().enumerate() {
            if let Check::Changes(check) = check.check {
                let ticks = self.ledgers.borrow()[index].ticks_left;
                let (after, left) = self.session(execution, ticks, |db| check(change, db));
                self.ledgers.borrow_mut()[index].ticks_left = left;
                match after {
                    Ok(after) => pending.push((index, after)),
                    Err(reason) => self.note(index, Said::Nothing(reason), left, change.text),
                }
            }
        }
        pending
    }

    /// Calls all followers at a statement.
    fn follow(
        &self,
        change: &Change<'_>,
        execution: &mut Execution<'_>,
        call: &mut dyn FnMut(&mut dyn Follower, &mut Session<'_, '_>) -> Said,
    ) {
        for (index, follower) in self.followers.borrow_mut().iter_mut().enumerate() {
            if let Some(follower) = follower {
                let ticks = self.ledgers.borrow()[index].ticks_left;
                let (said, left) = self.session(execution, ticks, |db| call(&mut **follower, db));
                self.note(index, said, left, change.text);
            }
        }
    }

    /// Checks queries; `rows` is what the only one of them has returned in the script, if it is of the script.
    fn queries(&self, texts: Vec<String>, rows: Option<Vec<Row>>, execution: &mut Execution<'_>) {
        let taint = execution.taint();
        let is_excused =
            |check: &Statementwise| taint.intersects(self.blamed.without(excused_by_query(check)));
        if self.checks.iter().all(|check| matches!(check.check, Check::Changes(_)) || is_excused(check)) {
            return;
        }
        for text in texts {
            let (query, _) =
                self.session(execution, TICKS_PER_CHECK, |db| Query::new(&text, rows.clone(), db));
            self.query(&text, &query, execution);
            // Which rows a limit takes may be open; which ones there are is not.
            if let Ok(Query { open: Some(Open::Limit), tree, .. }) = &query {
                let whole = open::without_limit(tree);
                if whole != *tree {
                    self.queries(vec![whole.print()], None, execution);
                }
            }
        }
    }

    /// Checks a query, if it can be judged.
    fn query(&self, text: &str, query: &Result<Query<'_>, &'static str>, execution: &mut Execution<'_>) {
        let taint = execution.taint();
        let reads_shadows = query.as_ref().is_ok_and(Query::opens_virtual_tables);
        for (index, check) in self.checks.iter().enumerate() {
            let excused = if reads_shadows { Taint::NONE } else { excused_by_query(check) };
            let ticks = self.ledgers.borrow()[index].ticks_left;
            if taint.intersects(self.blamed.without(excused)) {
                self.note(index, Said::Nothing("after what excuses wrong answers"), ticks, text);
                continue;
            }
            let follower = &mut self.followers.borrow_mut()[index];
            let (said, left) = match (query, check.check, follower) {
                (_, Check::Changes(_), _) => continue,
                (Err(reason), ..) => (Said::Nothing(reason), ticks),
                (Ok(_), ..) if ticks == 0 => (Said::Nothing("oracle's budget used up"), 0),
                (Ok(query), Check::Queries(check), _) => {
                    self.session(execution, ticks, |db| check(query, db))
                }
                (Ok(query), _, Some(follower)) => {
                    self.session(execution, ticks, |db| follower.query(query, db))
                }
                (Ok(_), Check::Runs(_), None) => continue,
            };
            self.note(index, said, left, text);
        }
    }

    fn note(&self, index: usize, said: Said, ticks_left: u64, text: &str) {
        let ledger = &mut self.ledgers.borrow_mut()[index];
        ledger.ticks_left = ticks_left;
        match said {
            Said::Agrees { is_telling } => {
                ledger.checks += 1;
                ledger.telling += u32::from(is_telling);
            }
            Said::Nothing(reason) => ledger.nothing = Some(reason),
            Said::Differs(kind, message) => {
                ledger.checks += 1;
                ledger.telling += 1;
                let verb = verb(text);
                ledger.finding.get_or_insert_with(|| Finding {
                    signature: Signature::new(ledger.name, &kind, verb),
                    message: format!("{message}, at `{text}`"),
                });
            }
        }
    }
}

fn verb(text: &str) -> &'static str {
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty());
    word.and_then(|word| sql::keyword(word.as_bytes())).unwrap_or("-")
}
