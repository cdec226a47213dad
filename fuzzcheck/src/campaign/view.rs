//! The progress display of a campaign: on a terminal one line for the whole and one per job, updated in place;
//! elsewhere the same lines now and then.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::record::{Campaign, FuzzJob, Sample};
use super::report::summary::{name, work};
use crate::base::text::{count, counted, rate, span, visible};
use crate::ui::{self, LINE_INTERVAL};

/// How many of the last samples the displayed speed is computed from.
const RECENT: usize = 6;

/// The progress display.
pub(crate) struct View {
    /// One bar per line, the first for the whole; none without a terminal.
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    is_on_stdout: bool,
    printed: Instant,
}

impl View {
    /// With nothing to show yet.
    pub(crate) fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(|| (MultiProgress::new(), Vec::new()));
        Self { bars, is_on_stdout: false, printed: Instant::now() }
    }

    /// On standard output, if there is no other output: lines now and then.
    pub(crate) fn on_stdout() -> Self {
        Self { bars: None, is_on_stdout: true, printed: Instant::now() }
    }

    /// Shows the progress, if it is time; `phase` is the current activity, in a word.
    pub(crate) fn show(&mut self, campaign: &Campaign, phase: &str) {
        if let Some((place, bars)) = &mut self.bars {
            let lines = lines(campaign, phase);
            while bars.len() < lines.len() {
                // Long lines are cut: wrapped ones would leave their rest behind.
                let style = ProgressStyle::with_template("{wide_msg}").expect("the template is fixed");
                bars.push(place.add(ProgressBar::new_spinner().with_style(style)));
            }
            for (bar, line) in bars.iter().zip(lines) {
                bar.set_message(line);
                bar.tick();
            }
        } else if self.printed.elapsed() >= LINE_INTERVAL {
            self.printed = Instant::now();
            lines(campaign, phase).iter().for_each(|line| self.line(line));
        }
    }

    /// Prints a permanent line.
    pub(crate) fn line(&self, text: &str) {
        match &self.bars {
            // The terminal may be gone.
            Some((place, _)) => drop(place.println(text)),
            None if self.is_on_stdout => drop(ui::line(format_args!("{text}"))),
            None => eprintln!("{text}"),
        }
    }

    /// Clears the line.
    pub(crate) fn finish(self) {
        for bar in self.bars.into_iter().flat_map(|(_, bars)| bars) {
            bar.finish_and_clear();
        }
    }
}

/// The lines: the whole, then each job.
fn lines(campaign: &Campaign, phase: &str) -> Vec<String> {
    let width = campaign.jobs.iter().map(|job| name(job).chars().count()).max().unwrap_or_default();
    let mut all = vec![head(campaign, phase)];
    all.extend(campaign.jobs.iter().map(|job| line(job, campaign, width)));
    // Signatures come from elsewhere, and may contain control characters.
    all.iter().map(|line| visible(line)).collect()
}

fn head(campaign: &Campaign, phase: &str) -> String {
    let executions = campaign.jobs.iter().map(|job| work(job).0).sum();
    format!(
        "{phase}: {} of {}, {}, findings: {}",
        span(campaign.used_s),
        span(campaign.budget_s),
        counted(executions, "execution"),
        findings(campaign)
    )
}

/// Findings, by signature until they are sorted.
fn findings(campaign: &Campaign) -> String {
    if campaign.findings.is_empty() {
        let found: BTreeSet<&String> =
            campaign.jobs.iter().flat_map(|job| &job.slices).flat_map(|slice| slice.found.keys()).collect();
        return counted(found.len() as u64, "signature");
    }
    let new = campaign.findings.iter().filter(|finding| finding.is_new).count() as u64;
    let known = campaign.findings.len() as u64 - new;
    format!("{} new, {} known", count(new), count(known))
}

fn line(job: &FuzzJob, campaign: &Campaign, width: usize) -> String {
    let found: BTreeSet<&str> =
        job.slices.iter().flat_map(|slice| slice.found.keys().map(String::as_str)).collect();
    let new = campaign
        .findings
        .iter()
        .filter(|finding| finding.is_new && found.contains(finding.signature.as_str()));
    let what = match job.samples.last() {
        None => "nothing yet".to_owned(),
        Some(last) => format!(
            "{:>6}/s, {} edges, {} cases",
            speed(&job.samples).map_or_else(|| "-".to_owned(), |speed| count(speed.round() as u64)),
            count(last.edges),
            count(last.corpus_cases)
        ),
    };
    let found = format!("{} ({} new)", counted(found.len() as u64, "finding"), count(new.count() as u64));
    let failure = job.failures.last().map_or_else(String::new, |why| format!(", failed: {why}"));
    format!("  {:width$}  slice {:>2}  {what}, {found}{failure}", name(job), job.slices.len())
}

/// Executions per second of the last samples.
fn speed(samples: &[Sample]) -> Option<f64> {
    let recent = &samples[samples.len().saturating_sub(RECENT)..];
    let (first, last) = (recent.first()?, recent.last()?);
    rate(last.executions.saturating_sub(first.executions), last.seconds - first.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::report::made::campaign;

    #[test]
    fn a_line_for_the_whole_and_one_for_each_job() {
        let lines = lines(&campaign(), "fuzzing");
        assert_eq!(lines[0], "fuzzing: 7 h 55 min of 8 h, 62,758,203 executions, findings: 2 new, 2 known");
        assert!(lines[1].starts_with("  db_sql/asan   slice  2     "), "{}", lines[1]);
        assert!(lines[1].ends_with("/s, 34,700 edges, 5,901 cases, 2 findings (2 new)"), "{}", lines[1]);
        assert!(lines[3].contains("0 findings (0 new), failed: the debug build"), "{}", lines[3]);
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_job_that_has_not_begun_says_so() {
        let mut made = campaign();
        made.jobs.truncate(1);
        made.jobs[0].samples.clear();
        made.jobs[0].slices.clear();
        assert_eq!(lines(&made, "building")[1], "  db_sql/asan  slice  0  nothing yet, 0 findings (0 new)");
        made.findings.clear();
        made.jobs.clear();
        assert!(lines(&made, "building")[0].ends_with("findings: 0 signatures"));
    }

    #[test]
    fn speed_is_that_of_the_last_samples() {
        let sample =
            |seconds: f64, executions| Sample { seconds, executions, edges: 0, features: 0, corpus_cases: 0 };
        let mut samples = vec![sample(0.0, 0), sample(1000.0, 0)];
        samples.extend(
            (0..6).map(|index| sample(1000.0 + 10.0 * f64::from(index), 50 * u64::from(index as u32))),
        );
        assert_eq!(speed(&samples), Some(5.0));
        assert_eq!((speed(&samples[..1]), speed(&[])), (None, None));
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        let mut made = campaign();
        made.jobs[0].failures.push("\x1b[2J".to_owned());
        assert!(lines(&made, "fuzzing").iter().all(|line| !line.contains('\x1b')));
    }
}
