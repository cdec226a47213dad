//! Stackful coroutines: a connection can stop in the middle of a call of SQLite and go on later, on the same thread.
//!
//! They are threads of which one runs at a time, without what threads cost: a switch takes less than 100 ns, thread-local
//! state (counters of the allocator, the error log) is that of the run, and nothing has to be `Send`. With AddressSanitizer
//! the crate tells it of each switch: `.cargo/rustc` switches that on.
//!
//! # Invariants
//! * A fiber that has begun is resumed until it is done: [`Fiber::into_stack`] panics otherwise, and so does dropping it. So
//!   nothing on its stack is lost, and what it borrows is not used longer than it may be.
//! * `RUNNING` is null, or points to the yielder of the fiber whose body is running: it is set when the body begins or goes
//!   on, and taken back before the switch to whoever resumed it.
//!
//! A stack runs one function after the other and is never given up while the process runs cases: for each stack that ends,
//! AddressSanitizer would keep what it has laid aside to notice uses after a return.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// Bytes of a stack, of which only what is used takes memory. SQLite's parser and its expressions nest deeply.
const STACK_BYTES: usize = 4 << 20;

/// What a stack is to run; `None` to go on, or, if it runs nothing, to end.
type Input = Option<Box<dyn FnOnce()>>;
/// Whether what it was to run is done.
type IsDone = bool;

thread_local! {
    static CANNOT_STOP: Cell<bool> = const { Cell::new(false) };
    static RUNNING: Cell<*const Yielder<Input, IsDone>> = const { Cell::new(ptr::null()) };
}

/// A stack for fibers, one after the other.
pub struct Stack(Coroutine<Input, IsDone, (), DefaultStack>);

impl Default for Stack {
    fn default() -> Self {
        let memory = DefaultStack::new(STACK_BYTES).expect("the system has address space for a stack");
        Self(Coroutine::with_stack(memory, |yielder: &Yielder<Input, IsDone>, mut input: Input| {
            while let Some(body) = input.take() {
                RUNNING.set(yielder);
                body();
                RUNNING.set(ptr::null());
                input = yielder.suspend(true);
            }
        }))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // It waits for something to run, and ends.
        self.0.resume(None);
    }
}

/// A function that can stop.
pub struct Fiber<'a> {
    stack: Option<Stack>,
    /// Until it begins.
    body: Input,
    is_done: bool,
    scope: PhantomData<&'a mut ()>,
}

impl<'a> Fiber<'a> {
    /// The function `body`; it begins when it is first resumed.
    pub fn new(stack: Stack, body: impl FnOnce() + 'a) -> Self {
        let body: Box<dyn FnOnce() + 'a> = Box::new(body);
        // SAFETY: `scope` keeps what it borrows borrowed until the fiber is consumed or dropped, and by then it is done, or
        // has not begun: see the invariants.
        let body = unsafe { std::mem::transmute::<Box<dyn FnOnce() + 'a>, Box<dyn FnOnce()>>(body) };
        Self { stack: Some(stack), body: Some(body), is_done: false, scope: PhantomData }
    }

    /// Lets it run until it stops or is done; true if it is done.
    pub fn resume(&mut self) -> bool {
        if let Some(stack) = self.stack.as_mut().filter(|_| !self.is_done) {
            self.is_done = matches!(stack.0.resume(self.body.take()), CoroutineResult::Yield(true));
        }
        self.is_done
    }

    /// Its stack, once it is done.
    pub fn into_stack(mut self) -> Stack {
        assert!(self.is_done, "a fiber is resumed until it is done");
        self.stack.take().expect("it is taken once")
    }
}

impl Drop for Fiber<'_> {
    fn drop(&mut self) {
        let has_begun = self.body.is_none();
        assert!(self.is_done || !has_begun, "a fiber is resumed until it is done");
    }
}

/// Does something in the middle of which no other fiber may run.
pub fn without_stops<T>(action: impl FnOnce() -> T) -> T {
    let before = CANNOT_STOP.replace(true);
    let result = action();
    CANNOT_STOP.set(before);
    result
}

/// Whether the fiber that is running may stop here.
pub fn may_stop() -> bool {
    !CANNOT_STOP.get()
}

/// Stops the fiber that is running until it is resumed; outside of one, does nothing.
pub fn suspend() {
    let running = RUNNING.replace(ptr::null());
    if running.is_null() {
        return;
    }
    // SAFETY: this is called from the body of the fiber that the yielder belongs to, which lives as long as that runs.
    unsafe { (*running).suspend(false) };
    RUNNING.set(running);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fibers_stop_and_go_on() {
        let said = Cell::new(0);
        let says = |digit: u32| said.set(said.get() * 10 + digit);
        let body = |first: u32| {
            move || {
                says(first);
                suspend();
                says(first + 1);
            }
        };
        let (mut one, mut two) =
            (Fiber::new(Stack::default(), body(1)), Fiber::new(Stack::default(), body(3)));
        assert!(!one.resume() && !two.resume());
        suspend();
        assert!(one.resume() && two.resume());
        let mut again = Fiber::new(one.into_stack(), body(5));
        assert!(!again.resume() && again.resume());
        drop((again, two));
        assert_eq!(said.get(), 132_456);
    }
}
