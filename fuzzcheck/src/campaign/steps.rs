//! Child processes with a time limit.
//!
//! Everything that a campaign does beside fuzzing is a command of this program, or Cargo: a process, which is asked to
//! end when its time is over or the campaign is interrupted, and killed after a while.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::guard::Guard;

/// How long a process may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(50);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// By itself.
    Ended(ExitStatus),
    /// Its time was over.
    Cut,
    /// The campaign was interrupted.
    Stopped,
}

/// Runs a command for this long at most, and calls `show` now and then.
///
/// # Errors
/// It cannot be started.
pub(crate) fn run(
    command: &mut Command,
    time: Duration,
    stop: &AtomicBool,
    mut show: impl FnMut(Duration),
) -> Result<Ran> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.process_group(0).spawn().with_context(|| format!("cannot run {name}"))?;
    let _guard = Guard::new(&child)?;
    let started = Instant::now();
    let mut told: Option<(Instant, Ran)> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(told.map_or(Ran::Ended(status), |(_, why)| why));
        }
        match told {
            None if stop.load(Ordering::Relaxed) => told = Some(tell(&child, Ran::Stopped)),
            None if started.elapsed() >= time => told = Some(tell(&child, Ran::Cut)),
            Some((since, _)) if since.elapsed() >= PATIENCE => signal(&child, Signal::KILL),
            _ => {}
        }
        show(started.elapsed());
        std::thread::sleep(TICK);
    }
}

fn tell(child: &Child, why: Ran) -> (Instant, Ran) {
    signal(child, Signal::INT);
    (Instant::now(), why)
}

fn signal(child: &Child, signal: Signal) {
    // One that has ended by itself is no error.
    kill_process_group(Pid::from_child(child), signal).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(script: &str, milliseconds: u64, is_stopped: bool) -> Ran {
        let time = Duration::from_millis(milliseconds);
        let stop = AtomicBool::new(is_stopped);
        run(Command::new("sh").args(["-c", script]), time, &stop, |_| {}).unwrap()
    }

    #[test]
    fn a_process_ends_by_itself_in_time_or_is_told_to() {
        assert!(matches!(ran("exit 1", 600_000, false), Ran::Ended(status) if status.code() == Some(1)));
        // A shell that is just starting another process may miss a signal.
        assert_eq!(ran("exec sleep 600", 50, false), Ran::Cut);
        assert_eq!(ran("exec sleep 600", 600_000, true), Ran::Stopped);
        let stop = AtomicBool::new(false);
        let missing = run(&mut Command::new("/nonexistent/x"), TICK, &stop, |_| {}).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/x"));
    }
}
