//! The bugs, new ones first: message, smallest case, and the command to reproduce it.

use std::path::Path;

use maud::{Markup, html};

use super::html::{empty, link, section as titled};
use super::text::{count, counted, moment, size};
use crate::campaign::record::{Campaign, Finding};

/// Maximum bytes of a script on the page; the case has the rest.
const SQL_SHOWN: usize = 4_000;

/// The section.
pub(super) fn section(campaign: &Campaign, links: Option<&Path>) -> Markup {
    let (new, known): (Vec<&Finding>, Vec<&Finding>) =
        campaign.findings.iter().partition(|finding| finding.is_new);
    let note = format!("{} new, {} known", count(new.len() as u64), count(known.len() as u64));
    let content = html! {
        @if campaign.findings.is_empty() {
            (empty("No findings: no case showed a bug."))
        }
        @for finding in new.iter().chain(&known) { (one(finding, links)) }
    };
    titled("findings", &note, content)
}

fn one(finding: &Finding, links: Option<&Path>) -> Markup {
    html! {
        article.finding.new[finding.is_new] {
            p.badge {
                @if finding.is_new { "\u{25b2} New" } @else {
                    "\u{25cf} Known"
                    @if let Some(name) = &finding.known_as { " as " code { (name) } }
                }
            }
            h3 { code { (breakable(&finding.signature)) } }
            p.message dir="auto" { (finding.message) }
            dl.facts {
                div { dt { "Cases" } dd { (count(finding.cases)) } }
                div { dt { "Smallest" } dd { (size(finding.case_bytes)) } }
                div { dt { "Target" } dd { (finding.target) } }
                div { dt { "Builds" } dd { (finding.builds.join(", ")) } }
                div { dt { "First seen" } dd { (moment(finding.first_seen)) } }
                div { dt { "Last seen" } dd { (moment(finding.last_seen)) } }
            }
            @match &finding.sql {
                Some(sql) => (script(sql)),
                None => p.empty { "The smallest case has no SQL: the damage is in its files." },
            }
            p.run { span.label { "Reproduce" } code { (finding.replay) } }
            @if let Some(file) = &finding.file {
                p { (link(file, "Report, ready to be filed", links)) }
            }
        }
    }
}

/// A script, as long as a page can show.
fn script(sql: &str) -> Markup {
    let shown = &sql[..sql.floor_char_boundary(SQL_SHOWN)];
    let rest = (sql.len() - shown.len()) as u64;
    html! {
        pre tabindex="0" role="region" aria-label="SQL of the smallest case" dir="ltr" { code { (shown) } }
        @if rest > 0 { p.note { "and " (counted(rest, "byte")) " more, in the case" } }
    }
}

/// A signature with line breaks allowed after slashes.
pub(super) fn breakable(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('/').enumerate() {
            @if index > 0 { "/" wbr; }
            (part)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::report::made::campaign;

    #[test]
    fn new_ones_come_first_and_sql_is_text() {
        let mut made = campaign();
        made.findings.reverse();
        let page = section(&made, None).into_string();
        let at = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what}: {page}"));
        assert!(at("\u{25b2} New") < at("\u{25cf} Known"));
        assert!(
            at("&lt;/script&gt;&lt;script&gt;alert(1)") > 0 && at("&lt;img src=x onerror=alert(2)&gt;") > 0
        );
        assert_eq!(page.matches("<article").count(), 4);
        assert!(page.contains("2 new, 2 known") && page.contains("The smallest case has no SQL"));
    }

    #[test]
    fn a_long_script_is_cut_between_characters() {
        let page = script(&"\u{e9}".repeat(SQL_SHOWN)).into_string();
        assert!(page.contains("and 4,000 bytes more"), "{}", page.len());
        assert!(!script("SELECT 1").into_string().contains("more"));
    }
}
