//! Notifications: runs a command of the user with a JSON document on its standard input.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;

use super::record::{Campaign, Finding};

/// How long the command may take.
const TIME_MAX: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);

/// A notification.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Message<'a> {
    /// An unknown bug; once for each.
    NewFinding {
        /// Of the format.
        version: u32,
        /// [`Campaign::id`].
        campaign: &'a str,
        /// The bug.
        finding: &'a Finding,
    },
    /// The campaign is finished.
    End {
        /// Of the format.
        version: u32,
        /// [`Campaign::id`].
        campaign: &'a str,
        /// How long it has run.
        used_s: f64,
        /// Cases that libFuzzer ran.
        executions: u64,
        /// Signatures of new bugs.
        new: Vec<&'a str>,
        /// Those of all others.
        others: Vec<&'a str>,
        /// What failed, in words.
        failures: Vec<String>,
        /// The exit code of the program.
        exit_code: u8,
        /// The path of the record.
        record: String,
    },
}

/// The version of both.
pub(crate) const VERSION: u32 = 1;

impl<'a> Message<'a> {
    /// Of a new bug.
    pub(crate) fn finding(campaign: &'a str, finding: &'a Finding) -> Self {
        Self::NewFinding { version: VERSION, campaign, finding }
    }

    /// Of the end.
    pub(crate) fn end(campaign: &'a Campaign, exit_code: u8, failures: Vec<String>, record: String) -> Self {
        let signatures = |is_wanted: bool| {
            let wanted = campaign.findings.iter().filter(move |finding| finding.is_news() == is_wanted);
            wanted.map(|finding| finding.signature.as_str()).collect()
        };
        Self::End {
            version: VERSION,
            campaign: &campaign.id,
            used_s: campaign.used_s,
            executions: campaign.executions(),
            new: signatures(true),
            others: signatures(false),
            failures,
            exit_code,
            record,
        }
    }
}

/// Runs the command with the message, for [`TIME_MAX`] at most.
///
/// # Errors
/// It does not run, fails, or does not end.
pub(crate) fn send(command: &str, message: &impl Serialize) -> Result<()> {
    send_within(command, message, TIME_MAX).with_context(|| format!("--notify-cmd `{command}`"))
}

fn send_within(command: &str, message: &impl Serialize, time: Duration) -> Result<()> {
    let document = serde_json::to_vec_pretty(message)?;
    let mut shell = Command::new("sh");
    // What it prints is not data of ours.
    shell.args(["-c", command]).process_group(0).stdin(Stdio::piped()).stdout(std::io::stderr());
    let mut child = shell.spawn().context("cannot run sh")?;
    let pipe = child.stdin.take();
    // A command need not read, and may be slow to start reading.
    let writer = std::thread::spawn(move || pipe.map(|mut pipe| pipe.write_all(&document)));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() >= time {
            kill_process_group(Pid::from_child(&child), Signal::KILL).ok();
            child.wait()?;
            bail!("it did not finish within {} seconds", time.as_secs());
        }
        std::thread::sleep(TICK);
    };
    // Whether it reads everything is up to the command.
    drop(writer);
    if status.success() { Ok(()) } else { bail!("it failed: {status}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end() -> Message<'static> {
        Message::End {
            version: VERSION,
            campaign: "c",
            used_s: 1.5,
            executions: 7,
            new: vec!["a/b/c"],
            others: vec![],
            failures: vec![],
            exit_code: 1,
            record: "x".to_owned(),
        }
    }

    #[test]
    fn the_command_gets_json_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        send(&format!("cat > {}", file.display()), &end()).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(
            (&told["event"], &told["new"][0], &told["exit_code"]),
            (&"end".into(), &"a/b/c".into(), &1.into())
        );
        // One that does not read is no failure.
        send("true", &end()).unwrap();
        let error = format!("{:#}", send("exit 3", &end()).unwrap_err());
        assert!(error.contains("--notify-cmd `exit 3`") && error.contains('3'), "{error}");
        let error = send_within("sleep 60", &end(), Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not finish"), "{error}");
    }
}
