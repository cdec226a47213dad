//! The switches of the run that a worker is at, in its progress file: should it die, the parent knows under which schedule.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tandem::testcase::{SWITCHES_MAX, Schedule, Switch};

use super::client::STATEMENT_BYTES;

/// Where they are: a number, then so many switches. Before them are the index of the case and its last statement.
const START: u64 = 16 + STATEMENT_BYTES as u64;
const SWITCH_BYTES: usize = 7;

/// Writes that a run has so many switches, the last of which is this.
pub(super) fn write_switch(progress: &File, count: usize, last: Option<Switch>) -> io::Result<()> {
    if let Some(Switch { operation, point, to }) = last {
        let mut bytes = [0; SWITCH_BYTES];
        bytes[..2].copy_from_slice(&operation.to_le_bytes());
        bytes[2..6].copy_from_slice(&point.to_le_bytes());
        bytes[6] = to;
        progress.write_all_at(&bytes, START + 4 + (count.saturating_sub(1) * SWITCH_BYTES) as u64)?;
    }
    progress.write_all_at(&(count as u32).to_le_bytes(), START)
}

/// The switches of the last run.
pub(super) fn read_switches(progress: &File) -> Option<Schedule> {
    let mut count = [0; 4];
    progress.read_exact_at(&mut count, START).ok()?;
    let count = (u32::from_le_bytes(count) as usize).min(SWITCHES_MAX);
    let mut bytes = vec![0; count * SWITCH_BYTES];
    progress.read_exact_at(&mut bytes, START + 4).ok()?;
    let switch = |bytes: &[u8]| Switch {
        operation: u16::from_le_bytes([bytes[0], bytes[1]]),
        point: u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]),
        to: bytes[6],
    };
    Some(Schedule::new(bytes.chunks_exact(SWITCH_BYTES).map(switch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_as_they_were_written() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(read_switches(&file), None);
        let schedule: Schedule = "1.2:1,3.70000:0".parse().unwrap();
        write_switch(&file, 0, None).unwrap();
        assert_eq!(read_switches(&file), Some(Schedule::default()));
        for (at, switch) in schedule.switches().iter().enumerate() {
            write_switch(&file, at + 1, Some(*switch)).unwrap();
        }
        assert_eq!(read_switches(&file), Some(schedule));
    }
}
