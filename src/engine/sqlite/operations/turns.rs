//! Connections that take turns within their operations: each runs on a stack of its own, one at a time.

use std::cell::RefCell;
use std::rc::Rc;

use super::State;
use super::plan::Step;
use crate::engine::sqlite::Executor;
use crate::engine::sqlite::ffi::fiber::{self, Fiber};
use crate::engine::{Turn, TurnKind, Turns};
use crate::faults::vfs::Call;
use crate::schedules::{Connections, Moment, Point, Recorder, Scheduler};
use crate::testcase::CONNECTIONS_MAX;

/// How often each connection tries in vain before nobody is taken to be able to go on.
const TRIES_MAX: u32 = 50;

/// Who runs, and who may.
pub(super) struct Rota {
    inner: RefCell<Inner>,
}

struct Inner {
    recorder: Recorder,
    ready: Connections,
    waiting: Connections,
    /// How many took part in this round.
    round: usize,
    /// Who runs; nobody before the first point, and after the operations of a connection are done.
    current: Option<u8>,
    /// Who runs next.
    chosen: u8,
    /// The operation, by its position in the list, that each is at.
    at: [usize; CONNECTIONS_MAX as usize],
    /// The next point.
    number: u32,
    /// How often somebody tried in vain since somebody got on.
    tries: u32,
    told: Turns,
    has_events: bool,
}

impl Inner {
    fn choose(&mut self, moment: Moment) -> u8 {
        let first = self.ready.iter().min_by_key(|&actor| self.at[usize::from(actor)]);
        let usual = match (moment, self.current) {
            (Moment::Within, Some(current)) => Some(current),
            (Moment::Waiting, Some(current)) => {
                let point = self.point(moment, current);
                point.sensible().after(current)
            }
            _ => first,
        };
        let point = self.point(moment, usual.unwrap_or(0));
        self.number += 1;
        self.chosen = self.recorder.choose(&point);
        self.chosen
    }

    fn point(&self, moment: Moment, usual: u8) -> Point {
        Point {
            number: self.number,
            ready: self.ready,
            waiting: self.waiting,
            current: self.current,
            usual,
            moment,
        }
    }

    fn tell(&mut self, kind: TurnKind) {
        if self.has_events
            && let Some(connection) = self.current
        {
            let point = self.number.saturating_sub(1);
            self.told.events.push(Turn { point, connection, kind });
        }
    }

    /// Somebody got on, so trying again may help those that wait.
    fn got_on(&mut self) {
        (self.waiting, self.tries) = (Connections::default(), 0);
    }

    fn note_wait(&mut self, current: u8) {
        self.waiting.insert(current);
        let do_all_wait = self.ready.iter().all(|actor| self.waiting.contains(actor));
        self.tries += u32::from(do_all_wait);
        // Who is done may have left a transaction open, for which the others wait in vain.
        if self.ready.len() == self.round && self.round > 1 && self.tries > TRIES_MAX * self.round as u32 {
            self.told.is_stuck = true;
        }
    }
}

impl Rota {
    /// By the choices of a scheduler whose run has begun.
    pub fn new(scheduler: Box<dyn Scheduler>, has_events: bool) -> Rc<Self> {
        Rc::new(Self {
            inner: RefCell::new(Inner {
                recorder: Recorder::new(scheduler),
                ready: Connections::default(),
                waiting: Connections::default(),
                round: 0,
                current: None,
                chosen: 0,
                at: [0; CONNECTIONS_MAX as usize],
                number: 0,
                tries: 0,
                told: Turns::default(),
                has_events,
            }),
        })
    }

    /// Performs operations, of several connections.
    pub fn run<'c>(self: &Rc<Self>, executor: &Executor, states: &mut [Option<State<'c>>], steps: &[Step]) {
        let mut stacks = executor.stacks.take();
        let mut fibers: Vec<(u8, Fiber<'_>)> = Vec::new();
        for (actor, state) in (0..).zip(states.iter_mut()) {
            let own: Vec<&Step> = steps.iter().filter(|step| step.actor == actor).collect();
            if let (Some(state), Some(first)) = (state, own.first()) {
                self.inner.borrow_mut().at[usize::from(actor)] = first.number;
                let stack = stacks.pop().unwrap_or_default();
                fibers.push((actor, Fiber::new(stack, move || self.perform(state, &own))));
            }
        }
        let rota = Rc::clone(self);
        executor.vfs.set_on_call(Some(Rc::new(move |call| rota.on_call(call))));
        {
            let mut inner = self.inner.borrow_mut();
            inner.ready = fibers.iter().map(|(actor, _)| *actor).collect();
            inner.round = inner.ready.len();
            inner.current = None;
            inner.got_on();
        }
        while !self.inner.borrow().ready.is_empty() {
            if self.inner.borrow().current.is_none() {
                self.inner.borrow_mut().choose(Moment::Between);
            }
            let chosen = self.inner.borrow().chosen;
            self.inner.borrow_mut().current = Some(chosen);
            let (_, fiber) =
                fibers.iter_mut().find(|(actor, _)| *actor == chosen).expect("who is ready has a fiber");
            if fiber.resume() {
                let mut inner = self.inner.borrow_mut();
                inner.ready.remove(chosen);
                inner.current = None;
                inner.got_on();
            }
        }
        executor.vfs.set_on_call(None);
        stacks.extend(fibers.into_iter().map(|(_, fiber)| fiber.into_stack()));
        executor.stacks.replace(stacks);
    }

    /// The operations of one connection, on its own stack.
    fn perform(&self, state: &mut State<'_>, steps: &[&Step]) {
        for (i, step) in steps.iter().enumerate() {
            self.inner.borrow_mut().at[usize::from(step.actor)] = step.number;
            if i > 0 {
                self.inner.borrow_mut().got_on();
                self.reach(Moment::Between);
            }
            if state.execution.is_used_up() {
                break;
            }
            self.inner.borrow_mut().tell(TurnKind::Operation(step.number));
            state.perform(step);
        }
    }

    /// Somebody is about to call the VFS.
    fn on_call(&self, call: Call) {
        if call.waits() {
            let mut inner = self.inner.borrow_mut();
            if let Some(current) = inner.current {
                inner.note_wait(current);
            }
        }
        self.reach(if call.waits() { Moment::Waiting } else { Moment::Within });
        let mut inner = self.inner.borrow_mut();
        inner.tell(TurnKind::Call(call));
        if call.releases() {
            inner.got_on();
        }
    }

    /// A point: whoever runs goes on when it is chosen.
    fn reach(&self, moment: Moment) {
        let (current, chosen) = {
            let mut inner = self.inner.borrow_mut();
            let current = inner.current;
            (current, inner.choose(moment))
        };
        if current != Some(chosen) {
            fiber::suspend();
        }
    }

    /// What happened, and the schedule that repeats it.
    pub fn end(self: Rc<Self>) -> (Box<dyn Scheduler>, Turns) {
        let inner = Rc::into_inner(self).expect("nobody runs any more").inner.into_inner();
        let (scheduler, schedule) = inner.recorder.end();
        (scheduler, Turns { schedule, points: inner.number, ..inner.told })
    }
}
