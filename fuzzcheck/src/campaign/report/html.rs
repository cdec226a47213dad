//! `report.html`: one self-contained page without scripts.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::summary::{Summary, Verdict};
use super::text::{address, count, counted, moment, span, visible};
use super::{findings, progress, tables};
use crate::campaign::record::{Campaign, StepEnd};

/// The page may load nothing; its styles are inline.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page. `links` is the folder that links in the record are relative to, if not that of the page.
pub(super) fn render(campaign: &Campaign, links: Option<&Path>) -> String {
    let summary = Summary::of(campaign);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (summary.headline()) " \u{b7} " (campaign.id) " \u{b7} Tandem" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (head(campaign, &summary))
                main {
                    (findings::section(campaign, links))
                    (tables::coverage(campaign, links))
                    (progress::section(campaign))
                    (tables::checks(campaign))
                    (tables::slowest(campaign))
                    (tables::gaps(campaign))
                    (tables::steps(campaign))
                    (tables::made_of(campaign))
                }
                footer { p { "Tandem " (campaign.build.tandem) ". Machine-readable: report.json, junit.xml." } }
            }
        }
    };
    visible(&page.into_string())
}

/// The summary: results and effort.
fn head(campaign: &Campaign, summary: &Summary) -> Markup {
    let (class, sign) = match summary.verdict {
        Verdict::Failed => ("bad", "\u{2715}"),
        Verdict::New => ("bad", "\u{25b2}"),
        Verdict::Incomplete => ("warn", "\u{25d0}"),
        Verdict::Known => ("warn", "\u{25cf}"),
        Verdict::Clean => ("good", "\u{2713}"),
    };
    html! {
        header.(class) {
            p.kicker { "Tandem \u{b7} campaign of " time datetime=(campaign.started) { (moment(campaign.started)) } }
            h1 { span.sign aria-hidden="true" { (sign) } " " (summary.headline()) }
            p.lead { (lead(campaign, summary)) }
            @if !(summary.complaints.is_empty() && summary.warnings.is_empty()) {
                ul.complaints {
                    @for why in &summary.complaints { li { (why) } }
                    @for why in &summary.warnings { li { "warning: " (why) } }
                }
            }
            dl.figures {
                (figure("New findings", &count(summary.new_findings), "by signature"))
                (figure("Known findings", &count(summary.known_findings), "seen again"))
                (figure("Executions", &count(summary.executions), &speed(summary)))
                @if let Some(reached) = &campaign.coverage {
                    (figure("Branches", &format!("{:.2} %", reached.total.branches.percent()), "of sqlite3.c"))
                } @else {
                    (figure("Branches", "\u{2013}", "coverage was not measured"))
                }
            }
            nav aria-label="Sections" {
                @for (id, name) in SECTIONS { a href={ "#" (id) } { (name) } }
            }
        }
    }
}

/// The sections, by their ids.
const SECTIONS: [(&str, &str); 8] = [
    ("findings", "Findings"),
    ("coverage", "Coverage"),
    ("progress", "Progress"),
    ("checks", "Checks"),
    ("slowest", "Slowest cases"),
    ("gaps", "Gaps"),
    ("steps", "Steps"),
    ("build", "Build and machine"),
];

fn figure(name: &str, value: &str, note: &str) -> Markup {
    html! { div { dt { (name) } dd { span.value { (value) } span.note { (note) } } } }
}

fn speed(summary: &Summary) -> String {
    summary.executions_per_s.map_or_else(
        || "nothing was fuzzed".to_owned(),
        |rate| format!("{} per second of fuzzing", count(rate.round() as u64)),
    )
}

/// Time and sessions in a sentence.
fn lead(campaign: &Campaign, summary: &Summary) -> String {
    let sessions = counted(campaign.sessions.len() as u64, "session");
    let kills = match summary.kills {
        0 => String::new(),
        1 => ", killed once".to_owned(),
        kills => format!(", killed {kills} times"),
    };
    let end = campaign
        .ended
        .map_or_else(|| "not finished yet".to_owned(), |ended| format!("finished at {}", moment(ended)));
    format!("{} of {} used in {sessions}{kills}; {end}.", span(campaign.used_s), span(campaign.budget_s))
}

/// A section with its heading.
pub(super) fn section(id: &str, note: &str, content: Markup) -> Markup {
    let name = SECTIONS.iter().find_map(|(known, name)| (*known == id).then_some(*name)).unwrap_or(id);
    html! {
        section id=(id) aria-labelledby={ "h-" (id) } {
            h2 id={ "h-" (id) } { (name) @if !note.is_empty() { " " span.note { (note) } } }
            (content)
        }
    }
}

/// States that there is nothing to show, and why.
pub(super) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

/// Why a step, or its part for a target, has no results for a section.
pub(super) fn why_not(campaign: &Campaign, step: &str) -> String {
    let is_it =
        |name: &str| name.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let step = campaign.steps.iter().rev().find(|made| is_it(&made.name));
    let Some(step) = step else {
        return "the step was not reached".to_owned();
    };
    let why = step.why.as_deref();
    match step.end {
        StepEnd::Open => "the step is unfinished".to_owned(),
        StepEnd::Done => why.unwrap_or("the step is done, without results").to_owned(),
        StepEnd::Skipped => why.map_or_else(|| "it was skipped".to_owned(), |why| format!("skipped: {why}")),
        StepEnd::Failed => why.map_or_else(|| "it failed".to_owned(), |why| format!("failed: {why}")),
    }
}

/// A link to a file of the campaign.
pub(super) fn link(path: &str, text: &str, links: Option<&Path>) -> Markup {
    let whole =
        links.map_or_else(|| path.to_owned(), |folder| folder.join(path).to_string_lossy().into_owned());
    html! { a href=(address(&whole)) { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::report::made::campaign;

    #[test]
    fn every_section_is_there_once_and_the_contents_lead_to_it() {
        let page = render(&campaign(), None);
        for (id, name) in SECTIONS {
            assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
            assert!(page.contains(&format!("<a href=\"#{id}\">{name}</a>")), "{id}");
        }
        assert_eq!(page.matches("<section").count(), SECTIONS.len());
    }

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let page = render(&campaign(), None);
        for what in ["<script", "http://", "https://", "<link", "<iframe", "@import", "url(", "<img"] {
            let text = page.replace("http-equiv", "");
            assert!(!text.contains(what), "{what}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn what_is_not_there_is_said_in_words() {
        let mut none = campaign();
        none.findings.clear();
        none.coverage = None;
        none.steps.retain(|step| step.name != "coverage");
        none.steps.push(crate::campaign::record::Step {
            name: "coverage".into(),
            end: StepEnd::Skipped,
            seconds: 0.0,
            why: Some("clang is missing".into()),
        });
        let replay = none.steps.iter_mut().find(|step| step.name == "replay sql").unwrap();
        (replay.end, replay.why) = (StepEnd::Failed, Some("no worker".into()));
        (none.checks, none.slowest, none.gaps, none.trend, none.jobs) = Default::default();
        let page = render(&none, None);
        for words in [
            "No findings",
            "Coverage was not measured: skipped: clang is missing",
            "No case was replayed: failed: no worker",
            "Failed: no case was run",
            "no target was fuzzed",
        ] {
            assert!(page.contains(words), "{words}");
        }
    }

    #[test]
    fn links_lead_to_the_folder_of_the_campaign() {
        let here = render(&campaign(), None);
        assert!(here.contains("href=\"findings/integrity%20index.md\""));
        assert!(here.contains("href=\"coverage/index.html\""));
        assert!(
            render(&campaign(), Some(Path::new("/c/x")))
                .contains("href=\"/c/x/findings/integrity%20index.md\"")
        );
    }
}
