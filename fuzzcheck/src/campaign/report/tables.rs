//! The tables of the page: coverage, checks, slow cases, gaps, steps, build and machine.

use std::path::Path;

use maud::{Markup, html};

use super::findings::breakable;
use super::html::{empty, link, section, why_not};
use super::plot::{Along, Plot, Series};
use super::shares;
use super::text::{count, counted, percent, size, span};
use crate::campaign::record::{Campaign, Check, Gap, GapKind, Night, Reached, Step, StepEnd};
use crate::coverage::build::Count;
use crate::replay::cut_short;
use crate::replay::protocol::OracleCounts;

/// How many gaps are shown initially.
const GAPS_SHOWN: usize = 40;

/// What is reached, in total, by module, and from night to night.
pub(super) fn coverage(campaign: &Campaign, links: Option<&Path>) -> Markup {
    let content = html! {
        @match &campaign.coverage {
            None => (empty(&format!("Coverage was not measured: {}.", why_not(campaign, "coverage")))),
            Some(reached) => (reached_now(reached, links)),
        }
        (trend(&campaign.trend))
    };
    let note = campaign
        .coverage
        .as_ref()
        .map(|reached| format!("of sqlite3.c by {}", counted(reached.cases, "case")));
    section("coverage", &note.unwrap_or_default(), content)
}

fn reached_now(reached: &Reached, links: Option<&Path>) -> Markup {
    let total = reached.total;
    let totals = [
        ("Branches", total.branches),
        ("Lines", total.lines),
        ("Functions", total.functions),
        ("Regions", total.regions),
    ];
    html! {
        dl.meters {
            @for (name, of) in totals {
                div {
                    dt { (name) }
                    dd {
                        strong { (percent(of.percent())) }
                        (bar(of))
                        span.note { (count(of.covered)) " of " (count(of.total)) }
                    }
                }
            }
        }
        @if let Some(page) = &reached.html { p { (link(page, "The source, line by line", links)) } }
        @if reached.modules.is_empty() { (empty("Modules were not counted.")) } @else {
            table.modules {
                caption { "By source module, in the order of the amalgamation" }
                thead { tr {
                    th scope="col" { "Module" }
                    th scope="col" { "Branches" }
                    th.n.wide-only scope="col" { "Covered" }
                    th.n.wide-only scope="col" { "Of" }
                    th.n.lines scope="col" { "Lines" }
                    th.n scope="col" { "Func\u{ad}tions" }
                } }
                tbody {
                    @for module in &reached.modules {
                        @let branches = module.reached.branches;
                        tr {
                            th scope="row" { (module.name) }
                            td.bar-cell {
                                @if branches.total == 0 { span.note { "none" } } @else {
                                    (bar(branches))
                                    span.share { (percent(branches.percent())) }
                                }
                            }
                            td.n.wide-only { (count(branches.covered)) }
                            td.n.wide-only { (count(branches.total)) }
                            td.n.lines { (share(module.reached.lines)) }
                            td.n { (share(module.reached.functions)) }
                        }
                    }
                }
            }
        }
    }
}

fn share(of: Count) -> String {
    if of.total == 0 { "\u{2013}".to_owned() } else { percent(of.percent()) }
}

/// A bar beside a number.
fn bar(of: Count) -> Markup {
    html! { span.bar aria-hidden="true" { span style=(format!("width:{:.1}%", of.percent().clamp(0.0, 100.0))) {} } }
}

fn trend(nights: &[Night]) -> Markup {
    let points =
        |value: &dyn Fn(&Night) -> f64| vec![(0..).map(f64::from).zip(nights.iter().map(value)).collect()];
    let plot = |title: &str, unit, from_zero, stretches| {
        let day = |night: Option<&Night>| {
            night.map_or_else(String::new, |night| night.started.strftime("%m-%d").to_string())
        };
        let along = Along::Nights(day(nights.first()), day(nights.last()));
        let series = [Series { label: title.to_owned(), stretches }];
        Plot { title, unit, along, from_zero, series: &series, marks: &[] }.render()
    };
    html! {
        h3 { "From night to night" }
        @if nights.len() < 2 {
            (empty("There is no trend yet: this is the first night with measured coverage."))
        } @else {
            div.plots {
                (plot("Branches", "%", false, points(&|night| night.total.branches.percent())))
                (plot("Executions", "a night", true, points(&|night| night.executions as f64)))
                (plot("Shipped corpora", "cases", false, points(&|night| night.corpus_cases as f64)))
            }
            details {
                summary { "The " (nights.len()) " nights as a table" }
                table {
                    thead { tr {
                        th scope="col" { "Night" }
                        @for column in ["Branches", "Executions", "Corpus", "New"] { th.n scope="col" { (column) } }
                    } }
                    tbody { @for night in nights.iter().rev() { tr {
                        th scope="row" { (night.started.strftime("%Y-%m-%d").to_string()) }
                        td.n { (format!("{:.2} %", night.total.branches.percent())) }
                        td.n { (count(night.executions)) }
                        td.n { (count(night.corpus_cases)) }
                        td.n { (count(night.new_findings)) }
                    } } }
                }
            }
        }
    }
}

/// Every check of the replay: what it judged, and why not the rest.
pub(super) fn checks(campaign: &Campaign) -> Markup {
    let row = |check: &Check| {
        let OracleCounts { passed, failed, checks, nontrivial, .. } = check.counts;
        let reasons = check.counts.reasons();
        let silent = passed == 0 && failed == 0;
        html! {
            tr {
                th scope="row" { (check.name) " " span.note { (check.build) } }
                td.n data-label="Passed" { (count(passed)) }
                td.n data-label="Failed" {
                    @if failed > 0 { strong.failed { "\u{2715} " (count(failed)) } } @else { "0" }
                }
                td.n data-label="Not judged" { (count(check.counts.not_judged.values().sum())) }
                td.n data-label="Judged" {
                    (format!("{:.1} %", check.counts.judged_percent()))
                    @if let Some(before) = shares::before(campaign, check) {
                        " " span.note { (format!("before {:.1} %", before.counts.judged_percent())) }
                    }
                }
                td.full data-label="Why" {
                    @if silent { strong { "it judged nothing. " } }
                    @for (index, (why, cases)) in reasons.iter().enumerate() {
                        @if index > 0 { "; " }
                        (why) " " span.note { (count(*cases)) }
                    }
                    @if checks > 0 { " (" (count(checks)) " checks, " (count(nontrivial)) " not trivial)" }
                }
            }
        }
    };
    let content = html! {
        @if campaign.checks.is_empty() {
            (empty(&format!("No case was replayed: {}.", why_not(campaign, "replay"))))
        } @else {
            table.stack {
                thead { tr {
                    th scope="col" { "Check" }
                    @for column in ["Passed", "Failed", "Not judged", "Judged"] { th.n scope="col" { (column) } }
                    th scope="col" { "Not judged because" }
                } }
                tbody { @for check in &campaign.checks { (row(check)) } }
            }
            @if !campaign.cut_short.is_empty() {
                p { strong { "Cut short" } ", not run to the end: " (cut_short::in_words(&campaign.cut_short)) "." }
            }
        }
    };
    section("checks", "in the replay of the corpora", content)
}

/// The cases that took longest.
pub(super) fn slowest(campaign: &Campaign) -> Markup {
    let content = html! {
        @if campaign.slowest.is_empty() { (empty("No case was timed.")) } @else {
            table.stack {
                thead { tr {
                    th scope="col" { "Case" }
                    th scope="col" { "Target" }
                    th.n scope="col" { "CPU time" }
                    th.n scope="col" { "VM steps" }
                } }
                tbody { @for slow in &campaign.slowest { tr {
                    th scope="row" { code { (breakable(&slow.case)) } }
                    td data-label="Target" { (slow.target) }
                    td.n data-label="CPU time" { (count(slow.cpu_ms)) " ms" }
                    td.n data-label="VM steps" { (count(slow.vm_steps)) }
                } } }
            }
        }
    };
    section("slowest", "by CPU time", content)
}

/// What nothing reaches.
pub(super) fn gaps(campaign: &Campaign) -> Markup {
    let mut all: Vec<&Gap> = campaign.gaps.iter().collect();
    all.sort_by_key(|gap| std::cmp::Reverse(gap.size));
    let (first, rest) = all.split_at(all.len().min(GAPS_SHOWN));
    let content = html! {
        @if all.is_empty() {
            (empty(&format!("No gaps are listed: {}.", why_not(campaign, "gaps"))))
        } @else {
            (gap_table(first))
            @if !rest.is_empty() {
                details { summary { (counted(rest.len() as u64, "more gap")) } (gap_table(rest)) }
            }
        }
    };
    section("gaps", &format!("{} that no case reaches, largest first", count(all.len() as u64)), content)
}

fn gap_table(gaps: &[&Gap]) -> Markup {
    let kind = |kind| match kind {
        GapKind::Function => "function",
        GapKind::Opcode => "opcode",
        GapKind::SqlFunction => "SQL function",
        GapKind::Pragma => "pragma",
        GapKind::ResultCode => "result code",
    };
    html! {
        table.stack {
            thead { tr {
                th scope="col" { "Name" }
                th scope="col" { "Kind" }
                th scope="col" { "Where" }
                th.n scope="col" { "Branches" }
                th scope="col" { "What could reach it" }
            } }
            tbody { @for gap in gaps { tr {
                th scope="row" { code { (gap.name) } }
                td data-label="Kind" { (kind(gap.kind)) }
                td data-label="Where" { (gap.module.as_deref().unwrap_or("\u{2013}")) }
                td.n data-label="Branches" { @if gap.size == 0 { "\u{2013}" } @else { (count(gap.size)) } }
                td.full data-label="Could be reached by" { (gap.target.as_deref().unwrap_or("no target")) }
            } } }
        }
    }
}

/// The steps after fuzzing.
pub(super) fn steps(campaign: &Campaign) -> Markup {
    let end = |step: &Step| match step.end {
        StepEnd::Open => "\u{25d0} unfinished",
        StepEnd::Done => "\u{2713} done",
        StepEnd::Skipped => "\u{2013} skipped",
        StepEnd::Failed => "\u{2715} failed",
    };
    let content = html! {
        @if campaign.steps.is_empty() { (empty("There were no steps beside fuzzing.")) } @else {
            table.stack {
                thead { tr {
                    th scope="col" { "Step" }
                    th scope="col" { "End" }
                    th.n scope="col" { "Time" }
                    th scope="col" { "Why" }
                } }
                tbody { @for step in &campaign.steps { tr {
                    th scope="row" { (step.name) }
                    td data-label="End" {
                        @if step.end == StepEnd::Failed { strong.failed { (end(step)) } } @else { (end(step)) }
                    }
                    td.n data-label="Time" { (span(step.seconds)) }
                    td.full data-label="Why" { (step.why.as_deref().unwrap_or("")) }
                } } }
            }
        }
    };
    section("steps", "in order", content)
}

/// What was fuzzed, and where.
pub(super) fn made_of(campaign: &Campaign) -> Markup {
    let (build, machine) = (&campaign.build, &campaign.machine);
    let memory = machine.memory_bytes.map_or_else(|| "unknown".to_owned(), size);
    let content = html! {
        dl.facts.long {
            div { dt { "SQLite" } dd { (build.version) } }
            div { dt { "Source id" } dd { code { (build.source_id) } } }
            div { dt { "Tandem" } dd { (build.tandem) } }
            div { dt { "Toolchain" } dd { (build.rustc) } }
            div { dt { "System" } dd { (machine.system) } }
            div { dt { "Machine" } dd { (counted(machine.cores as u64, "core")) ", " (memory) " of memory" } }
            div { dt { "Campaign" } dd { (campaign.id) } }
        }
        h3 { "Compile options" }
        @if build.compile_options.is_empty() { (empty("None are known.")) } @else {
            ul.options { @for option in &build.compile_options { li { code { (option) } } } }
        }
    };
    section("build", "", content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::report::made::campaign;

    #[test]
    fn gaps_beyond_the_first_are_folded_and_none_is_lost() {
        let made = campaign();
        let page = gaps(&made).into_string();
        let (first, rest) = page.split_once("<details>").unwrap();
        assert_eq!(first.matches("<tr><th scope=\"row\">").count(), GAPS_SHOWN);
        assert_eq!(rest.matches("<tr><th scope=\"row\">").count(), made.gaps.len() - GAPS_SHOWN);
        assert!(first.find("unixLock").unwrap() < first.find("fts5MergePrefixLists").unwrap());
    }

    #[test]
    fn a_check_that_is_always_silent_is_named() {
        let page = checks(&campaign()).into_string();
        assert_eq!(page.matches("it judged nothing").count(), 1);
        assert!(page.contains("49.9 %") && page.contains("before 52.0 %"), "{page}");
        assert!(page.contains("no SELECT with a WHERE") && page.contains("3,647"));
    }

    #[test]
    fn what_was_cut_short_is_told_with_what_lifts_it() {
        let mut made = campaign();
        assert!(checks(&made).into_string().contains("31 by VM steps (--limit-vm-steps)"));
        made.cut_short.clear();
        assert!(!checks(&made).into_string().contains("Cut short"));
    }

    #[test]
    fn every_header_has_a_scope() {
        let made = campaign();
        for page in [coverage(&made, None), checks(&made), slowest(&made), gaps(&made), steps(&made)] {
            let page = page.into_string();
            assert_eq!(
                page.matches("<th").count(),
                page.matches("<thead").count() + page.matches(" scope=\"").count()
            );
        }
    }

    #[test]
    fn the_first_night_has_no_trend() {
        let mut made = campaign();
        made.trend.truncate(1);
        assert!(coverage(&made, None).into_string().contains("There is no trend yet"));
    }
}
