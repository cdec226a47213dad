//! Stackful coroutines: a connection can stop in the middle of a call of SQLite and go on later, on the same thread.
//!
//! They are threads of which one runs at a time, without what threads cost: a switch takes less than 100 ns, thread-local
//! state (counters of the allocator, the error log) is that of the run, and nothing has to be `Send`. With AddressSanitizer
//! the crate tells it of each switch: `.cargo/rustc` switches that on.
//!
//! # Invariants
//! * A fiber that has begun is resumed until it is done ([`Fiber::into_stack`] panics otherwise), so nothing on its stack is
//!   lost.
//! * `RUNNING` is null, or points to the yielder of the fiber whose body is running: it is set when the body begins or goes
//!   on, and taken back before the switch to whoever resumed it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// Bytes of a stack, of which only what is used takes memory. SQLite's parser and its expressions nest deeply.
const STACK_BYTES: usize = 4 << 20;

thread_local! {
    static CANNOT_STOP: Cell<bool> = const { Cell::new(false) };
    static RUNNING: Cell<*const Yielder<(), ()>> = const { Cell::new(ptr::null()) };
}

/// Memory for the stack of a fiber, to be used again.
pub struct Stack(DefaultStack);

impl Default for Stack {
    fn default() -> Self {
        Self(DefaultStack::new(STACK_BYTES).expect("the system has address space for a stack"))
    }
}

/// A function that can stop.
pub struct Fiber<'a> {
    coroutine: Coroutine<(), (), (), DefaultStack>,
    scope: PhantomData<&'a mut ()>,
}

impl<'a> Fiber<'a> {
    /// The function `body`; it begins when it is first resumed.
    pub fn new(stack: Stack, body: impl FnOnce() + 'a) -> Self {
        let run = move |yielder: &Yielder<(), ()>, ()| {
            RUNNING.set(yielder);
            body();
            RUNNING.set(ptr::null());
        };
        // SAFETY: `scope` keeps what `body` borrows borrowed until the fiber is consumed or dropped. It is not forgotten:
        // nobody but `into_stack` takes it by value.
        let coroutine = unsafe { Coroutine::with_stack_unchecked(stack.0, run) };
        Self { coroutine, scope: PhantomData }
    }

    /// Lets it run until it stops or is done; true if it is done.
    pub fn resume(&mut self) -> bool {
        matches!(self.coroutine.resume(()), CoroutineResult::Return(()))
    }

    /// Its stack, once it is done.
    pub fn into_stack(self) -> Stack {
        Stack(self.coroutine.into_stack())
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
    unsafe { (*running).suspend(()) };
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
