//! Callbacks of a connection: its budget and its authorizer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::Deref;
use std::rc::Rc;

use rusqlite::ffi;

use crate::engine::sqlite::policy::{self, Context, Request};
use crate::engine::{Limit, Taint};
use crate::faults::alloc;
use crate::faults::rules::Rules;
use crate::known;

/// VM steps between calls of the progress handler.
pub const STEPS_PER_TICK: u64 = 100;

/// This many authorizer requests of nested statements count as a tick.
const QUESTIONS_PER_TICK: u64 = 4;
/// Requests that an ATTACH within a statement counts for: it is a VACUUM.
const VACUUM_QUESTIONS: u64 = 64;

/// What the connections are doing, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Preparing a statement of the script.
    Prepare,
    /// Stepping: statements prepared meanwhile are SQLite's own.
    Step,
    /// Running statements of the executor: everything is allowed.
    Own,
}

/// What a statement uses, as SQLite tells its authorizer while it prepares it: also what views and triggers hide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Names of functions, in lower case.
    pub functions: BTreeSet<String>,
    /// Schema and name of the tables and views that are read.
    pub tables: BTreeSet<(String, String)>,
    /// Names of the views and triggers through which something is read.
    pub through: BTreeSet<String>,
}

/// State that callbacks read and write: that of connections that take no turns, and what all connections of a case share.
#[derive(Debug)]
pub struct Watch {
    /// What the connections are doing.
    pub phase: Cell<Phase>,
    /// The keyword with which the statement of the script begins.
    pub verb: Cell<&'static str>,
    /// Whether planned interrupts are armed.
    are_armed: Cell<bool>,
    /// Calls of the progress handler since the last tick, if it is called more often than that.
    calls: Cell<u64>,
    common: Rc<Common>,
}

impl Deref for Watch {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

/// What all connections of a case share.
#[derive(Debug)]
pub struct Common {
    /// What the script did that makes damage expected.
    pub taint: Cell<Taint>,
    /// True once a statement mentioned the trigram tokenizer.
    pub mentions_trigrams: Cell<bool>,
    /// Names of the virtual tables that the case brings or creates, lower case. One that is dropped stays: what was
    /// written to its shadow tables may have been damaged before.
    pub virtual_tables: RefCell<BTreeSet<Vec<u8>>>,
    /// See [`crate::engine::Observation::attached`].
    pub attached: RefCell<Vec<String>>,
    /// Whether requests that lead to a known bug are refused.
    pub avoids_known_bugs: Cell<bool>,
    /// Names of the known bugs that were avoided.
    pub avoided: RefCell<Vec<&'static str>>,
    /// Progress calls left.
    pub ticks_left: Cell<u64>,
    /// [`alloc::Counts::bytes`] at which the budget of bytes is used up.
    pub bytes_end: Cell<u64>,
    /// Authorizer requests of nested statements so far.
    nested_questions: Cell<u64>,
    /// The budget that was used up.
    pub exhausted: Cell<Option<Limit>>,
    /// What is used, if someone wants to know.
    pub uses: RefCell<Option<Uses>>,
    /// The interrupts that are planned, if any.
    interrupts: RefCell<Option<Rules<()>>>,
    /// How often a statement was interrupted because that was planned.
    pub interrupted: Cell<u64>,
    /// The call of the progress handler at which what runs is interrupted because an operation says so, counted down; 0 for
    /// none.
    interrupt_in: Cell<u16>,
    /// The request of the authorizer that is refused, or ignored, because an operation says so, counted down; 0 for none.
    refuse_in: Cell<u16>,
    ignores: Cell<bool>,
}

impl Watch {
    /// Without limits, for statements of the executor's own.
    pub fn new() -> Self {
        Self::of(Rc::new(Common {
            taint: Cell::new(Taint::NONE),
            mentions_trigrams: Cell::new(false),
            virtual_tables: RefCell::default(),
            attached: RefCell::default(),
            avoids_known_bugs: Cell::new(true),
            avoided: RefCell::default(),
            ticks_left: Cell::new(u64::MAX),
            bytes_end: Cell::new(u64::MAX),
            nested_questions: Cell::new(0),
            exhausted: Cell::new(None),
            uses: RefCell::default(),
            interrupts: RefCell::default(),
            interrupted: Cell::new(0),
            interrupt_in: Cell::new(0),
            refuse_in: Cell::new(0),
            ignores: Cell::new(false),
        }))
    }

    /// For connections that take turns with those of this one.
    pub fn beside(&self) -> Self {
        Self::of(Rc::clone(&self.common))
    }

    fn of(common: Rc<Common>) -> Self {
        Self {
            phase: Cell::new(Phase::Own),
            verb: Cell::new("-"),
            are_armed: Cell::new(false),
            calls: Cell::new(0),
            common,
        }
    }

    /// Sets the interrupts of the run. With some, SQLite asks whenever it can whether to stop, so this comes before
    /// connections are opened.
    pub fn set_interrupts(&self, rules: Option<Rules<()>>) {
        self.interrupts.replace(rules);
    }

    /// Arms or disarms the interrupts.
    pub fn arm(&self, are_armed: bool) {
        self.are_armed.set(are_armed);
    }

    /// VM steps between two calls of the progress handler.
    pub(super) fn steps_per_call(&self) -> u64 {
        if self.interrupts.borrow().is_some() { 1 } else { STEPS_PER_TICK }
    }

    /// Whether a planned interrupt is due.
    fn is_interrupted(&self) -> bool {
        if !self.are_armed.get() {
            return false;
        }
        let mut rules = self.interrupts.borrow_mut();
        let is_due = rules.as_mut().is_some_and(|rules| rules.first(|()| true).is_some());
        self.interrupted.set(self.interrupted.get() + u64::from(is_due));
        is_due
    }

    /// Interrupts what runs at this call of the progress handler from here on, counted from 1; 0 for never.
    pub fn interrupt_after(&self, calls: u16) {
        self.interrupt_in.set(calls);
    }

    /// Refuses this request of the authorizer from here on, counted from 1, or ignores it; 0 for none.
    pub fn refuse(&self, request: u16, ignores: bool) {
        self.refuse_in.set(request);
        self.ignores.set(ignores);
    }

    /// Counts down to the interrupt of an operation; true if it is due.
    fn counts_down_to_interrupt(&self) -> bool {
        let left = self.interrupt_in.get();
        if left == 0 || self.phase.get() == Phase::Own {
            return false;
        }
        self.interrupt_in.set(left - 1);
        left == 1
    }

    /// Counts down to the answer that an operation plans; `None` if it is not due. A statement that changes or defines
    /// something would do half of that if its requests were ignored, as would a virtual table.
    fn planned_answer(&self, request: &Request<'_>) -> Option<c_int> {
        let left = self.refuse_in.get();
        let is_ignorable = || {
            let is_schema = request.first.is_some_and(|table| table.starts_with(b"sqlite_"));
            request.action == ffi::SQLITE_READ
                && !is_schema
                && matches!(self.verb.get(), "SELECT" | "VALUES")
                && self.virtual_tables.borrow().is_empty()
        };
        if left == 0 || self.phase.get() != Phase::Prepare || self.ignores.get() && !is_ignorable() {
            return None;
        }
        self.refuse_in.set(left - 1);
        let answer = if self.ignores.get() { ffi::SQLITE_IGNORE } else { ffi::SQLITE_DENY };
        (left == 1).then_some(answer)
    }

    /// Whether a call of the progress handler is a tick.
    fn is_tick(&self) -> bool {
        let calls = self.calls.get() + self.steps_per_call();
        self.calls.set(calls % STEPS_PER_TICK);
        calls >= STEPS_PER_TICK
    }

    /// Lets `action` use so many ticks and bytes of its own; the budget stays as it was. Returns how many ticks it took.
    pub fn apart<T>(&self, ticks: u64, bytes: u64, action: impl FnOnce() -> T) -> (T, u64) {
        let before = (self.phase.get(), self.ticks_left.get(), self.bytes_end.get());
        let (questions, exhausted) = (self.nested_questions.get(), self.exhausted.get());
        let bytes_before = alloc::counts().bytes;
        self.set_budget(ticks.saturating_mul(STEPS_PER_TICK), bytes);
        let result = action();
        let used = ticks.saturating_sub(self.ticks_left.get());
        self.phase.set(before.0);
        self.ticks_left.set(before.1);
        self.bytes_end.set(before.2.saturating_add(alloc::counts().bytes - bytes_before));
        self.nested_questions.set(questions);
        self.exhausted.set(exhausted);
        (result, used)
    }

    /// Adds to what the script did.
    pub fn note(&self, taint: Taint) {
        self.taint.set(self.taint.get() | taint);
    }

    /// Notes that a file was attached, or opened as a database of its own.
    pub fn note_file(&self, name: &str) {
        self.note(Taint::ATTACHED_FILE);
        self.attached.borrow_mut().push(name.to_owned());
    }

    /// Notes that something was, or may have been, rolled back.
    pub fn note_rollback(&self) {
        if self.taint.get().contains(Taint::JOURNAL_OFF) {
            self.note(Taint::ROLLED_BACK);
        }
    }

    /// Allows `vm_steps` steps and `bytes` bytes of allocations from here on.
    pub fn set_budget(&self, vm_steps: u64, bytes: u64) {
        self.ticks_left.set(vm_steps / STEPS_PER_TICK);
        self.bytes_end.set(alloc::counts().bytes.saturating_add(bytes));
        self.nested_questions.set(0);
        self.exhausted.set(None);
    }

    /// Charges the budget for work of which SQLite counts no VM steps.
    pub fn charge_ticks(&self, ticks: u64) {
        let left = self.ticks_left.get();
        self.ticks_left.set(left.saturating_sub(ticks));
        if left < ticks || alloc::counts().bytes > self.bytes_end.get() {
            self.exhaust(if left < ticks { Limit::VmSteps } else { Limit::AllocBytes });
        }
    }

    /// The first budget that is used up is the one that counts.
    fn exhaust(&self, limit: Limit) {
        self.exhausted.set(self.exhausted.get().or(Some(limit)));
    }

    /// VACUUM and virtual tables prepare statements of their own while they run, which takes long and counts few VM
    /// steps. Their authorizer requests measure it.
    fn charge_nested_statement(&self, action: c_int) {
        let before = self.nested_questions.get();
        let asked = before + if action == ffi::SQLITE_ATTACH { VACUUM_QUESTIONS } else { 1 };
        self.nested_questions.set(asked);
        let ticks = asked / QUESTIONS_PER_TICK - before / QUESTIONS_PER_TICK;
        let left = self.ticks_left.get();
        self.ticks_left.set(left.saturating_sub(ticks));
        if left < ticks {
            self.exhaust(Limit::VmSteps);
        }
    }
}

/// The progress handler: stops the statement when a budget is used up.
pub(super) unsafe extern "C" fn on_progress(watch: *mut c_void) -> c_int {
    // SAFETY: registered with a pointer to the Watch that the connection keeps.
    let watch = unsafe { &*watch.cast::<Watch>() };
    if watch.is_interrupted() || watch.counts_down_to_interrupt() {
        return 1;
    }
    if !watch.is_tick() {
        return c_int::from(watch.exhausted.get().is_some());
    }
    let left = watch.ticks_left.get();
    watch.ticks_left.set(left.saturating_sub(1));
    if left == 0 {
        watch.exhaust(Limit::VmSteps);
    } else if alloc::counts().bytes > watch.bytes_end.get() {
        watch.exhaust(Limit::AllocBytes);
    }
    c_int::from(watch.exhausted.get().is_some())
}

/// The authorizer: asks the [`policy`].
pub(super) unsafe extern "C" fn on_authorize(
    watch: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    schema: *const c_char,
    through: *const c_char,
) -> c_int {
    // SAFETY: as in `on_progress`.
    let watch = unsafe { &*watch.cast::<Watch>() };
    if watch.phase.get() == Phase::Step {
        watch.charge_nested_statement(action);
    }
    if let Some(uses) = &mut *watch.uses.borrow_mut() {
        // SAFETY: as below.
        unsafe { note(uses, action, [first, second, schema, through]) };
    }
    let bytes = |text: *const c_char| {
        // SAFETY: SQLite passes null or C strings that outlive this call.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
    };
    let request = Request { action, first: bytes(first), second: bytes(second) };
    if let Some(answer) = watch.planned_answer(&request) {
        return answer;
    }
    if watch.phase.get() == Phase::Own || !policy::is_of_interest(action) {
        return ffi::SQLITE_OK;
    }
    if policy::shows_address(&request) {
        return ffi::SQLITE_IGNORE;
    }
    if watch.avoids_known_bugs.get()
        && watch.phase.get() == Phase::Prepare
        && let Some(bug) = known::by_request(
            action,
            request.first.unwrap_or_default(),
            request.second.unwrap_or_default(),
            &watch.virtual_tables.borrow(),
        )
    {
        watch.avoided.borrow_mut().push(bug.name);
        return ffi::SQLITE_DENY;
    }
    if action == ffi::SQLITE_CREATE_VTABLE {
        let name = request.first.unwrap_or_default().to_ascii_lowercase();
        watch.virtual_tables.borrow_mut().insert(name);
    }
    let (is_allowed, taint) = {
        let context = Context {
            is_script: watch.phase.get() == Phase::Prepare,
            verb: watch.verb.get(),
            taint: watch.taint.get(),
            virtual_tables: &watch.virtual_tables.borrow(),
        };
        policy::judge(&request, &context)
    };
    match taint {
        Taint::ATTACHED_FILE => watch.note_file(&String::from_utf8_lossy(request.first.unwrap_or_default())),
        taint => watch.note(taint),
    }
    if is_allowed { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

/// Notes what a request tells of a statement.
///
/// # Safety
/// The arguments are null or C strings.
unsafe fn note(uses: &mut Uses, action: c_int, arguments: [*const c_char; 4]) {
    let [first, second, schema, through] = arguments.map(|text| {
        // SAFETY: given.
        let bytes = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes());
        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
    });
    match action {
        ffi::SQLITE_FUNCTION => {
            uses.functions.insert(second.to_ascii_lowercase());
        }
        ffi::SQLITE_READ => {
            uses.tables.insert((schema, first));
        }
        _ => {}
    }
    if !through.is_empty() {
        uses.through.insert(through);
    }
}
