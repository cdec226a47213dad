//! Lines on standard output, and progress on standard error: a bar on a terminal, a plain line now and
//! then otherwise.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is printed without a terminal.
pub(crate) const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Prints to standard output with `write`, and flushes: `println!` panics if the disk is full or
/// the reader is gone, and what stays in a buffer at the end is silently lost.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    write(&mut out).and_then(|()| Ok(out.flush()?)).map_err(|error| error.context(StandardOutput))
}

/// Names standard output in an error.
#[derive(Debug)]
struct StandardOutput;

impl fmt::Display for StandardOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output")
    }
}

/// True if the reader of standard output is gone, as after `head`: no error is needed.
pub(crate) fn is_closed_pipe(error: &Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    error.is::<StandardOutput>() && causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Prints one line.
pub(crate) fn line(text: fmt::Arguments<'_>) -> Result<()> {
    print(|out| Ok(writeln!(out, "{text}")?))
}

/// A word as a shell reads it back.
pub(crate) fn shell_quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@".contains(&byte);
    if word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Shows a changing line: in place on a terminal, otherwise now and then.
pub(crate) struct Ticker {
    bar: Option<ProgressBar>,
    printed: Instant,
}

impl Ticker {
    /// With nothing to show yet.
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is fixed");
            ProgressBar::new_spinner().with_style(style)
        });
        Self { bar, printed: Instant::now() }
    }

    /// Shows a text, if it is time.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_message(text());
            bar.tick();
        } else if self.printed.elapsed() >= LINE_INTERVAL {
            self.printed = Instant::now();
            self.line(&text());
        }
    }

    /// Prints a permanent line.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Clears the line.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how many of all cases are done.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    errors: u64,
    printed: Instant,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        let total = total as u64;
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = "{bar:30} {pos}/{len} cases, {per_sec}, {eta} left, {msg}";
            let style = ProgressStyle::with_template(style).expect("the template is fixed");
            ProgressBar::new(total).with_style(style).with_message("0 errors")
        });
        Self { bar, total, done: 0, errors: 0, printed: Instant::now() }
    }

    pub(crate) fn case_done(&mut self, has_bugs: bool) {
        self.done += 1;
        self.errors += u64::from(has_bugs);
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.done);
                if has_bugs {
                    bar.set_message(format!("{} errors", self.errors));
                }
            }
            None if self.printed.elapsed() >= LINE_INTERVAL => {
                self.printed = Instant::now();
                eprintln!("{} of {} cases, {} errors", self.done, self.total, self.errors);
            }
            None => {}
        }
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
