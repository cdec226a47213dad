//! `fuzzcheck report`: what it writes, what it refuses, and how the page looks in a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::campaign::campaign;
use crate::common::{command, file, finish, folder, fuzzcheck, fuzzcheck_on, names_in, read};
use serde_json::Value;
use tempfile::TempDir;

/// What a report is made of.
const WRITTEN: [&str; 3] = ["report.html", "junit.xml", "report.json"];
/// Widths of a phone and of a desk, in the pixels of CSS.
const PHONE: u32 = 375;
const DESK: u32 = 1280;

/// The folder of a campaign.
fn home(campaign: &Value) -> TempDir {
    let home = folder();
    file(home.path(), "campaign.json", campaign.to_string());
    home
}

fn text(path: &Path) -> String {
    String::from_utf8(read(path)).expect("UTF-8")
}

#[test]
fn a_report_is_written_beside_the_campaign_or_elsewhere() {
    let home = home(&campaign());
    let ran = fuzzcheck_on("report", &[home.path()]).expect(0);
    let paths: Vec<String> = WRITTEN.map(|name| home.path().join(name).display().to_string()).to_vec();
    assert_eq!(ran.out.lines().collect::<Vec<_>>(), paths);
    assert_eq!(names_in(home.path()), ["campaign.json", "junit.xml", "report.html", "report.json"]);
    let report: Value = serde_json::from_str(&text(&home.path().join("report.json"))).expect("JSON");
    assert_eq!(report["campaign"], campaign());
    assert_eq!(report["summary"]["new_findings"], 2);

    let other = folder();
    let to = other.path().join("new/folder");
    let ran = fuzzcheck_on("report", &[&home.path().join("campaign.json"), Path::new("--to"), &to]).expect(0);
    assert_eq!(ran.out.lines().count(), 3);
    assert_eq!(names_in(&to), ["junit.xml", "report.html", "report.json"]);
    let link = format!("href=\"{}/coverage/index.html\"", home.path().display());
    assert!(text(&to.join("report.html")).contains(&link), "a page elsewhere leads back");
}

#[test]
fn without_a_name_it_is_the_newest_campaign() {
    let project = folder();
    let run = || finish(command().args(["report", "--project"]).arg(project.path()));
    run().expect_error(&["fuzz/nightly", "fuzzcheck nightly"]);
    let nights = project.path().join("fuzz/nightly");
    for id in ["20261120T220000Z", "20261121T220000Z"] {
        std::fs::create_dir_all(nights.join(id)).expect("it can be made");
        file(&nights.join(id), "campaign.json", campaign().to_string());
    }
    std::fs::create_dir(nights.join("20261122T220000Z")).expect("it can be made");
    let ran = run().expect(0);
    assert!(
        ran.out.starts_with(&nights.join("20261121T220000Z/report.html").display().to_string()),
        "{ran:?}"
    );
    assert_eq!(names_in(&nights.join("20261120T220000Z")), ["campaign.json"]);
}

#[test]
fn bad_input_is_refused_and_nothing_is_lost() {
    let home = home(&campaign());
    fuzzcheck_on("report", &[home.path()]).expect(0);
    let before = WRITTEN.map(|name| read(&home.path().join(name)));
    let whole = campaign().to_string();
    for (content, words) in [
        ("", "not a record of a campaign"),
        ("[]", "not a record of a campaign"),
        (&whole[..whole.len() / 2], "not a record of a campaign"),
        ("{\"version\": 7}", "version 7"),
    ] {
        file(home.path(), "campaign.json", content);
        fuzzcheck_on("report", &[home.path()]).expect_error(&["campaign.json", words]);
    }
    assert_eq!(before, WRITTEN.map(|name| read(&home.path().join(name))));
    let nowhere = home.path().join("nowhere");
    fuzzcheck_on("report", &[&nowhere]).expect_error(&["nowhere", "campaign.json"]);
    file(home.path(), "campaign.json", &whole);
    let to = file(home.path(), "file", "x");
    fuzzcheck_on("report", &[home.path(), Path::new("--to"), &to]).expect_error(&["--to needs a folder"]);
    assert_eq!(read(&to), b"x");
    fuzzcheck(["report", "--schema", "somewhere"]).expect(2);
}

#[test]
fn the_schema_is_printed() {
    let schema = fuzzcheck(["report", "--schema"]).expect(0).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let described = schema["$defs"]["Summary"]["properties"]["executions"]["description"].as_str();
    assert_eq!(described, Some("Cases that libFuzzer ran, over all targets."));
}

#[test]
fn a_campaign_that_ran_nothing_is_shown_as_failed() {
    let mut none = campaign();
    none["jobs"] = Value::Array(Vec::new());
    none["findings"] = Value::Array(Vec::new());
    let home = home(&none);
    fuzzcheck_on("report", &[home.path()]).expect(0);
    let page = text(&home.path().join("report.html"));
    assert!(
        page.contains("Failed: no case was run") && !page.contains("\u{2713}</span> No findings"),
        "{page}"
    );
    let report: Value = serde_json::from_str(&text(&home.path().join("report.json"))).expect("JSON");
    assert_eq!(report["summary"]["verdict"], "failed");
    let junit = text(&home.path().join("junit.xml"));
    let junit = roxmltree::Document::parse(&junit).expect("XML");
    assert_ne!(junit.root_element().attribute("errors"), Some("0"));
}

/// A browser: the one of `CHROMIUM`, or one on the path. Where one is required there must be one.
fn chromium() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("CHROMIUM") {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let all = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = all.into_iter().find(|program| program.is_file());
    let is_required = std::env::var_os("TANDEM_REQUIRE_CHROMIUM").is_some_and(|value| value == "1");
    assert!(found.is_some() || !is_required, "TANDEM_REQUIRE_CHROMIUM=1, and no chromium is on PATH");
    found
}

/// A browser without a window.
struct Browser {
    program: PathBuf,
    profile: TempDir,
}

impl Browser {
    /// Opens a page; what it prints. Nothing may come to its console, as what its policy forbids does.
    #[track_caller]
    fn open(&self, page: &Path, words: &[String]) -> String {
        let (out, console) = self.open_any(page, words);
        assert!(console.is_empty(), "{console:?}");
        out
    }

    /// Opens a page; what it prints, and what comes to its console.
    fn open_any(&self, page: &Path, words: &[String]) -> (String, Vec<String>) {
        let mut command = Command::new(&self.program);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
        ]);
        command.args(["--disable-dev-shm-usage", "--no-first-run", "--force-color-profile=srgb"]);
        command.arg(format!("--user-data-dir={}", self.profile.path().display()));
        let ran = finish(command.args(words).arg(format!("file://{}", page.display()))).expect(0);
        let console = ran.err.lines().filter(|line| line.contains("CONSOLE"));
        (ran.out.clone(), console.map(str::to_owned).collect())
    }

    /// A picture of a page.
    fn shoot(&self, page: &Path, into: &Path, (width, height): (u32, u32), is_dark: bool) {
        let scheme = if is_dark { 0 } else { 1 };
        let words = [
            format!("--screenshot={}", into.display()),
            format!("--window-size={width},{height}"),
            format!("--blink-settings=preferredColorScheme={scheme}"),
        ];
        self.open(page, &words);
    }
}

/// A page that holds another in a frame as wide as a phone, and says how wide its content is: a window of a browser
/// cannot be as narrow.
fn framed(page: &str, width: u32, height: u32) -> String {
    // A script outside may look into a frame of the same origin; the policy of the page inside forbids only its own.
    let inner = page.replace('&', "&amp;").replace('"', "&quot;");
    let size = format!("border:0;width:{width}px;height:{height}px");
    let script = "onload = () => {
        const inner = document.getElementById('inner').contentDocument, said = document.body.dataset;
        const root = inner.documentElement, all = [...inner.querySelectorAll('body *')];
        // Heads of tables that a phone does not show are still there for who listens.
        const isWide = one => one.getBoundingClientRect().right > WIDTH + .5 && !one.closest('thead');
        said.wide = all.filter(isWide).slice(0, 9).map(one => one.tagName + '.' + one.className).join(' ');
        said.width = root.scrollWidth;
        said.height = root.scrollHeight;
        said.injected = inner.querySelectorAll('script, img').length;
        said.rows = inner.querySelectorAll('tr').length;
    }";
    let script = script.replace("WIDTH", &width.to_string());
    format!(
        "<!doctype html><meta charset=utf-8><body style=margin:0><iframe id=inner style=\"{size}\" srcdoc=\"{inner}\"></iframe>\
         <script>{script}</script>"
    )
}

/// The value of an attribute of `body`.
fn data<'d>(dom: &'d str, name: &str) -> &'d str {
    let found = dom.split(&format!("data-{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    found.unwrap_or_else(|| panic!("no data-{name}"))
}

/// How many of the pixels of a picture have another colour than its first.
fn drawn(picture: &Path) -> f64 {
    let file = std::io::BufReader::new(std::fs::File::open(picture).expect("it was made"));
    let mut reader = png::Decoder::new(file).read_info().expect("PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("it fits")];
    let frame = reader.next_frame(&mut bytes).expect("PNG");
    let size = bytes.len() / (frame.width * frame.height) as usize;
    let others = bytes.chunks(size).filter(|pixel| *pixel != &bytes[..size]).count();
    others as f64 / f64::from(frame.width * frame.height)
}

#[test]
fn the_page_is_drawn_by_a_browser() {
    let Some(program) = chromium() else {
        eprintln!("the page was not looked at: no chromium is on PATH, and CHROMIUM is not set");
        return;
    };
    let browser = Browser { program, profile: folder() };
    let home = home(&campaign());
    fuzzcheck_on("report", &[home.path()]).expect(0);
    let page = home.path().join("report.html");
    // Where page and pictures are kept for someone to look at.
    let kept = std::env::var_os("TANDEM_REPORT_SHOTS").map(PathBuf::from);
    let shots = kept.as_deref().unwrap_or(home.path());
    std::fs::create_dir_all(shots).expect("it can be made");
    file(shots, "page.html", read(&page));

    let frame = |height| file(home.path(), "frame.html", framed(&text(&page), PHONE, height));
    let dom = browser.open(&frame(800), &["--dump-dom".to_owned()]);
    assert_eq!((data(&dom, "width"), data(&dom, "wide")), ("375", ""), "something is wider than a phone");
    assert_eq!(data(&dom, "injected"), "0", "a text of a case became a tag");
    assert!(data(&dom, "rows").parse::<u32>().expect("a number") > 100);
    let height: u32 = data(&dom, "height").parse().expect("a number");

    // The whole pages are for someone to look at.
    let most = |whole| if kept.is_some() { whole } else { 1_500 };
    let height = height.min(most(16_000));
    browser.shoot(&frame(height), &shots.join("phone.png"), (PHONE.max(500), height), false);
    browser.shoot(&page, &shots.join("light.png"), (DESK, most(7_400)), false);
    browser.shoot(&page, &shots.join("dark.png"), (DESK, most(7_400)), true);
    for name in ["phone.png", "light.png", "dark.png"] {
        let share = drawn(&shots.join(name));
        assert!((0.02..0.9).contains(&share), "{name}: {share} of it is drawn");
    }
    assert_ne!(read(&shots.join("light.png")), read(&shots.join("dark.png")));

    let print = shots.join("print.pdf");
    browser
        .open(&page, &[format!("--print-to-pdf={}", print.display()), "--no-pdf-header-footer".to_owned()]);
    let pdf = read(&print);
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 20_000, "{} bytes", pdf.len());
}

/// The probes of the test above notice what they look for.
#[test]
fn a_page_that_is_too_wide_or_blank_or_complains_is_noticed() {
    let Some(program) = chromium() else { return };
    let browser = Browser { program, profile: folder() };
    let home = folder();
    let wide = "<!doctype html><style>body{margin:0}</style><div style='width:500px'>x</div><img alt=x>";
    let page = file(home.path(), "frame.html", framed(wide, PHONE, 300));
    let dom = browser.open(&page, &["--dump-dom".to_owned()]);
    assert_eq!((data(&dom, "width"), data(&dom, "wide"), data(&dom, "injected")), ("500", "DIV.", "1"));

    let dump = ["--dump-dom".to_owned()];
    let policy = "<!doctype html><meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">\
        <script>1</script>";
    let (_, console) = browser.open_any(&file(home.path(), "forbidden.html", policy), &dump);
    assert_eq!(console.len(), 1, "{console:?}");
    let blank = home.path().join("blank.png");
    browser.shoot(&file(home.path(), "blank.html", "<!doctype html>"), &blank, (600, 400), false);
    assert!(drawn(&blank) < 0.02);
}
