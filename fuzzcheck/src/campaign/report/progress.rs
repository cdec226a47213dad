//! The progress of a campaign: speed, edges and corpus of each job over time, and the sessions.

use maud::{Markup, html};

use super::findings::breakable;
use super::html::{empty, section as titled};
use super::plot::{Along, Plot, Series, Stretches, legend};
use super::summary::{name, work};
use super::text::{count, moment, rate, span};
use crate::campaign::record::{Campaign, FuzzJob, Sample, SessionEnd};

/// Maximum samples per job in a plot: more would not be visible.
const SAMPLES_DRAWN: usize = 160;
/// A gap this many times longer than usual between two samples is a pause, for which no speed is shown.
const PAUSE: f64 = 4.0;

/// The section.
pub(super) fn section(campaign: &Campaign) -> Markup {
    let marks = boundaries(campaign);
    let drawn: Vec<(&FuzzJob, Vec<Sample>)> =
        campaign.jobs.iter().map(|job| (job, thinned(&job.samples))).collect();
    let series = |points: &dyn Fn(&[Sample]) -> Stretches| -> Vec<Series> {
        drawn.iter().map(|(job, samples)| Series { label: name(job), stretches: points(samples) }).collect()
    };
    let speed = series(&speeds);
    let edges = series(&|samples| vec![most(samples, |at| at.edges)]);
    let cases = series(&|samples| vec![most(samples, |at| at.corpus_cases)]);
    let plot = |title, unit, series, from_zero| {
        Plot { title, unit, along: Along::Time, from_zero, series, marks: &marks }.render()
    };
    let content = html! {
        @if campaign.jobs.is_empty() {
            (empty("No target was fuzzed."))
        } @else {
            (legend(campaign.jobs.iter().map(name)))
            div.plots {
                (plot("Speed", "executions per second", &speed, true))
                (plot("Edges", "as libFuzzer counts them", &edges, false))
                (plot("Corpus", "cases", &cases, false))
            }
            p.note {
                "Time is campaign time, without pauses."
                @if !marks.is_empty() { " \u{2016} is where it was resumed." }
            }
            (jobs(campaign))
        }
        (sessions(campaign))
    };
    titled("progress", "by target and build", content)
}

/// Where one session ends and the next begins, in seconds without pauses.
fn boundaries(campaign: &Campaign) -> Vec<f64> {
    let mut at = 0.0;
    let ends = campaign.sessions.iter().map(|session| {
        at += session.seconds;
        at
    });
    let mut ends: Vec<f64> = ends.collect();
    ends.pop();
    ends
}

/// A reduced number of samples, including the last.
fn thinned(samples: &[Sample]) -> Vec<Sample> {
    let every = samples.len().div_ceil(SAMPLES_DRAWN).max(1);
    let mut some: Vec<Sample> = samples.iter().copied().step_by(every).collect();
    if let Some(last) = samples.last().filter(|last| some.last() != Some(last)) {
        some.push(*last);
    }
    some
}

/// Executions per second between samples, in stretches between which the job did nothing.
fn speeds(samples: &[Sample]) -> Stretches {
    let mut lengths: Vec<f64> = samples.windows(2).map(|pair| pair[1].seconds - pair[0].seconds).collect();
    lengths.sort_by(f64::total_cmp);
    let usual = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    let mut stretches = vec![Vec::new()];
    for pair in samples.windows(2) {
        let seconds = pair[1].seconds - pair[0].seconds;
        if seconds > PAUSE * usual {
            stretches.push(Vec::new());
        } else if let (Some(speed), Some(stretch)) =
            (rate(pair[1].executions.saturating_sub(pair[0].executions), seconds), stretches.last_mut())
        {
            stretch.push((pair[1].seconds, speed));
        }
    }
    stretches
}

/// The table of jobs.
const COLUMNS: [&str; 7] = ["Executions", "Per second", "Edges", "Corpus", "Restarts", "Rerun", "Time"];

fn jobs(campaign: &Campaign) -> Markup {
    html! {
        table.stack {
            caption { "Totals by job" }
            thead { tr {
                th scope="col" { "Target and build" }
                @for column in COLUMNS { th.n scope="col" { (column) } }
            } }
            tbody { @for job in &campaign.jobs { (row(job)) } }
        }
    }
}

fn row(job: &FuzzJob) -> Markup {
    let (executions, seconds) = work(job);
    let most = |field: fn(&Sample) -> u64| {
        job.samples.iter().map(field).max().map_or_else(|| "\u{2013}".to_owned(), count)
    };
    let sum =
        |field: fn(&crate::campaign::record::TimeSlice) -> u64| job.slices.iter().map(field).sum::<u64>();
    let speed =
        rate(executions, seconds).map_or_else(|| "\u{2013}".to_owned(), |speed| count(speed.round() as u64));
    let rerun = if job.rerun.is_empty() {
        "\u{2013}".to_owned()
    } else {
        format!("{} in {}", count(sum(|slice| slice.rerun_cases)), job.rerun.join(", "))
    };
    html! {
        tr {
            th scope="row" { (breakable(&name(job))) }
            td.n data-label="Executions" { (count(executions)) }
            td.n data-label="Per second" { (speed) }
            td.n data-label="Edges" { (most(|at| at.edges)) }
            td.n data-label="Corpus" { (most(|at| at.corpus_cases)) }
            td.n data-label="Restarts" { (count(sum(|slice| slice.restarts))) }
            td.n data-label="Rerun" { (rerun) }
            td.n data-label="Time" { (span(seconds)) }
        }
        @for failure in &job.failures { tr.wide { td colspan="8" { "\u{2715} " (name(job)) ": " (failure) } } }
    }
}

/// The sessions, with the pauses between them.
fn sessions(campaign: &Campaign) -> Markup {
    let word = |end| match end {
        SessionEnd::Open => "open: running, or killed and not resumed",
        SessionEnd::Killed => "killed",
        SessionEnd::Interrupted => "interrupted",
        SessionEnd::Finished => "finished",
    };
    let pause = |index: usize| {
        let (before, next) = (campaign.sessions.get(index)?, campaign.sessions.get(index + 1)?);
        Some(next.started.duration_since(before.started).as_secs_f64() - before.seconds)
    };
    html! {
        ol.sessions {
            @for (index, session) in campaign.sessions.iter().enumerate() {
                li {
                    (moment(session.started)) ": " (span(session.seconds)) ", " (word(session.end))
                    @if let Some(pause) = pause(index) { ". Pause \u{2016}" (index + 1) ": " (span(pause)) }
                }
            }
        }
    }
}

/// The running maximum: libFuzzer counts from zero after each start, while it reads its corpus.
fn most(samples: &[Sample], of: fn(&Sample) -> u64) -> Vec<(f64, f64)> {
    let so_far = samples.iter().scan(0, |most: &mut u64, at| {
        *most = (*most).max(of(at));
        Some((at.seconds, *most as f64))
    });
    so_far.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::report::made::campaign;

    fn sample(seconds: f64, executions: u64) -> Sample {
        Sample { seconds, executions, edges: 1, features: 1, corpus_cases: 1 }
    }

    #[test]
    fn a_pause_of_a_job_is_no_slow_stretch() {
        let samples = [(0.0, 0), (10.0, 100), (20.0, 300), (500.0, 300), (510.0, 350)];
        let samples = samples.map(|(seconds, executions)| sample(seconds, executions));
        assert_eq!(speeds(&samples), [vec![(10.0, 10.0), (20.0, 20.0)], vec![(510.0, 5.0)]]);
        assert_eq!(speeds(&samples[..1]), [vec![]]);
        // A clock that stood still, and a count that went back.
        assert_eq!(speeds(&[sample(1.0, 5), sample(1.0, 9), sample(2.0, 3)]), [vec![(2.0, 0.0)]]);
    }

    #[test]
    fn what_libfuzzer_counts_anew_does_not_go_back() {
        let samples = [5, 9, 2, 9, 11].map(|edges| Sample { edges, ..sample(1.0, 0) });
        assert!(most(&samples, |at| at.edges).iter().map(|(_, edges)| *edges).eq([5.0, 9.0, 9.0, 9.0, 11.0]));
    }

    #[test]
    fn many_samples_become_few_and_keep_the_last() {
        let many: Vec<Sample> = (0..10_000).map(|index| sample(f64::from(index), 0)).collect();
        let few = thinned(&many);
        assert!(few.len() <= SAMPLES_DRAWN + 1 && few.last() == many.last(), "{}", few.len());
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn sessions_and_the_pauses_between_them_are_shown() {
        let page = section(&campaign()).into_string();
        assert!(page.contains("2 h 20 min, killed. Pause \u{2016}1: 13 min 18 s"), "{page}");
        assert!(page.contains("<text class=\"mark\"") && page.contains("resumed"));
        assert_eq!(boundaries(&campaign()), [8_400.0]);
        assert_eq!(page.matches("<figure").count(), 3);
    }
}
