//! Ends a process group when this program dies, however that happens.
//!
//! A signal can be handled; `kill -9` and the kernel's out-of-memory killer cannot. So each group gets a shell
//! that reads from a pipe of ours: if the pipe closes without a final word, this program is dead.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// Ends the group whose number it gets, unless it is told that nothing is to be done.
const SCRIPT: &str = "read -r word || kill -s KILL -- \"-$1\"";

/// Guards a process group until dropped.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Stands beside the group that this process leads.
    ///
    /// # Errors
    /// There is no `sh`.
    pub(crate) fn new(leader: &Child) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh", &leader.id().to_string()]);
        // It must survive Ctrl-C.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().context("cannot run sh")?))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The shell may be gone already.
        let _ = self.0.stdin.take().map(|mut pipe| pipe.write_all(b"done\n"));
        self.0.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").process_group(0).spawn().unwrap()
    }

    #[test]
    fn a_group_goes_when_the_pipe_ends_and_stays_when_all_is_well() {
        let (mut lost, mut well) = (sleeper(), sleeper());
        let mut guard = Guard::new(&lost).unwrap();
        // As the kernel does for a process that is killed.
        drop(guard.0.stdin.take());
        assert!(!lost.wait().unwrap().success());
        drop(Guard::new(&well).unwrap());
        assert!(well.try_wait().unwrap().is_none());
        well.kill().unwrap();
        well.wait().unwrap();
    }
}
