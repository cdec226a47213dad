//! Ends workers that hang.
//!
//! A hang is measured in CPU time: on a busy machine, a healthy worker may wait for long. Only
//! if a worker uses none, a generous limit of wall time applies.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::death::Kill;

/// How often the workers are checked.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long workers may take to finish their batches after an interruption.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How often a worker that hangs is asked where it is, and how long it gets for each answer.
const SAMPLES: u32 = 7;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(17);
/// Wall time that a case may take, in multiples of its CPU time limit.
const WALL_FACTOR: u32 = 20;

/// What the watchdog knows of a worker; shared with its client.
#[derive(Debug)]
pub(super) struct Slot {
    /// Process id, 0 for none.
    pub pid: AtomicU32,
    /// True while a batch is with the worker.
    pub is_busy: AtomicBool,
    progress: fs::File,
    kill: Mutex<Option<Kill>>,
}

impl Slot {
    pub(super) fn new(progress: fs::File) -> Self {
        Self { pid: AtomicU32::new(0), is_busy: AtomicBool::new(false), progress, kill: Mutex::new(None) }
    }

    /// The index of the case at which the worker is; 0 before the first.
    pub(super) fn at_case(&self) -> u64 {
        let mut bytes = [0; 8];
        self.progress.read_exact_at(&mut bytes, 0).ok().map_or(0, |()| u64::from_le_bytes(bytes))
    }

    /// Kills the worker if it is busy.
    fn end(&self, why: Kill) {
        let pid = self.pid.load(Ordering::Relaxed);
        if pid == 0 || !self.is_busy.load(Ordering::Relaxed) {
            return;
        }
        *self.kill.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            if why != Kill::Interrupt {
                ask(pid);
            }
            // The worker may have ended by itself in the meantime.
            kill_process(pid, Signal::KILL).ok();
        }
    }

    /// Why the watchdog killed the worker, if it did; asked once.
    pub(super) fn take_kill(&self) -> Option<Kill> {
        self.kill.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Asks a worker several times where it is ([`tandem::stack::report_signals`]): what is on its stack each time is
/// the loop.
fn ask(pid: Pid) {
    for _ in 0..SAMPLES {
        kill_process(pid, Signal::USR2).ok();
        std::thread::sleep(SAMPLE_INTERVAL);
    }
}

/// Where a worker was when it was last seen to move.
struct Seen {
    pid: u32,
    case: u64,
    cpu: Duration,
    at: Instant,
}

/// Watches until `done`; whoever sets that may unpark this thread, so that it ends at once.
/// Some time after `stop` is set, it ends all workers that are busy.
pub(super) fn watch(slots: &[Arc<Slot>], timeout: Duration, done: &AtomicBool, stop: &AtomicBool) {
    let mut seen: Vec<Option<Seen>> = slots.iter().map(|_| None).collect();
    let mut stopped_at = None;
    while !done.load(Ordering::Relaxed) {
        if stop.load(Ordering::Relaxed) {
            let at = *stopped_at.get_or_insert_with(Instant::now);
            if at.elapsed() >= STOP_GRACE {
                slots.iter().for_each(|slot| slot.end(Kill::Interrupt));
            }
        }
        for (slot, seen) in slots.iter().zip(&mut seen) {
            look(slot, seen, timeout);
        }
        std::thread::park_timeout(INTERVAL);
    }
}

fn look(slot: &Slot, seen: &mut Option<Seen>, timeout: Duration) {
    let pid = slot.pid.load(Ordering::Relaxed);
    if pid == 0 || !slot.is_busy.load(Ordering::Relaxed) {
        *seen = None;
        return;
    }
    let (case, cpu) = (slot.at_case(), cpu_time(pid));
    match seen {
        Some(last) if last.pid == pid && last.case == case => {
            let spent = cpu.zip(Some(last.cpu)).map(|(now, then)| now.saturating_sub(then));
            let elapsed = last.at.elapsed();
            // Without CPU times (no /proc) wall time has to do.
            let kill = if spent.unwrap_or(elapsed) > timeout {
                Kill::CpuTime
            } else if elapsed > timeout * WALL_FACTOR {
                Kill::WallTime
            } else {
                return;
            };
            slot.end(kill);
            *seen = None;
        }
        _ => *seen = Some(Seen { pid, case, cpu: cpu.unwrap_or_default(), at: Instant::now() }),
    }
}

/// CPU time that a process has used, where the system tells.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields behind the name, which is in parentheses and may hold anything; utime and stime are the
    // 14th and 15th of all.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis(ticks * 1000 / ticks_per_second.max(1)))
}
