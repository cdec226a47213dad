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
use crate::testcase::{CONNECTIONS_MAX, Switch};

/// Called with the number of a switch in its schedule, from 0, and the switch, before it takes effect.
pub type OnSwitch = dyn Fn(usize, Switch);

/// How often each connection tries in vain before nobody is taken to be able to go on.
const TRIES_MAX: u32 = 50;

/// Who runs, and who may.
pub(super) struct Rota {
    /// Whether they take turns between operations only. With a shared cache, SQLite relies on its mutexes to keep others
    /// out in the middle of a call, and here there are none.
    is_between_only: bool,
    inner: RefCell<Inner>,
}

struct Inner {
    recorder: Recorder,
    ready: Connections,
    waiting: Connections,
    /// Who has waited in the operation that it is at: what it gives up until that is done, it has got while trying.
    tried: Connections,
    /// How many took part in this round.
    round: usize,
    /// Who runs; nobody before the first point, and after the operations of a connection are done.
    current: Option<u8>,
    /// Who runs next.
    chosen: u8,
    /// The operation, by its position in the list, that each is at.
    at: [usize; CONNECTIONS_MAX as usize],
    /// How many points the operation that each is at has had.
    passed: [u32; CONNECTIONS_MAX as usize],
    /// How many points there were.
    points: u32,
    /// How often somebody tried in vain since somebody got on.
    tries: u32,
    told: Turns,
    has_events: bool,
    on_switch: Option<Rc<OnSwitch>>,
}

impl Inner {
    fn choose(&mut self, moment: Moment) -> u8 {
        let mut first = self.ready.iter().min_by_key(|&actor| self.at[usize::from(actor)]).unwrap_or(0);
        // Once somebody was made to go on, it does so to its end, or to the next switch.
        if let Some(current) = self.current.filter(|_| !self.recorder.switches().is_empty()) {
            first = current;
        }
        let (owner, current) = match (moment, self.current) {
            (Moment::Between, _) | (_, None) => (first, first),
            (_, Some(current)) => (current, current),
        };
        let at = usize::from(owner);
        let mut point = Point {
            operation: self.at[at] as u16,
            number: self.passed[at],
            ready: self.ready,
            waiting: self.waiting,
            current: self.current,
            usual: current,
            moment,
        };
        if moment == Moment::Waiting {
            point.usual = point.sensible().after(current).unwrap_or(current);
        }
        self.passed[at] += 1;
        self.points += 1;
        let before = self.recorder.switches().len();
        self.chosen = self.recorder.choose(&point);
        if let (Some(on_switch), Some(switch)) = (&self.on_switch, self.recorder.switches().get(before)) {
            on_switch(before, *switch);
        }
        self.chosen
    }

    /// An actor is done with an operation, and this is its next.
    fn begin(&mut self, actor: u8, operation: usize) {
        (self.at[usize::from(actor)], self.passed[usize::from(actor)]) = (operation, 0);
        self.tried.remove(actor);
    }

    fn tell(&mut self, kind: TurnKind) {
        if self.has_events
            && let Some(connection) = self.current
        {
            let at = usize::from(connection);
            let (operation, point) = (self.at[at], self.passed[at].saturating_sub(1));
            self.told.events.push(Turn { operation, point, connection, kind });
        }
    }

    /// Somebody got on, so trying again may help those that wait.
    fn got_on(&mut self) {
        (self.waiting, self.tries) = (Connections::default(), 0);
    }

    fn note_wait(&mut self, current: u8) {
        self.waiting.insert(current);
        self.tried.insert(current);
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
    pub fn new(
        scheduler: Box<dyn Scheduler>,
        is_between_only: bool,
        has_events: bool,
        on_switch: Option<Rc<OnSwitch>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            is_between_only,
            inner: RefCell::new(Inner {
                recorder: Recorder::new(scheduler),
                ready: Connections::default(),
                waiting: Connections::default(),
                tried: Connections::default(),
                round: 0,
                current: None,
                chosen: 0,
                at: [0; CONNECTIONS_MAX as usize],
                passed: [0; CONNECTIONS_MAX as usize],
                points: 0,
                tries: 0,
                told: Turns::default(),
                has_events,
                on_switch,
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
                self.inner.borrow_mut().begin(actor, first.number);
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
            executor.vfs.machine().writers.actor = chosen;
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
            if i > 0 {
                let mut inner = self.inner.borrow_mut();
                inner.begin(step.actor, step.number);
                inner.got_on();
                drop(inner);
                self.reach(Moment::Between);
            }
            if state.execution.is_used_up() {
                break;
            }
            self.inner.borrow_mut().tell(TurnKind::Begins);
            state.perform(step);
        }
    }

    /// Somebody is about to call the VFS.
    fn on_call(&self, call: Call) {
        if self.is_between_only || !fiber::may_stop() {
            return;
        }
        if call.waits() {
            let mut inner = self.inner.borrow_mut();
            if let Some(current) = inner.current {
                inner.note_wait(current);
            }
        }
        self.reach(if call.waits() { Moment::Waiting } else { Moment::Within });
        let mut inner = self.inner.borrow_mut();
        inner.tell(TurnKind::Call(call));
        if call.releases() && inner.current.is_some_and(|current| !inner.tried.contains(current)) {
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
        (scheduler, Turns { schedule, points: inner.points, ..inner.told })
    }
}
