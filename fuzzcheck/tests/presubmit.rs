//! The rules of OSS-Fuzz's presubmit check and of ClusterFuzzLite, over the files that are handed to them; and what holds
//! for workflows and the container file. Each rule is seen to complain.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::{names_in, project};
use tandem::targets::TARGETS;

/// Sections that `project.yaml` may have (VALID_SECTION_NAMES of OSS-Fuzz's infra/presubmit.py).
const SECTIONS: [&str; 19] = [
    "architectures",
    "auto_ccs",
    "blackbox",
    "builds_per_day",
    "coverage_extra_args",
    "disabled",
    "file_github_issue",
    "fuzzing_engines",
    "help_url",
    "homepage",
    "labels",
    "language",
    "main_repo",
    "primary_contact",
    "run_tests",
    "sanitizers",
    "selective_unpack",
    "vendor_ccs",
    "view_restrictions",
];
/// What a file has that says under which licence it is.
const LICENCE: &str = "http://www.apache.org/licenses/LICENSE-2.0";

fn text(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Keys of the first level with what follows on their line.
fn keys(yaml: &str) -> Vec<(&str, &str)> {
    let is_key = |line: &&str| !line.is_empty() && !line.starts_with([' ', '#', '-']);
    let split = |line| str::split_once(line, ':').map(|(key, value)| (key, value.trim().trim_matches('"')));
    yaml.lines().filter(is_key).filter_map(split).collect()
}

fn value<'a>(yaml: &'a str, key: &str) -> Option<&'a str> {
    keys(yaml).into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// The entries of a list.
fn entries<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    let lines = yaml.lines().skip_while(|line| !line.starts_with(&format!("{key}:"))).skip(1);
    lines.map_while(|line| line.strip_prefix("  - ")).collect()
}

fn problems_of_project(yaml: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, _) in keys(yaml) {
        if !SECTIONS.contains(&key) {
            problems.push(format!("section {key}"));
        }
    }
    for key in ["homepage", "language", "main_repo", "primary_contact"] {
        if value(yaml, key).is_none_or(str::is_empty) {
            problems.push(format!("no {key}"));
        }
    }
    if value(yaml, "language") != Some("rust") {
        problems.push("language".to_owned());
    }
    if !value(yaml, "primary_contact").is_some_and(|mail| mail.contains('@') && mail.contains('.')) {
        problems.push("mail".to_owned());
    }
    // All that there is for Rust.
    for (key, only) in [("sanitizers", "address"), ("fuzzing_engines", "libfuzzer")] {
        if entries(yaml, key) != [only] {
            problems.push(format!("{key}: {:?}", entries(yaml, key)));
        }
    }
    problems.extend((!yaml.contains(LICENCE)).then(|| "licence".to_owned()));
    problems
}

fn problems_of_dockerfile(docker: &str, from: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let docker = docker.replace("\\\n", " ");
    let first = docker.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    if first != Some(from) {
        problems.push(format!("{first:?} instead of {from}"));
    }
    for line in docker.lines().filter(|line| line.contains("apt-get install")) {
        let (update, install) = (line.find("apt-get update"), line.find("apt-get install"));
        if update.is_none() || update > install {
            problems.push(format!("no update before: {line}"));
        }
    }
    let name =
        docker.split("$SRC/").nth(1).and_then(|rest| rest.split(['"', ' ', '\n']).next()).unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) || name.contains("google") {
        problems.push(format!("name {name}"));
    }
    // What is fetched without a version or a checksum.
    problems.extend(docker.lines().any(|line| line.starts_with("ADD ")).then(|| "ADD".to_owned()));
    if !docker.lines().any(|line| line.starts_with("COPY") && line.ends_with("build.sh $SRC/")) {
        problems.push("build.sh is not copied".to_owned());
    }
    problems.extend((!docker.contains(LICENCE)).then(|| "licence".to_owned()));
    problems
}

fn problems_of_script(path: &Path) -> Vec<String> {
    let script = fs::read_to_string(path).unwrap();
    let mut problems = Vec::new();
    let code = |line: &str| line.split('#').next().unwrap_or_default().contains("-lFuzzingEngine");
    problems.extend(script.lines().any(code).then(|| "-lFuzzingEngine".to_owned()));
    problems.extend((!script.starts_with("#!/bin/bash -eu\n")).then(|| "#!/bin/bash -eu".to_owned()));
    problems.extend((!script.contains(LICENCE)).then(|| "licence".to_owned()));
    let mode = fs::metadata(path).unwrap().permissions().mode();
    problems.extend((mode & 0o111 != 0o111).then(|| "not executable".to_owned()));
    problems
}

/// Actions that are not pinned to a commit, with the version that it is in a comment.
fn loose_actions(workflow: &str) -> Vec<&str> {
    let is_pinned = |action: &&str| {
        let (_, version) = action.split_once('@').unwrap_or_default();
        let (commit, name) = version.split_once(" # ").unwrap_or_default();
        commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) && name.starts_with('v')
    };
    let actions =
        workflow.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "));
    actions.filter(|action| !is_pinned(action)).collect()
}

fn workflows() -> Vec<PathBuf> {
    let folder = project().join(".github/workflows");
    names_in(&folder).iter().map(|name| folder.join(name)).collect()
}

#[test]
fn what_goes_to_oss_fuzz_is_in_order() {
    let yaml = text("fuzz/oss-fuzz/project.yaml");
    assert_eq!(problems_of_project(&yaml), [""; 0]);
    let docker = text("fuzz/oss-fuzz/Dockerfile");
    assert_eq!(problems_of_dockerfile(&docker, "FROM gcr.io/oss-fuzz-base/base-builder-rust"), [""; 0]);
    // One place, said twice; and three times, once it is published.
    let repository =
        docker.lines().find_map(|line| line.strip_prefix("ARG REPOSITORY=")).expect("a repository");
    assert_eq!(value(&yaml, "main_repo"), Some(repository));
    let manifest = text("Cargo.toml");
    if let Some(line) = manifest.lines().find(|line| line.starts_with("repository")) {
        assert!(line.contains(&format!("\"{repository}\"")), "{line}");
    } else {
        assert!(repository.contains("/OWNER/"), "Cargo.toml does not say `repository = \"{repository}\"`");
    }
    // No zip, nothing else.
    let folder = project().join("fuzz/oss-fuzz");
    assert_eq!(names_in(&folder), ["Dockerfile", "build.sh", "project.yaml"]);
}

#[test]
fn what_goes_to_clusterfuzzlite_is_in_order() {
    let folder = project().join(".clusterfuzzlite");
    assert_eq!(names_in(&folder), ["Dockerfile", "build.sh", "project.yaml"]);
    assert_eq!(keys(&text(".clusterfuzzlite/project.yaml")), [("language", "rust")]);
    let docker = text(".clusterfuzzlite/Dockerfile");
    assert_eq!(problems_of_dockerfile(&docker, "FROM gcr.io/oss-fuzz-base/base-builder-rust:v1"), [""; 0]);
    assert!(docker.contains("\nCOPY . $SRC/sqlite-tandem\n"), "{docker}");
}

#[test]
fn scripts_are_in_order() {
    for script in
        ["fuzz/build.sh", "fuzz/build_local.sh", "fuzz/oss-fuzz/build.sh", ".clusterfuzzlite/build.sh"]
    {
        assert_eq!(problems_of_script(&project().join(script)), [""; 0], "{script}");
    }
}

#[test]
fn the_rules_are_seen_to_complain() {
    let yaml = text("fuzz/oss-fuzz/project.yaml");
    for (from, to, words) in [
        ("language: rust", "language: c++", "language"),
        ("homepage:", "home:", "section home"),
        ("@", " at ", "mail"),
        ("  - address", "  - address\n  - memory", "sanitizers"),
        ("  - libfuzzer", "  - afl", "fuzzing_engines"),
        (LICENCE, "", "licence"),
        ("main_repo", "#main_repo", "no main_repo"),
    ] {
        let problems = problems_of_project(&yaml.replace(from, to));
        assert!(problems.iter().any(|problem| problem.contains(words)), "{from}: {problems:?}");
    }
    let (docker, from) = (text("fuzz/oss-fuzz/Dockerfile"), "FROM gcr.io/oss-fuzz-base/base-builder-rust");
    for (before, after, words) in [
        ("base-builder-rust", "base-builder", "instead of"),
        ("WORKDIR", "RUN apt-get install -y zip && apt-get update\nWORKDIR", "no update"),
        ("WORKDIR", "RUN apt-get install -y \\\n zip\nWORKDIR", "no update"),
        ("WORKDIR", "ADD https://example.com/x.zip /\nWORKDIR", "ADD"),
        ("sqlite-tandem", "SQLite.Tandem", "name"),
        ("sqlite-tandem", "googlefuzz", "name"),
        ("COPY", "#COPY", "not copied"),
        (LICENCE, "", "licence"),
    ] {
        let problems = problems_of_dockerfile(&docker.replace(before, after), from);
        assert!(problems.iter().any(|problem| problem.contains(words)), "{after}: {problems:?}");
    }
    let folder = common::folder();
    let script = common::file(folder.path(), "build.sh", "#!/bin/sh\n$CXX -lFuzzingEngine # linked\n");
    assert_eq!(problems_of_script(&script).len(), 4);
    assert_eq!(loose_actions("- uses: a/b@v4\n  uses: c/d@main # v1\n").len(), 2);
}

#[test]
fn workflows_use_pinned_actions_and_few_rights() {
    assert_eq!(workflows().len(), 7);
    for path in workflows() {
        let workflow = fs::read_to_string(&path).unwrap();
        let name = path.display();
        assert_eq!(loose_actions(&workflow), [""; 0], "{name}");
        assert!(workflow.contains("uses: "), "{name}");
        assert!(
            workflow.contains("\npermissions: read-all\n")
                || workflow.contains("\npermissions:\n  contents: read\n"),
            "{name}"
        );
        assert!(!workflow.contains("pull_request_target"), "{name}: code of strangers with our rights");
        assert!(workflow.contains("runs-on: ubuntu-24.04"), "{name}");
    }
}

#[test]
fn workflows_of_clusterfuzzlite_do_each_thing_once() {
    let has = |name: &str, lines: &[&str]| {
        let workflow = text(&format!(".github/workflows/{name}.yml"));
        for line in lines {
            assert!(workflow.lines().any(|own| own.trim() == *line), "{name}: {line}");
        }
        let languages = workflow.lines().filter(|line| line.trim() == "language: rust").count();
        assert_eq!(languages, workflow.matches("actions/build_fuzzers@").count(), "{name}");
    };
    has("cflite_pr", &["mode: code-change", "fuzz-seconds: 600", "pull_request:"]);
    has("cflite_build", &["upload-build: true", "push:"]);
    has("cflite_batch", &["mode: batch", "schedule:"]);
    has("cflite_cron", &["mode: prune", "mode: coverage", "sanitizer: coverage", "schedule:"]);
}

/// What is wrong with a workflow whose findings are to be shown by GitHub: ClusterFuzzLite writes them into a file, and that
/// is all it does.
fn problems_of_sarif(workflow: &str) -> Vec<&'static str> {
    let count = |line: &str| workflow.lines().filter(|own| own.trim() == line).count();
    let written = count("output-sarif: true");
    let uploads = workflow.matches("uses: github/codeql-action/upload-sarif@").count();
    let mut problems = Vec::new();
    if written != uploads || written != count("sarif_file: cifuzz-sarif/results.sarif") {
        problems.push("what is written is not uploaded");
    }
    if uploads != count("if: ${{ !cancelled() && hashFiles('cifuzz-sarif/results.sarif') != '' }}") {
        problems.push("a finding fails the step before, and the upload is left out");
    }
    // Of the job alone, beside the rights that it would have without.
    if uploads != workflow.matches("\n      contents: read\n      security-events: write\n").count() {
        problems.push("the job may not upload");
    }
    problems
}

#[test]
fn what_clusterfuzzlite_finds_is_uploaded() {
    for path in workflows() {
        let workflow = fs::read_to_string(&path).unwrap();
        assert_eq!(problems_of_sarif(&workflow), [""; 0], "{}", path.display());
    }
    for name in ["cflite_pr", "cflite_batch"] {
        let workflow = text(&format!(".github/workflows/{name}.yml"));
        for (from, to) in [
            ("output-sarif: true", "output-sarif: false"),
            ("upload-sarif@", "init@"),
            ("!cancelled()", "success()"),
            ("security-events: write", "security-events: read"),
        ] {
            assert!(!problems_of_sarif(&workflow.replace(from, to)).is_empty(), "{name}: {to}");
        }
    }
}

/// What holds here is asked of each change, in full.
#[test]
fn a_workflow_runs_all_of_ci() {
    let workflow = text(".github/workflows/ci.yml");
    for line in ["push:", "pull_request:", "timeout-minutes: 90", "run: .ci/run"] {
        assert_eq!(workflow.lines().filter(|own| own.trim() == line).count(), 1, "{line}");
    }
    let run = fs::metadata(project().join(".ci/run")).unwrap();
    assert!(run.permissions().mode() & 0o111 == 0o111, "it cannot be run");
}

/// Files with command lines of this program: those that people read, and those that machines run.
fn files_that_call() -> Vec<PathBuf> {
    let mut files = vec![];
    for place in [".ci", ".clusterfuzzlite", ".github/workflows", "fuzz", "fuzz/oss-fuzz", "src/guide"] {
        let entries = fs::read_dir(project().join(place)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    files
        .extend(["README.md", "corpus/README.md", "fuzzcheck/CHANGELOG.md"].map(|name| project().join(name)));
    files
}

/// The command lines of this program in a line of such a file: a quote or backtick around one ends it.
fn calls(line: &str) -> Vec<&str> {
    const STARTS: [&str; 4] = ["cargo fuzzcheck ", "debug/fuzzcheck ", "    fuzzcheck ", "`fuzzcheck "];
    let mut calls = Vec::new();
    for start in STARTS {
        // Behind `^` stands a pattern.
        for (at, _) in line.match_indices(start).filter(|(at, _)| !line[..*at].ends_with('^')) {
            let (before, rest) = (&line[..at + start.len()], &line[at + start.len()..]);
            let is_open = |quote: &char| before.matches(*quote).count() % 2 == 1;
            let around: Vec<char> = ['`', '\'', '"'].into_iter().filter(is_open).collect();
            calls.push(rest.split(&around[..]).next().unwrap_or_default());
        }
    }
    calls
}

/// The words of a command line up to where a shell ends it, each as it might be: what is read from a variable, too.
fn words(call: &str) -> Vec<String> {
    let mut call = call.to_owned();
    for (variable, value) in [
        ("${{ matrix.target }}", "sql"),
        ("${BUDGET}", "5h"),
        ("--build \"$1\"", "--build debug"),
        ("\"$build\"", "debug"),
        ("\"${planted[@]}\"", "--extra-c x.c"),
        ("TARGET=N", "sql=1"),
        ("TARGET", "sql"),
    ] {
        call = call.replace(variable, value);
    }
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in call.chars() {
        match (letter, quote) {
            (_, Some(own)) if letter == own => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            (' ', None) => words.push(String::new()),
            ('#' | '|' | '>' | ';' | ')' | '&', None) => break,
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether this program understands a call; a mere verb, as prose names it, need not have what it takes.
fn understands(call: &str) -> bool {
    let words = words(call);
    let mut verb = fuzzcheck::command();
    let verbs = words.iter().take_while(|word| match verb.find_subcommand(word) {
        Some(found) => {
            verb = found.clone();
            true
        }
        None => false,
    });
    let verbs = verbs.count();
    let is_whole = words.len() > verbs;
    let parsed = fuzzcheck::command()
        .try_get_matches_from(["fuzzcheck"].into_iter().chain(words.iter().map(String::as_str)));
    words.is_empty() || verbs > 0 && (!is_whole || parsed.is_ok())
}

/// What reads as a call of this program is understood by it, wherever it stands.
#[test]
fn what_calls_this_program_is_understood_by_it() {
    for (call, is_right) in [
        ("run corpus/sql.db --every 10 # exits 1", true),
        ("corpus list", true),
        ("corpus list; rest", true),
        ("corpus lists", false),
        ("merge sql", false),
        ("run --builds release", false),
        ("compare engines bundled", false),
        ("compare engines", true),
    ] {
        assert_eq!(understands(call), is_right, "{call}");
    }
    let mut count = 0;
    for path in files_that_call() {
        let content = fs::read_to_string(&path).unwrap();
        let content = content.replace("\\\n", " ");
        for call in content.lines().flat_map(calls) {
            assert!(understands(call), "{}: fuzzcheck {call}", path.display());
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}

/// So is what the sources name of it: at least the verb is there.
#[test]
fn verbs_that_the_sources_name_are_there() {
    let mut count = 0;
    for place in ["src", "fuzzcheck/src", "fuzzcheck/engines/turso/src", "fuzz/fuzz_targets"] {
        for path in sources(&project().join(place)) {
            let content = fs::read_to_string(&path).unwrap();
            for call in content.lines().flat_map(calls) {
                let verb = call.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').next();
                let verb =
                    verb.filter(|verb| !verb.is_empty() && verb.chars().all(|letter| !letter.is_uppercase()));
                let is_there = |verb| fuzzcheck::command().find_subcommand(verb).is_some();
                assert!(verb.is_none_or(is_there), "{}: fuzzcheck {call}", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count}");
}

/// All files of Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn a_workflow_fuzzes_every_target() {
    let workflow = text(".github/workflows/pull_request.yml");
    let matrix =
        workflow.lines().find_map(|line| line.trim().strip_prefix("target: [")).expect("a list of targets");
    let listed: BTreeSet<&str> = matrix.trim_end_matches(']').split(", ").collect();
    assert_eq!(listed, TARGETS.iter().map(|target| target.name).collect());
}

#[test]
fn the_options_of_a_target_are_those_that_it_has_by_itself() {
    let options = text("fuzz/target.options");
    for flag in ["max_len", "detect_leaks"] {
        let own = tandem::targets::driver::default_flag(flag).expect("a flag by default");
        assert!(options.contains(&format!("\n{flag} = {own}\n")), "{flag} = {own}: {options}");
    }
}

/// The container is built from the repository alone, by commands that CI runs, too. (No daemon is there to try it with.)
#[test]
fn the_container_is_built_from_the_repository_alone() {
    let container = text("fuzz/Containerfile").replace("\\\n", " ");
    let instructions: Vec<(&str, &str)> = container
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("an instruction"))
        .collect();
    let of = |name: &str| {
        instructions.iter().filter(|(own, _)| *own == name).map(|(_, rest)| *rest).collect::<Vec<_>>()
    };
    let [from] = of("FROM")[..] else { panic!("one image") };
    let version = from.strip_prefix("docker.io/library/rust:").and_then(|rest| rest.split('-').next());
    let newer = |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let manifest = text("Cargo.toml");
    let least = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).expect("a version");
    assert!(version.and_then(newer) >= newer(least.trim_end_matches('"')), "{from}");
    assert!(of("ADD").is_empty() && of("COPY") == [". ."], "{instructions:?}");
    // What git does not take along stays outside, too.
    let outside = text("fuzz/Containerfile.dockerignore");
    for name in text("fuzz/.gitignore").lines().filter(|name| *name != "target") {
        assert!(outside.lines().any(|line| line == format!("fuzz/{name}")), "{name}");
    }
    assert!(outside.lines().any(|line| line == "target"), "{outside}");
    assert_eq!(of("ENTRYPOINT"), [r#"["cargo", "fuzzcheck", "nightly"]"#]);
    let mut runs = of("RUN").into_iter();
    let apt = runs.next().expect("packages");
    assert!(apt.starts_with("apt-get update ") && !apt.contains("curl"), "{apt}");
    let workflow = text(".github/workflows/nightly.yml");
    let ci = text(".ci/run");
    for run in runs {
        let is_run_elsewhere = workflow.lines().chain(ci.lines()).any(|line| line.trim() == run);
        // What `cargo fuzzcheck` builds before it runs.
        assert!(is_run_elsewhere || run == "cargo build --locked --package fuzzcheck", "{run}");
    }
}

fn problems_of_changelog(text: &str) -> Vec<String> {
    const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    let mut problems = Vec::new();
    let mut sections = 0;
    for line in text.lines() {
        if let Some(section) = line.strip_prefix("## ") {
            let is_first = sections == 0;
            sections += 1;
            let is_release = section.starts_with('[') && section.contains("] - 20");
            if is_first && section != "[Unreleased]" || !is_first && !is_release {
                problems.push(format!("section {section}"));
            }
        } else if let Some(kind) = line.strip_prefix("### ")
            && !KINDS.contains(&kind)
        {
            problems.push(format!("kind {kind}"));
        }
    }
    problems.extend((sections == 0).then(|| "no section".to_owned()));
    problems
}

#[test]
fn the_changelog_has_its_form() {
    let changelog = text("fuzzcheck/CHANGELOG.md");
    assert_eq!(problems_of_changelog(&changelog), [""; 0]);
    for (bad, words) in [
        ("# Changelog", "no section"),
        ("## [0.1.0] - 2026-01-01", "section"),
        ("## [Unreleased]\n### New", "kind New"),
        ("## [Unreleased]\n## 0.1.0", "section 0.1.0"),
    ] {
        assert!(problems_of_changelog(bad).concat().contains(words), "{bad}");
    }
}
