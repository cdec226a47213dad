//! What an oracle may ask for beyond the run that it judges: variants of the case, and statements in the state that the
//! script reached.
//!
//! All of it runs as the case itself does: on the same machine, under the same policy, avoiding the same known bugs,
//! within the same limits. It is counted, and each oracle has a budget of its own, so that one oracle's requests change
//! no other's verdict; nothing depends on time, so a case gets the same verdict everywhere.

use std::rc::Rc;

use super::answers::{self, Ledger, Statementwise};
use super::excuse::{self, Symptom};
use super::{SkipReason, Verdict, variants};
use crate::dbfile::damage::Assessment;
use crate::engine::plant::Plant;
use crate::engine::sqlite::{Budget, DiskTimes, Disturbed, Execution, Executor, Program, Recovered};
use crate::engine::timing::timed;
use crate::engine::{Asked, Observation, StatementTrace, Taint};
use crate::faults::crash::Files;
use crate::faults::disk::log::Log;
use crate::testcase::{FaultPlan, MAIN_DB, OpenConfig, Setting, TestCase};

/// Runs that one oracle may ask for per case.
const RUNS_MAX: u32 = 32;
/// Their total virtual-machine steps, in multiples of the case's budget.
const STEPS_MAX_BUDGETS: u64 = 8;

/// What an oracle asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Runs.
    pub runs: u32,
    /// Their virtual-machine steps.
    pub vm_steps: u64,
    /// Runs that were refused because its budget was used up.
    pub refused: u32,
    /// Checks that it made, by its own count ([`Environment::count_check`]).
    pub checks: u32,
    /// Those that could have failed for a reason: not trivial.
    pub nontrivial: u32,
    /// CPU time for the disks that a power loss left.
    pub disks: DiskTimes,
}

/// Runs what an oracle asks for.
pub struct Environment<'a> {
    executor: &'a mut Executor,
    case: &'a TestCase,
    program: &'a dyn Program,
    budget: &'a Budget,
    observation: &'a Observation,
    is_healthy_at_start: Option<bool>,
    spent: Spent,
    /// The oracles that judge single statements: they share one run.
    pub(super) statementwise: Vec<&'static Statementwise>,
    answers: Option<Vec<Ledger>>,
    with_rows: Option<Rc<Observation>>,
}

impl<'a> Environment<'a> {
    /// For a run of `program` on `case` within `budget` that resulted in `observation`.
    pub(super) fn new(
        executor: &'a mut Executor,
        case: &'a TestCase,
        program: &'a dyn Program,
        budget: &'a Budget,
        observation: &'a Observation,
    ) -> Self {
        let (is_healthy_at_start, spent) = (None, Spent::default());
        let (statementwise, answers, with_rows) = (Vec::new(), None, None);
        Self {
            executor,
            case,
            program,
            budget,
            observation,
            is_healthy_at_start,
            spent,
            statementwise,
            answers,
            with_rows,
        }
    }

    /// What was asked for since the last call.
    pub(super) fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// Counts a check. It is trivial if it compared nothing that a bug could have changed: two empty results, a table
    /// without rows. An oracle whose checks are nearly all trivial passes without having looked at anything.
    pub fn count_check(&mut self, is_trivial: bool) {
        self.spent.checks += 1;
        self.spent.nontrivial += u32::from(!is_trivial);
    }

    /// Whether the database was sound before the first statement, according to both our own check and SQLite's.
    /// Determined once, for the first oracle that asks.
    pub fn is_healthy_at_start(&mut self) -> bool {
        // SQLite itself makes what is there before the first statement.
        if self.case.files.is_empty() {
            return true;
        }
        *self.is_healthy_at_start.get_or_insert_with(|| {
            // SQLite is asked only if our own check finds the database sound.
            self.spent.runs += u32::from(self.observation.start == Some(Assessment::Sound));
            self.executor.is_healthy_at_start(self.case, self.budget, self.observation)
        })
    }

    /// The same for the database in the file `name`: one that was not there, or is in memory, was sound.
    pub fn is_healthy_at_start_in(&mut self, name: &str) -> bool {
        if name == MAIN_DB {
            return self.is_healthy_at_start();
        }
        if self.case.files.database(name).iter().all(Option::is_none) {
            return true;
        }
        self.spent.runs += 1;
        self.executor.is_healthy_file(self.case, name, self.budget)
    }

    /// Whether all files that were attached, or opened beside the main database, were sound at the start.
    pub fn are_others_healthy_at_start(&mut self) -> bool {
        let observation = self.observation;
        observation.attached.iter().all(|name| self.is_healthy_at_start_in(name))
    }

    /// Whether the content of a damaged file may be in another one, disorder included: VACUUM INTO writes rows in the
    /// order in which it finds them, and operations such as a backup copy pages.
    pub fn may_have_copied_damage(&mut self) -> bool {
        let mut statements = self.observation.trace.statements.iter();
        let copies =
            !self.case.operations.is_empty() || statements.any(|statement| statement.verb == "VACUUM");
        copies && !(self.is_healthy_at_start() && self.are_others_healthy_at_start())
    }

    /// The function that allocated what the case leaks; `None` if that cannot be determined.
    pub fn leak_site(&mut self) -> Option<String> {
        self.spent.runs += 1;
        self.executor.leak_site(self.case, self.program, self.budget)
    }

    /// Runs a variant of the case.
    ///
    /// # Errors
    /// [`SkipReason::BudgetUsedUp`].
    pub fn run(&mut self, variant: &TestCase, asked: Asked) -> Result<Observation, SkipReason> {
        self.run_program(variant, self.program, asked)
    }

    /// The run of the case with all rows, and what it leaves. It runs once, and counts for each oracle that asks.
    ///
    /// # Errors
    /// [`SkipReason::BudgetUsedUp`].
    pub(super) fn with_rows(&mut self) -> Result<Rc<Observation>, SkipReason> {
        let run = match self.with_rows.take() {
            None => Rc::new(self.run(self.case, variants::ASKED)?),
            Some(run) => {
                self.spent.runs += 1;
                self.spent.vm_steps += run.trace.vm_steps();
                run
            }
        };
        self.with_rows = Some(Rc::clone(&run));
        Ok(run)
    }

    /// Whether an oracle may try more than a few variants: all that it has asked for so far has cost less than two cases
    /// may cost, and time is not better spent on other cases.
    pub(super) fn is_cheap_so_far(&self) -> bool {
        let may_have_more = !self.budget.has_few_variants || self.case.config.get(Setting::Oracle) != 0;
        may_have_more && self.spent.vm_steps < self.budget.vm_steps.saturating_mul(2)
    }

    /// Runs the case again, with other bytes in memory that SQLite has not written yet.
    ///
    /// # Errors
    /// [`SkipReason::BudgetUsedUp`].
    pub fn run_with_other_fresh_memory(&mut self) -> Result<Observation, SkipReason> {
        let (case, program) = (self.case, self.program);
        self.spend(|executor, budget| executor.run_with_other_fresh_memory(case, program, budget))
    }

    /// Runs the case again and then `statements` on the same connection, one after the other; returns what each of them
    /// did, with its rows.
    ///
    /// # Errors
    /// If the case or a statement was cut short, the case behaved differently the second time, or the budget of the
    /// oracle is used up.
    pub fn after(&mut self, statements: &[String]) -> Result<Vec<StatementTrace>, SkipReason> {
        let before = self.observation.trace.statements.len();
        let observation = self.then(statements, Asked::default())?;
        Ok(observation.trace.statements.into_iter().skip(before).collect())
    }

    /// The same, but returns all of the run.
    ///
    /// # Errors
    /// The same.
    pub(super) fn then(&mut self, statements: &[String], asked: Asked) -> Result<Observation, SkipReason> {
        if self.observation.ended_early() {
            return Err(SkipReason::CheckCutShort);
        }
        let then = Then { program: self.program, statements };
        let observation = self.run_program(self.case, &then, asked)?;
        let before = &self.observation.trace.statements;
        if observation.ended_early() {
            return Err(SkipReason::CheckCutShort);
        }
        if !observation.trace.statements.starts_with(before) {
            return Err(SkipReason::NotReproduced);
        }
        Ok(observation)
    }

    /// What a run of a variant of the case did to the disk.
    pub(super) fn disk_log_of(&mut self, variant: &TestCase) -> Result<Rc<Log>, SkipReason> {
        let asked = Asked { has_log: true, ..Asked::NOTHING };
        let run = self.run_program(variant, self.program, asked)?;
        let is_same = run.trace.statements == self.observation.trace.statements;
        run.disk_log.filter(|_| is_same).ok_or(SkipReason::NotReproduced)
    }

    /// A run of the case without its faults, with what the connection saw after each statement.
    ///
    /// # Errors
    /// If it was cut short, or the case sets limits: they may keep SQLite from reading all there is to see, and they cannot
    /// be lifted for that, since SQLite would then read schemas that the case cannot.
    pub(super) fn reference(&mut self) -> Result<Rc<Observation>, SkipReason> {
        if self.observation.taint.contains(Taint::LIMITS) {
            return Err(SkipReason::Tainted("limits"));
        }
        self.spent.runs += 1;
        let reference = self.executor.reference(self.case, self.program, self.budget);
        if reference.ended_early() { Err(SkipReason::CheckCutShort) } else { Ok(reference) }
    }

    /// What SQLite makes of a disk. The device must be the one on which it was written: SQLite does not find a journal that
    /// is shorter than a sector.
    pub(super) fn recover(&mut self, config: &OpenConfig, files: &Files) -> Vec<Recovered> {
        let (recovered, times) = self.executor.recover(config, files);
        self.spent.disks.add(times);
        recovered
    }

    /// Makes a disk, and measures its time.
    pub(super) fn time_image<T>(&mut self, make: impl FnOnce() -> T) -> T {
        let (made, image_ns) = timed(make);
        self.spent.disks.add(DiskTimes { image_ns, ..DiskTimes::default() });
        made
    }

    /// The same with faults, and what it leaves.
    pub(super) fn disturb_recovery(
        &mut self,
        config: &OpenConfig,
        files: &Files,
        plan: &FaultPlan,
    ) -> Disturbed {
        self.executor.disturb_recovery(config, files, plan)
    }

    /// Whether promises are those of the best settings, to see that a check fails: [`crate::engine::plant::Plant`].
    pub(super) fn trusts_settings(&self) -> bool {
        self.executor.is_planted(Plant::TrustedSettings)
    }

    /// Whether known bugs are met: [`crate::known`].
    pub(super) fn meets_known_bugs(&self) -> bool {
        self.executor.meets_known_bugs()
    }

    /// See [`Budget::has_few_variants`].
    pub(super) fn has_few_variants(&self) -> bool {
        self.budget.has_few_variants
    }

    /// What the oracle `name`, which judges single statements, says of the case.
    pub(super) fn of_statements(&mut self, name: &str) -> Verdict {
        if self.answers.is_none() {
            let checks = self.statementwise.clone();
            self.answers = Some(answers::judge(&checks, self));
        }
        let ledgers = self.answers.as_deref().unwrap_or_default();
        let Some(ledger) = ledgers.iter().find(|ledger| ledger.name == name) else {
            return Verdict::Skip(SkipReason::BudgetUsedUp);
        };
        self.spent.checks += ledger.checks;
        self.spent.nontrivial += ledger.telling;
        ledger.verdict()
    }

    /// The case.
    pub(super) fn case(&self) -> &'a TestCase {
        self.case
    }

    /// The run that is judged.
    pub(super) fn observation(&self) -> &'a Observation {
        self.observation
    }

    /// Why answers of this case say nothing, if so.
    pub(super) fn why_no_answers(&mut self) -> Option<SkipReason> {
        self.why_no_answers_ever().or_else(|| {
            let (_, name) = self.blamed_for_answers().members().next()?;
            Some(SkipReason::Tainted(name))
        })
    }

    /// What the script does that excuses answers from then on.
    pub(super) fn blamed_for_answers(&self) -> Taint {
        excuse::blamed(Symptom::Answer, self.case, self.observation)
    }

    /// Why no answer of this case says anything, not even one before anything that [`Environment::blamed_for_answers`]
    /// holds.
    pub(super) fn why_no_answers_ever(&mut self) -> Option<SkipReason> {
        if !self.case.operations.is_empty() {
            return Some(SkipReason::Excused("several connections"));
        }
        if self.program.script(self.case).is_some() {
            return Some(SkipReason::Excused("a target without a script"));
        }
        let are_healthy = self.is_healthy_at_start() && self.are_others_healthy_at_start();
        (!are_healthy).then_some(SkipReason::DamagedAtStart)
    }

    /// Runs another program on a variant of the case.
    ///
    /// # Errors
    /// [`SkipReason::BudgetUsedUp`].
    pub(super) fn run_other(
        &mut self,
        case: &TestCase,
        program: &dyn Program,
    ) -> Result<Observation, SkipReason> {
        self.run_program(case, program, Asked::default())
    }

    fn run_program(
        &mut self,
        case: &TestCase,
        program: &dyn Program,
        asked: Asked,
    ) -> Result<Observation, SkipReason> {
        self.spend(|executor, budget| executor.run_asking(case, program, budget, asked))
    }

    fn spend(
        &mut self,
        run: impl FnOnce(&mut Executor, &Budget) -> Observation,
    ) -> Result<Observation, SkipReason> {
        let steps_max = self.budget.vm_steps.saturating_mul(STEPS_MAX_BUDGETS);
        if self.spent.runs >= RUNS_MAX || self.spent.vm_steps >= steps_max {
            self.spent.refused += 1;
            return Err(SkipReason::BudgetUsedUp);
        }
        let observation = run(self.executor, self.budget);
        self.spent.runs += 1;
        self.spent.vm_steps += observation.trace.vm_steps();
        Ok(observation)
    }
}

/// A program followed by some statements, whose rows are kept.
struct Then<'a> {
    program: &'a dyn Program,
    statements: &'a [String],
}

impl Program for Then<'_> {
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
        self.program.run(case, execution);
        execution.keep_values();
        for statement in self.statements {
            execution.run(statement.as_bytes(), 0..0);
        }
    }
}
