//! Hooks, functions and collations, and what interrupts or refuses.

use std::rc::Rc;

use super::{State, index};
use crate::engine::Taint;
use crate::known;
use crate::testcase::{Behaviour, Failure, FunctionKind, Hook, Operation, Question};

/// Longest busy timeout, in milliseconds; that of [`crate::engine::sqlite::policy`].
const BUSY_TIMEOUT_MS_MAX: i8 = 100;

impl State<'_> {
    pub(super) fn set_hook(&mut self, connection: u8, hook: Hook) -> Option<()> {
        // A session has the hook for itself.
        if hook == Hook::Preupdate && self.sessions[index(connection)].is_some() {
            return None;
        }
        self.on(connection)?;
        self.execution.call("HOOK", true, |connection| (connection.set_hook(hook), Vec::new()));
        Some(())
    }

    /// Operations that decide when SQLite gives up.
    pub(super) fn giving_up(&mut self, operation: &Operation) -> Option<()> {
        let none = Vec::new();
        match operation {
            Operation::BusyHandler { connection, calls } => {
                self.on(*connection)?;
                self.execution.call("BUSY", true, |connection| (connection.set_busy_handler(*calls), none));
            }
            Operation::BusyTimeout { connection, milliseconds } => {
                self.on(*connection)?;
                let milliseconds = i32::from((*milliseconds).min(BUSY_TIMEOUT_MS_MAX));
                self.execution
                    .call("BUSY", true, |connection| (connection.set_busy_timeout(milliseconds), none));
            }
            Operation::Interrupt { connection } => {
                self.on(*connection)?;
                self.execution.connection().interrupt();
            }
            Operation::InterruptAfter { connection, calls } => {
                self.on(*connection)?;
                self.execution.watch().interrupt_after(*calls);
            }
            Operation::Authorize { connection, request, ignores } => {
                self.on(*connection)?;
                self.execution.watch().refuse(*request, *ignores);
            }
            _ => {}
        }
        Some(())
    }

    /// Operations that register what SQL calls.
    pub(super) fn register(&mut self, operation: &Operation) -> Option<()> {
        match operation {
            Operation::CreateFunction { connection, kind, arguments, flags, behaviour } => {
                self.on(*connection)?;
                self.note_function(*kind, behaviour);
                self.execution.call("FUNCTION", true, |connection| {
                    (connection.create_function(*kind, *arguments, *flags, behaviour), Vec::new())
                });
            }
            Operation::CreateCollation { connection, collation, is_removed } => {
                self.on(*connection)?;
                self.execution.call("COLLATION", true, |connection| {
                    (connection.create_collation(*collation, *is_removed), Vec::new())
                });
            }
            Operation::CollationNeeded { connection, is_utf16, answers } => {
                self.on(*connection)?;
                self.execution.call("COLLATION", true, |connection| {
                    (connection.answer_collations(*is_utf16, *answers), Vec::new())
                });
            }
            _ => {}
        }
        Some(())
    }

    /// What a function may be blamed for.
    fn note_function(&self, kind: FunctionKind, behaviour: &Behaviour) {
        let watch = Rc::clone(self.execution.watch());
        match behaviour {
            // What it says of memory is not true.
            Behaviour::Fails { failure: Failure::NoMemory, .. } => watch.note(Taint::HEAP_LIMIT),
            // A constraint that calls it sees NULL, where the plain function returns something.
            Behaviour::Pointer if kind == FunctionKind::Scalar => watch.note(Taint::UNCHECKED_ROWS),
            _ => {}
        }
    }

    pub(super) fn ask(&mut self, connection: u8, question: &Question) -> Option<()> {
        self.on(connection)?;
        let watch = self.execution.watch();
        let meets_bug = |table: &str| {
            let table = table.to_ascii_lowercase();
            watch.avoids_known_bugs.get() && watch.virtual_tables.borrow().contains(table.as_bytes())
        };
        let without = match question {
            Question::Column { schema, table, column: Some(_) } if meets_bug(table) => {
                watch.avoided.borrow_mut().push(known::VIRTUAL_COLUMN);
                Some(Question::Column { schema: schema.clone(), table: table.clone(), column: None })
            }
            _ => None,
        };
        let question = without.as_ref().unwrap_or(question);
        self.execution.call("ASK", true, |connection| connection.ask(question));
        Some(())
    }

    pub(super) fn execute(
        &mut self,
        connection: u8,
        is_table: bool,
        at: std::ops::Range<usize>,
    ) -> Option<()> {
        self.on(connection)?;
        let text = self.execution.case.sql.as_bytes();
        self.execution.run_by(&text[at.clone()], at, |connection, text| connection.execute(text, is_table));
        Some(())
    }
}
