//! Arms the faults of a case, and only while SQLite does what the case asks for.

use super::execution::Execution;
use super::executor::Executor;
use super::ffi::Watch;
use super::view;
use crate::engine::{Taint, View};
use crate::faults::alloc;
use crate::faults::rules::{self, Hit, Hits};
use crate::testcase::{Fault, FaultPlan, FileRole, JOURNAL, MAIN_DB, Phase, WAL};

/// Whether this build injects all faults of a plan.
pub fn can_inject(plan: &FaultPlan) -> bool {
    !alloc::is_sqlites_own() || plan.is_empty() || rules::is_without_allocations(plan)
}

impl Executor {
    /// Sets the faults of a phase, disarmed.
    pub(super) fn set_faults(&self, plan: &FaultPlan, phase: Phase, watch: &Watch) {
        if !plan.is_empty() {
            self.vfs.machine().set_faults(rules::io(plan, phase));
            alloc::set_faults(rules::allocations(plan, phase));
            watch.set_interrupts(rules::interrupts(plan, phase));
        }
    }

    /// Forgets all faults.
    pub(super) fn clear_faults(&self, plan: &FaultPlan) {
        if !plan.is_empty() {
            self.vfs.machine().set_faults(None);
            alloc::set_faults(None);
        }
    }

    /// Does `action` with the faults armed.
    pub(super) fn armed<T>(&self, watch: &Watch, action: impl FnOnce() -> T) -> T {
        self.arm(watch, true);
        let result = action();
        self.arm(watch, false);
        result
    }

    fn arm(&self, watch: &Watch, is_armed: bool) {
        self.vfs.machine().arm(is_armed);
        watch.arm(is_armed);
        alloc::arm(is_armed);
    }
}

impl Execution<'_> {
    /// Does something that the case asks for: with its faults armed, if it plans any, and where connections take turns.
    pub(super) fn exposed<T>(&self, action: impl FnOnce() -> T) -> T {
        let was_heard = self.executor.vfs.hear(true);
        let result = if self.has_faults { self.executor.armed(self.watch(), action) } else { action() };
        self.executor.vfs.hear(was_heard);
        result
    }

    /// How much has failed by now because it was planned.
    pub(super) fn hit_count(&self) -> u64 {
        if !self.has_faults {
            return 0;
        }
        let of_machine: u64 = self.executor.vfs.machine().hits.values().sum();
        of_machine + (alloc::counts().failed - self.failed_before) + self.watch().interrupted.get()
    }

    /// What has failed by now because it was planned.
    pub(super) fn hits(&self) -> Hits {
        let mut machine = self.executor.vfs.machine();
        if machine.has_lied {
            self.watch().note(Taint::LYING_DISK);
        }
        let mut hits = std::mem::take(&mut machine.hits);
        // The first failure is what made SQLite roll back, and the next disturbed that: the journal is lost with the memory.
        let io: u64 = hits.iter().filter(|(hit, _)| matches!(hit, Hit::Io(..))).map(|(_, count)| count).sum();
        if io > 1 && self.watch().taint.get().contains(Taint::MEMORY_JOURNAL) {
            self.watch().note(Taint::ROLLED_BACK);
        }
        let others = [
            (Hit::Allocation, alloc::counts().failed - self.failed_before),
            (Hit::Interrupt, self.watch().interrupted.get()),
        ];
        hits.extend(others.into_iter().filter(|&(_, count)| count > 0));
        hits
    }

    /// Flips the bits that flip before the next statement.
    pub(super) fn flip_bits(&mut self) {
        let next = self.statement_count() as u32 + 1;
        if !self.has_faults || std::mem::replace(&mut self.flipped, next) == next {
            return;
        }
        for fault in self.case.faults.faults() {
            let &Fault::BitFlip { statement, role, bit } = fault else {
                continue;
            };
            let name = match role {
                FileRole::Database => MAIN_DB,
                FileRole::Journal => JOURNAL,
                FileRole::Wal => WAL,
                _ => continue,
            };
            if statement == next {
                self.executor.vfs.machine().flip_bit(name.as_bytes(), bit);
            }
        }
    }

    /// Notes what the connection sees, and how much was done to the disk, where that was asked for.
    pub(super) fn note_view(&mut self) {
        if self.asked.has_log
            && let Some(log) = self.executor.vfs.machine().disk.log()
        {
            log.mark();
        }
        if self.asked.has_views {
            self.views.extend(self.view());
        }
    }

    /// Notes what the connection sees after a statement that failed and met a fault.
    pub(super) fn note_failure(&mut self, hits_before: u64) {
        if self.has_faults && self.after_fault.is_none() && self.hit_count() > hits_before {
            self.connection.as_ref().inspect(|connection| view::settle(connection)).ok();
            self.after_fault = self.view();
        }
    }

    fn view(&self) -> Option<View> {
        let connection = self.connection.as_ref().ok()?;
        Some(view::view(connection, self.statement_count()))
    }
}
