//! Makes a case smaller without losing its bug.
//!
//! # Strategy
//! It reduces what a person reads: statements, clauses, expressions, names; tables, rows, pages; frames of a log;
//! settings; operations; faults. Each [pass](passes) lists places that can be removed. Where several can go at once,
//! they are cut in ever smaller pieces ([`crate::cuts`]); other places are tried one by one. The passes take turns
//! until none of them finds anything more. If a case has a database, the first attempt is to replace it with its content
//! as SQL. A fault that is the nth of a row is each in turn meanwhile, and one again at the end.
//!
//! # Invariants
//! * A candidate replaces the case only if the [`Judge`] says that it shows the same bug. This module
//!   knows no oracle and runs nothing.
//! * No candidate is judged twice, so minimization terminates; and its result is always the same, however many
//!   candidates are judged at once.

pub mod passes;

use std::collections::HashSet;

use crate::cuts::{self, Cuttable, Step};
use crate::testcase::{CaseId, TestCase};
use passes::{PASSES, Pass};

/// A part of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The script.
    Sql,
    /// Database, WAL, journal.
    Db,
    /// Operations.
    Operations,
    /// The fault plan and the schedule.
    Faults,
    /// How the connection is opened.
    Settings,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 5] = [Self::Sql, Self::Db, Self::Operations, Self::Faults, Self::Settings];
}

/// A [`Judge`]'s answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The candidate at this index is the first that shows the bug.
    Kept(usize),
    /// No candidate shows it.
    Lost,
    /// Minimization should stop.
    Stop,
}

/// Decides whether a case still shows the bug.
pub trait Judge {
    /// Why judging can fail.
    type Error;

    /// The first of these candidates that shows the bug, or none.
    ///
    /// # Errors
    /// If candidates cannot be run.
    fn first(&mut self, candidates: &[TestCase]) -> Result<Answer, Self::Error>;

    /// Number of candidates it judges at once, at least 1.
    fn width(&self) -> usize;

    /// Called with each smaller case and the pass that found it.
    ///
    /// # Errors
    /// If the case cannot be saved.
    fn note(&mut self, case: &TestCase, pass: &'static str) -> Result<(), Self::Error>;
}

/// Why minimization ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// No pass finds anything more.
    Minimal,
    /// The attempts are used up.
    Attempts,
    /// The judge asked to stop.
    Stopped,
}

/// The result of minimizing a case.
#[derive(Debug, Clone)]
pub struct Minimized {
    /// The smallest case found.
    pub case: TestCase,
    /// Number of candidates judged.
    pub attempts: u64,
    /// Number of those that replaced the case.
    pub accepted: u64,
    /// Why minimization ended.
    pub end: End,
}

/// Maximum number of rounds of all passes; far more than any case needs.
const ROUNDS_MAX: u32 = 40;

/// Makes these parts of `case`, which shows the bug, smaller, judging at most this many candidates.
///
/// # Errors
/// The judge's errors.
pub fn minimize<J: Judge>(
    case: TestCase,
    parts: &[Part],
    attempts_max: u64,
    judge: &mut J,
) -> Result<Minimized, J::Error> {
    let seen = HashSet::from([case.id()]);
    let mut run = Run { case, seen, judge, attempts: 0, accepted: 0, attempts_max };
    let passes: Vec<_> = PASSES.iter().filter(|pass| parts.contains(&pass.part())).collect();
    if parts.contains(&Part::Faults) {
        run.pass(passes::FAULTS)?;
    }
    run.each_in_turn()?;
    let mut end = End::Minimal;
    'rounds: for _ in 0..ROUNDS_MAX {
        let accepted = run.accepted;
        for pass in &passes {
            if let Some(early) = run.pass(**pass)? {
                end = early;
                break 'rounds;
            }
        }
        if run.accepted == accepted {
            break;
        }
    }
    run.at_its_turn()?;
    let Run { case, attempts, accepted, .. } = run;
    Ok(Minimized { case, attempts, accepted, end })
}

/// How often a case runs at most to find the turn of its fault.
const TURNS_MAX: u32 = 5_000;

struct Run<'j, J> {
    case: TestCase,
    seen: HashSet<CaseId>,
    judge: &'j mut J,
    attempts: u64,
    accepted: u64,
    attempts_max: u64,
}

impl<J: Judge> Run<'_, J> {
    /// Cuts with one pass, from all of its places at once down to one at a time; returns why minimization must end, if so.
    fn pass(&mut self, pass: &dyn Pass) -> Result<Option<End>, J::Error> {
        match cuts::cut(&mut Passing { run: self, pass }, pass.is_divisible()) {
            Ok(()) => Ok(None),
            Err(Stop::End(end)) => Ok(Some(end)),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    /// What fails is no longer the same one of a row once a statement is gone: from now on it is each in turn, if that shows
    /// the bug.
    fn each_in_turn(&mut self) -> Result<(), J::Error> {
        let plan = self.case.faults.each_in_turn();
        let each = plan.map(|faults| TestCase { faults, ..self.case.clone() });
        self.first_of(each.into_iter())
    }

    /// And in the end it is one again: the first that shows the bug. If none does, the case stays as it is, and shows it.
    fn at_its_turn(&mut self) -> Result<(), J::Error> {
        let case = self.case.clone();
        let turns = (1..=TURNS_MAX)
            .map_while(|turn| Some(TestCase { faults: case.faults.at_turn(turn)?, ..case.clone() }));
        self.first_of(turns)
    }

    /// Replaces the case by the first of these that shows the bug.
    fn first_of(&mut self, candidates: impl Iterator<Item = TestCase>) -> Result<(), J::Error> {
        let mut candidates = candidates.peekable();
        while candidates.peek().is_some() {
            let cases: Vec<TestCase> = candidates.by_ref().take(self.judge.width()).collect();
            match self.judge(&cases)? {
                Answer::Kept(at) => {
                    self.case = cases.into_iter().nth(at).expect("the judge got so many");
                    self.accepted += 1;
                    return self.judge.note(&self.case, "faults");
                }
                Answer::Lost => {}
                Answer::Stop => return Ok(()),
            }
        }
        Ok(())
    }

    /// Candidates for the judge from place `start` on, and the place after them.
    fn candidates(
        &mut self,
        pass: &dyn Pass,
        start: usize,
        size: usize,
        count: usize,
    ) -> (Vec<(usize, TestCase)>, usize) {
        let mut candidates = Vec::new();
        let mut at = start;
        while at < count && candidates.len() < self.judge.width() {
            let end = (at + size).min(count);
            let new = pass.without(&self.case, at..end).map(|case| self.with_switches(case));
            let new = new.filter(|case| self.seen.insert(case.id()));
            candidates.extend(new.map(|case| (at, case)));
            at = end;
        }
        (candidates, at)
    }

    /// The candidate with its switches in the operations that they are in now, if its pass has left them where they were.
    fn with_switches(&self, mut candidate: TestCase) -> TestCase {
        if candidate.schedule == self.case.schedule {
            let (before, after) = (&self.case.operations, candidate.operations.clone());
            candidate.schedule.follow(before.list(), after.list());
        }
        candidate
    }

    fn judge(&mut self, cases: &[TestCase]) -> Result<Answer, J::Error> {
        if cases.is_empty() {
            return Ok(Answer::Lost);
        }
        let answer = self.judge.first(cases)?;
        // Those after it were judged for nothing, or not at all: count only the deciding ones, whatever the width.
        self.attempts += match answer {
            Answer::Kept(at) => at as u64 + 1,
            Answer::Lost | Answer::Stop => cases.len() as u64,
        };
        if let Answer::Kept(at) = answer {
            cases[at + 1..].iter().for_each(|case| _ = self.seen.remove(&case.id()));
        }
        Ok(answer)
    }
}

/// A case and the pass whose turn it is.
struct Passing<'r, 'j, J> {
    run: &'r mut Run<'j, J>,
    pass: &'r dyn Pass,
}

/// Why a pass ends early.
enum Stop<E> {
    End(End),
    Error(E),
}

impl<J: Judge> Cuttable for Passing<'_, '_, J> {
    type Stop = Stop<J::Error>;

    fn count(&self) -> usize {
        self.pass.count(&self.run.case)
    }

    fn step(&mut self, start: usize, size: usize) -> Result<Step, Self::Stop> {
        let run = &mut *self.run;
        let (candidates, next) = run.candidates(self.pass, start, size, self.pass.count(&run.case));
        let cases: Vec<TestCase> = candidates.iter().map(|(_, case)| case.clone()).collect();
        let step = match run.judge(&cases).map_err(Stop::Error)? {
            Answer::Kept(at) => {
                let (place, case) = candidates.into_iter().nth(at).expect("the judge got so many");
                run.accepted += 1;
                run.case = case;
                run.judge.note(&run.case, self.pass.name()).map_err(Stop::Error)?;
                Step::Cut(place)
            }
            Answer::Lost => Step::Passed(next),
            Answer::Stop => return Err(Stop::End(End::Stopped)),
        };
        if run.attempts >= run.attempts_max { Err(Stop::End(End::Attempts)) } else { Ok(step) }
    }
}

#[cfg(test)]
mod tests;
