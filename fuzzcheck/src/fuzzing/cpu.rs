//! CPU time of this process and all its descendants, for fair comparisons on a machine
//! that others use, too.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// One process, as `/proc/PID/stat` has it (`man 5 proc_pid_stat`).
struct Process {
    parent: u32,
    /// Of the process and of its children that it has waited for.
    ticks: u64,
}

/// CPU time of this process and its descendants, including those that were waited for. `None` if the
/// system does not report it.
pub(crate) fn of_all() -> Option<Duration> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process that has just ended is counted by its parent.
        if let Some(process) =
            fs::read_to_string(entry.path().join("stat")).ok().and_then(|stat| parse(&stat))
        {
            processes.insert(pid, process);
        }
    }
    let own = std::process::id();
    processes.get(&own)?;
    let is_ours = |pid: &u32| {
        let up = std::iter::successors(Some(*pid), |pid| processes.get(pid).map(|process| process.parent));
        // A parent may end and its number be reused meanwhile.
        up.take(64).any(|pid| pid == own)
    };
    let ticks: u64 = processes.iter().filter(|(pid, _)| is_ours(pid)).map(|(_, process)| process.ticks).sum();
    Some(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)))
}

fn parse(stat: &str) -> Option<Process> {
    // The name stands in parentheses and may hold anything. Behind it, the parent is the second field, and utime, stime,
    // cutime and cstime are the 12th to 15th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = (11..15).map(number).sum::<Option<u64>>()?;
    Some(Process { parent: number(1)?.try_into().ok()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_count_while_they_run_and_afterwards() {
        let process = parse("7 (a) b) S 3 7 7 0 -1 4 1 2 3 4 10 20 30 40 20 0").unwrap();
        assert_eq!((process.parent, process.ticks), (3, 100));
        let before = of_all().unwrap();
        let mut command = std::process::Command::new("sh");
        let mut child = command.args(["-c", "while :; do :; done"]).spawn().unwrap();
        while of_all().unwrap() < before + Duration::from_millis(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(of_all().unwrap() >= before + Duration::from_millis(30));
    }
}
