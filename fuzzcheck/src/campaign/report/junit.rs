//! `junit.xml` for build servers: suites are jobs, and checks by build; a new finding is a failure, a
//! known one is skipped, whatever could not run is an error.

use maud::html;

use super::summary::{Summary, Verdict, name, work};
use super::text::visible;
use crate::campaign::record::{Campaign, Check, Finding, FuzzJob, Step, StepEnd};
use crate::replay::cut_short::CutShort;
use crate::replay::protocol::OracleCounts;

/// The outcome of a test case.
enum Outcome {
    Passed,
    Skipped(String),
    Failed { kind: String, message: String, body: String },
    Error(String),
}

struct Case {
    name: String,
    class: String,
    seconds: f64,
    outcome: Outcome,
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

/// The document.
pub(super) fn render(campaign: &Campaign) -> String {
    let suites = suites(campaign);
    let sums = sums(suites.iter().flat_map(|suite| &suite.cases));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"Tandem {}\" {sums} time=\"{:.3}\">\n",
        escaped(&campaign.id),
        campaign.used_s
    );
    let timestamp = campaign.started.strftime("%Y-%m-%dT%H:%M:%S");
    for suite in &suites {
        let seconds: f64 = suite.cases.iter().map(|case| case.seconds).sum();
        let (name, sums) = (escaped(&suite.name), self::sums(suite.cases.iter()));
        xml.push_str(&format!(
            "<testsuite name=\"{name}\" {sums} time=\"{seconds:.3}\" timestamp=\"{timestamp}\">\n"
        ));
        suite.cases.iter().for_each(|case| xml.push_str(&one(case)));
        xml.push_str("</testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    visible(&xml)
}

fn sums<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            Outcome::Passed => {}
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Failed { .. } => failures += 1,
            Outcome::Error(_) => errors += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn one(case: &Case) -> String {
    let inner = match &case.outcome {
        Outcome::Passed => String::new(),
        Outcome::Skipped(why) => format!("<skipped message=\"{}\"/>", escaped(why)),
        Outcome::Failed { kind, message, body } => {
            let [kind, message, body] = [kind, message, body].map(|text| escaped(text));
            format!("<failure type=\"{kind}\" message=\"{message}\">{body}</failure>")
        }
        Outcome::Error(why) => format!("<error type=\"campaign\" message=\"{}\"/>", escaped(why)),
    };
    let (name, class) = (escaped(&case.name), escaped(&case.class));
    format!(
        "<testcase classname=\"{class}\" name=\"{name}\" time=\"{:.3}\">{inner}</testcase>\n",
        case.seconds
    )
}

/// Text for an attribute or between tags. Parsers would read a line break in an attribute as a space.
fn escaped(text: &str) -> String {
    html! { (text) }.into_string().replace('\n', "&#10;").replace('\t', "&#9;")
}

fn suites(campaign: &Campaign) -> Vec<Suite> {
    let mut suites = vec![Suite { name: "campaign".to_owned(), cases: vec![whole(campaign)] }];
    suites.extend(campaign.jobs.iter().map(|job| of_job(campaign, job)));
    // Findings that no target met while fuzzing come from the replay.
    let rest = campaign.findings.iter().filter(|finding| finder(campaign, finding).is_none());
    let cut_short = campaign.cut_short.iter().map(of_cut_short);
    suites.push(Suite {
        name: "replay".to_owned(),
        cases: rest.map(|finding| of_finding(finding, "replay")).chain(cut_short).collect(),
    });
    let mut builds: Vec<&str> = campaign.checks.iter().map(|check| check.build.as_str()).collect();
    builds.sort_unstable();
    builds.dedup();
    for build in builds {
        let checks = campaign.checks.iter().filter(|check| check.build == build);
        let cases = checks.map(|check| of_check(campaign, check)).collect();
        suites.push(Suite { name: format!("checks/{build}"), cases });
    }
    suites.push(Suite { name: "steps".to_owned(), cases: campaign.steps.iter().map(of_step).collect() });
    suites.retain(|suite| !suite.cases.is_empty());
    suites
}

/// Whether the campaign as a whole ran.
fn whole(campaign: &Campaign) -> Case {
    let summary = Summary::of(campaign);
    let is_proof = !matches!(summary.verdict, Verdict::Failed | Verdict::Incomplete);
    let complaints = summary.complaints.join("; ");
    let outcome =
        if is_proof && complaints.is_empty() { Outcome::Passed } else { Outcome::Error(complaints) };
    Case {
        name: "everything ran".to_owned(),
        class: "campaign".to_owned(),
        seconds: campaign.used_s,
        outcome,
    }
}

/// The first job with a finding.
fn finder<'c>(campaign: &'c Campaign, finding: &Finding) -> Option<&'c FuzzJob> {
    let met = |job: &&FuzzJob| job.slices.iter().any(|slice| slice.found.contains_key(&finding.signature));
    campaign.jobs.iter().find(met)
}

fn of_job(campaign: &Campaign, job: &FuzzJob) -> Suite {
    let (executions, seconds) = work(job);
    let outcome = match (job.failures.is_empty(), executions) {
        (false, _) => Outcome::Error(job.failures.join("; ")),
        (true, 0) => Outcome::Error("no case was run".to_owned()),
        (true, _) => Outcome::Passed,
    };
    let suite = name(job);
    let mut cases = vec![Case { name: "fuzzing".to_owned(), class: suite.clone(), seconds, outcome }];
    let own = |finding: &&Finding| finder(campaign, finding).is_some_and(|finder| std::ptr::eq(finder, job));
    cases.extend(campaign.findings.iter().filter(own).map(|finding| of_finding(finding, &suite)));
    Suite { name: suite, cases }
}

fn of_finding(finding: &Finding, suite: &str) -> Case {
    let outcome = if finding.is_new {
        let sql = finding.sql.as_deref().unwrap_or("(no SQL: the damage is in the files of the case)");
        Outcome::Failed {
            kind: finding.signature.clone(),
            message: finding.message.clone(),
            body: format!("{}\n\n{}\n\n{sql}\n", finding.message, finding.replay),
        }
    } else {
        let known =
            finding.known_as.as_deref().map_or_else(|| "known".to_owned(), |name| format!("known as {name}"));
        Outcome::Skipped(format!("{known}: {}", finding.message))
    };
    Case { name: finding.signature.clone(), class: suite.to_owned(), seconds: 0.0, outcome }
}

fn of_cut_short(cut: &CutShort) -> Case {
    let CutShort { limit, lifted_by, cases } = cut;
    let why = format!("{cases} cases were not run to the end; {lifted_by} lifts the limit");
    let (name, class) = (format!("cut short by {limit}"), "replay".to_owned());
    Case { name, class, seconds: 0.0, outcome: Outcome::Skipped(why) }
}

fn of_check(campaign: &Campaign, check: &Check) -> Case {
    let OracleCounts { passed, failed, .. } = check.counts;
    let reasons = check.counts.reasons();
    let reasons: Vec<String> = reasons.iter().map(|(why, cases)| format!("{why}: {cases}")).collect();
    let own = || {
        campaign.findings.iter().filter(|finding| finding.signature.split('/').next() == Some(&check.name))
    };
    let outcome = if failed > 0 && own().count() > 0 && own().all(|finding| !finding.is_new) {
        Outcome::Skipped(format!("{} cases failed, with known findings only", failed))
    } else if failed > 0 {
        let message = format!("{} of {} cases failed", failed, failed + passed);
        Outcome::Failed { kind: check.name.clone(), message, body: String::new() }
    } else if passed == 0 {
        Outcome::Skipped(format!("not judged ({})", reasons.join(", ")))
    } else {
        Outcome::Passed
    };
    Case { name: check.name.clone(), class: format!("checks/{}", check.build), seconds: 0.0, outcome }
}

fn of_step(step: &Step) -> Case {
    let why = |otherwise: &str| step.why.clone().unwrap_or_else(|| otherwise.to_owned());
    let outcome = match step.end {
        StepEnd::Done => Outcome::Passed,
        StepEnd::Skipped => Outcome::Skipped(why("skipped")),
        StepEnd::Failed => Outcome::Error(why("it failed")),
        StepEnd::Open => Outcome::Error(why("it is unfinished")),
    };
    Case { name: step.name.clone(), class: "steps".to_owned(), seconds: step.seconds, outcome }
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::*;
    use crate::campaign::report::made::campaign;

    fn find<'d>(document: &'d Document<'d>, class: &str, name: &str) -> Node<'d, 'd> {
        let is_it = |node: &Node<'_, '_>| {
            node.has_tag_name("testcase")
                && node.attribute("classname") == Some(class)
                && node.attribute("name") == Some(name)
        };
        document.descendants().find(is_it).unwrap_or_else(|| panic!("{class} {name}"))
    }

    /// The outcome of a test case, and its message.
    fn outcome<'d>(document: &'d Document<'d>, class: &str, name: &str) -> (&'d str, &'d str) {
        let inner = find(document, class, name).first_element_child();
        inner.map_or(("passed", ""), |inner| {
            (inner.tag_name().name(), inner.attribute("message").unwrap_or_default())
        })
    }

    #[test]
    fn everything_of_a_campaign_is_a_test_case() {
        let xml = render(&campaign());
        let document = Document::parse(&xml).unwrap();
        assert_eq!(outcome(&document, "db_sql/asan", "fuzzing").0, "passed");
        assert_eq!(outcome(&document, "db_sql/asan", "integrity/index/missing-row").0, "failure");
        let (kind, message) = outcome(&document, "replay", "format/freelist/leaf-twice");
        assert_eq!(
            (kind, message),
            ("skipped", "known as freelist-leaf-twice: page 7 is twice in the freelist")
        );
        let (kind, message) = outcome(&document, "replay", "cut short by VM steps");
        assert_eq!(kind, "skipped");
        assert!(message.contains("31 cases") && message.contains("--limit-vm-steps"), "{message}");
        assert_eq!(outcome(&document, "db_file/asan", "fuzzing").0, "error");
        assert_eq!(outcome(&document, "checks/release", "close").0, "passed");
        assert_eq!(outcome(&document, "checks/release", "integrity").0, "failure");
        assert_eq!(outcome(&document, "checks/release", "format").0, "skipped");
        assert!(outcome(&document, "checks/debug", "norec").1.starts_with("not judged ("));
        assert_eq!(outcome(&document, "steps", "notify"), ("skipped", "no --notify-cmd was given"));
        assert_eq!(outcome(&document, "campaign", "everything ran").0, "error", "a build failed");
    }

    #[test]
    fn the_sums_are_those_of_the_cases() {
        let xml = render(&campaign());
        let document = Document::parse(&xml).unwrap();
        let suites = || document.descendants().filter(|node| node.has_tag_name("testsuite"));
        for (sum, tag) in
            [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
        {
            let tags =
                |node: Node<'_, '_>| node.descendants().filter(|inner| inner.has_tag_name(tag)).count();
            let said = |node: Node<'_, '_>| node.attribute(sum).unwrap().parse::<usize>().unwrap();
            assert_eq!(said(document.root_element()), tags(document.root()), "{sum}");
            suites().for_each(|suite| assert_eq!(said(suite), tags(suite), "{sum}"));
        }
    }

    #[test]
    fn what_a_case_says_is_text_and_valid_xml() {
        let xml = render(&campaign());
        let document = Document::parse(&xml).unwrap();
        let body = find(&document, "db_sql/asan", "crash/SIGSEGV/fts5WriteDlidxClear")
            .first_element_child()
            .unwrap();
        let text = body.text().unwrap();
        assert!(
            text.contains("</script><script>alert(1)") && text.contains("a NUL \u{27e8}U+0000\u{27e9}"),
            "{text}"
        );
        assert!(text.contains("]]>") && text.contains("\n"), "{text}");
    }

    #[test]
    fn a_campaign_that_ran_nothing_is_an_error() {
        let mut none = campaign();
        (none.jobs, none.findings, none.checks, none.steps) = Default::default();
        let xml = render(&none);
        let document = Document::parse(&xml).unwrap();
        assert_eq!(outcome(&document, "campaign", "everything ran").0, "error");
        assert_eq!(document.root_element().attribute("errors"), Some("1"));
    }
}
