//! The source with its counts as HTML: an index of modules and a self-contained page for each.
//!
//! llvm-cov has one page for all 270,000 lines of sqlite3.c, on which browsers choke.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::build::{Count, Coverage};
use super::export::{Branch, Function};
use super::measure::Measured;

/// Marks a folder as ours, which may be replaced.
const GENERATOR: &str = r#"<meta name="generator" content="fuzzcheck coverage">"#;
/// The file that has it.
const INDEX: &str = "index.html";

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1a1a;--dim:#6a6a6a;--line:#ddd;--miss:#ffe1dd;--part:#fff1c2;--hit:#2e7d32;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#dcdcdc;--dim:#8d8d8d;--line:#33373c;--miss:#4a1f1c;--part:#463a12;--hit:#7cc682;--bad:#ff8a80}}
body{margin:0 auto;padding:1rem;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
main{max-width:70rem;margin:auto}a{color:inherit}h1{font-size:1.3rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}
meter{width:6rem;height:.8rem}.dim{color:var(--dim)}
pre{font:12.5px/1.4 ui-monospace,monospace;overflow-x:auto;tab-size:8;margin:0}
pre span{display:block;min-width:max-content;white-space:pre}
pre span.m{background:var(--miss)}pre span.p{background:var(--part)}
pre span:target{outline:2px solid var(--bad)}
pre a{display:inline-block;width:4.5rem;text-align:right;color:var(--dim);text-decoration:none}
pre i{display:inline-block;width:5.5rem;text-align:right;margin-right:1rem;font-style:normal;color:var(--hit)}
pre .m i{color:var(--bad)}q{quotes:none;color:var(--bad);font-style:italic;margin-left:1.5rem}
ul.missed{columns:18rem;padding-left:1.2rem}
@media print{pre{overflow:visible}pre span{white-space:pre-wrap;min-width:0}}
";

/// Checks that the pages may be written to `folder`.
///
/// # Errors
/// Something else is there.
pub(crate) fn check_place(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    if !folder.is_dir() {
        bail!("{}: --html needs a folder, but this is a file", folder.display());
    }
    let mut entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let is_empty = entries.next().is_none();
    let is_ours = || std::fs::read_to_string(folder.join(INDEX)).is_ok_and(|text| text.contains(GENERATOR));
    if !is_empty && !is_ours() {
        bail!(
            "{}: the folder contains something other than a coverage report: name another",
            folder.display()
        );
    }
    Ok(())
}

/// Writes the pages, beside the folder first, so that an old report stays whole until the new one is. The index.
///
/// # Errors
/// Something else is at `folder`, or it cannot be written.
pub(crate) fn write(measured: &Measured, folder: &Path) -> Result<PathBuf> {
    check_place(folder)?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    let new = tempfile::Builder::new().prefix(".fuzzcheck-").tempdir_in(parent);
    let new = new.with_context(|| format!("{}", parent.display()))?;
    let pages = Pages::new(measured);
    let put = |name: &str, text: String| {
        let path = new.path().join(name);
        std::fs::write(&path, text).with_context(|| format!("{}", path.display()))
    };
    let inner = "report";
    std::fs::create_dir(new.path().join(inner)).with_context(|| format!("{}", new.path().display()))?;
    put(&format!("{inner}/{INDEX}"), pages.index())?;
    for (index, name) in measured.modules.names().iter().enumerate() {
        if pages.sums[index].functions.total > 0 {
            put(&format!("{inner}/{}", page_name(name)), pages.module(index))?;
        }
    }
    let what = || format!("{}", folder.display());
    if folder.exists() {
        std::fs::rename(folder, new.path().join("old")).with_context(what)?;
    }
    std::fs::rename(new.path().join(inner), folder).with_context(what)?;
    Ok(folder.join(INDEX))
}

fn page_name(module: &str) -> String {
    format!("{}.html", module.replace(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)), "_"))
}

struct Pages<'a> {
    measured: &'a Measured,
    /// By index of the module.
    sums: Vec<Coverage>,
    functions: Vec<Vec<&'a Function>>,
    branches: BTreeMap<u32, Vec<Branch>>,
}

impl<'a> Pages<'a> {
    fn new(measured: &'a Measured) -> Self {
        let modules = &measured.modules;
        let by_name = measured.detail.by_module(modules);
        let sum = |name: &String| {
            by_name.iter().find(|module| module.name == *name).map_or_else(Coverage::default, |m| m.reached)
        };
        let mut functions = vec![Vec::new(); modules.names().len()];
        for function in &measured.detail.functions {
            functions[modules.index_of_line(function.line)].push(function);
        }
        let mut branches: BTreeMap<u32, Vec<Branch>> = BTreeMap::new();
        for branch in &measured.detail.branches {
            branches.entry(branch.line).or_default().push(*branch);
        }
        Self { measured, sums: modules.names().iter().map(sum).collect(), functions, branches }
    }

    fn index(&self) -> String {
        let Measured { cases, identity, .. } = self.measured;
        let mut text = head(&format!("Coverage of SQLite {}", identity.version));
        let _ = write!(
            text,
            "<main><h1>Coverage of SQLite {}</h1><p>{cases} cases. <span class=dim>{}</span></p><div class=wide><table>\
             <tr><th>module<th>branches<th>share<th><th>lines<th>share<th>functions<th>regions",
            escaped(&identity.version),
            escaped(&identity.source_id)
        );
        row(&mut text, "<b>all of sqlite3.c</b>", &self.measured.files.sqlite);
        for (name, sum) in self.measured.modules.names().iter().zip(&self.sums) {
            if sum.functions.total > 0 {
                row(&mut text, &format!("<a href=\"{}\">{}</a>", page_name(name), escaped(name)), sum);
            }
        }
        text.push_str("</table></div></main>\n");
        text
    }

    fn module(&self, index: usize) -> String {
        let name = &self.measured.modules.names()[index];
        let mut text = head(name);
        let sum = &self.sums[index];
        let _ = write!(
            text,
            "<main><h1><a href=\"{INDEX}\">sqlite3.c</a> / {}</h1><p>{} of {} branches ({:.2} %), {} of {} lines, {} of {} \
             functions</p>",
            escaped(name),
            sum.branches.covered,
            sum.branches.total,
            sum.branches.percent(),
            sum.lines.covered,
            sum.lines.total,
            sum.functions.covered,
            sum.functions.total
        );
        let mut missed: Vec<_> =
            self.functions[index].iter().filter(|function| function.reached.functions.covered == 0).collect();
        missed.sort_by_key(|function| std::cmp::Reverse(function.reached.branches.total));
        if !missed.is_empty() {
            let _ = write!(
                text,
                "<details><summary>{} functions that no case reaches</summary><ul class=missed>",
                missed.len()
            );
            for function in missed {
                let Function { name, line, reached } = function;
                let branches = reached.branches.total;
                let _ = write!(
                    text,
                    "<li><a href=\"#L{line}\">{}</a> <span class=dim>{branches}</span>",
                    escaped(name)
                );
            }
            text.push_str("</ul></details>");
        }
        text.push_str("</main><pre>");
        let mut before = None;
        for (line, number) in self.measured.source.lines().zip(1_u32..) {
            if self.measured.modules.index_of_line(number) != index {
                continue;
            }
            if before.is_some_and(|before| before + 1 != number) {
                text.push_str("<span class=dim>  ... another file was included here ...</span>");
            }
            before = Some(number);
            self.line(&mut text, line, number);
        }
        text.push_str("</pre>\n");
        text
    }

    fn line(&self, text: &mut String, line: &str, number: u32) {
        let count = self.measured.detail.lines.get(&number);
        let branches = self.branches.get(&number).map_or(&[][..], Vec::as_slice);
        let missed = branches.iter().filter(|branch| branch.count == 0).count();
        let class = match count {
            Some(0) => " class=m",
            // Of a condition that is constant one outcome can never come, which llvm-cov does not count either.
            Some(_) if missed > 0 => " class=p",
            _ => "",
        };
        let shown = count.map_or_else(String::new, |&count| short(count));
        let _ = write!(
            text,
            "<span id=L{number}{class}><a href=\"#L{number}\">{number}</a><i>{shown}</i>{}",
            escaped(line)
        );
        if count.is_some_and(|&count| count > 0) && missed > 0 {
            let _ = write!(
                text,
                "<q>{missed} of {} outcomes never occurred: {}</q>",
                branches.len(),
                outcomes(branches)
            );
        }
        text.push_str("</span>");
    }
}

/// The outcomes that never came, as `2 false`: the second condition of the line was never false.
fn outcomes(branches: &[Branch]) -> String {
    let missed = branches.iter().filter(|branch| branch.count == 0).take(6).map(|branch| {
        let (condition, is_true) = (branch.index / 2 + 1, branch.index.is_multiple_of(2));
        format!("{condition} {}", if is_true { "true" } else { "false" })
    });
    missed.collect::<Vec<_>>().join(", ")
}

fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">{GENERATOR}\
         <title>{}</title><style>{STYLE}</style>\n",
        escaped(title)
    )
}

fn row(text: &mut String, name: &str, of: &Coverage) {
    let cell = |count: Count| format!("{} of {}", count.covered, count.total);
    let Coverage { branches, lines, functions, regions } = *of;
    let share = branches.percent();
    let _ = writeln!(
        text,
        "<tr><td>{name}<td>{}<td>{share:.2} %<td><meter max=100 value={share:.1}></meter><td>{}<td>{:.2} %<td>{}<td>{}",
        cell(branches),
        cell(lines),
        lines.percent(),
        cell(functions),
        cell(regions)
    );
}

/// A count in at most five characters.
fn short(count: u64) -> String {
    match count {
        0..100_000 => count.to_string(),
        100_000..10_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::measure::tests::made;

    #[test]
    fn each_module_has_a_page_with_what_was_missed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("report");
        let measured = made();
        let index = std::fs::read_to_string(write(&measured, &folder).unwrap()).unwrap();
        assert!(index.contains("<a href=\"a.c.html\">a.c</a><td>3 of 4<td>75.00 %"), "{index}");
        assert!(index.contains("<b>all of sqlite3.c</b>") && index.contains("prefers-color-scheme:dark"));
        let page = std::fs::read_to_string(folder.join("a.c.html")).unwrap();
        let line = "<span id=L3 class=p><a href=\"#L3\">3</a><i>7</i>int first(){ return a&lt;b; }\
                    <q>1 of 2 outcomes never occurred: 1 false</q></span>";
        assert!(page.contains(line), "{page}");
        let other = std::fs::read_to_string(folder.join("b.c.html")).unwrap();
        assert!(
            other.contains("<li><a href=\"#L6\">second</a>") && other.contains("<span id=L6 class=m>"),
            "{other}"
        );
        assert!(!page.contains("http") && !page.contains("second"), "self-contained, and of one module");
        // No file has been left beside it, and a second report takes its place.
        write(&measured, &folder).unwrap();
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_report_stays() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::write(parent.path().join("mine.txt"), "mine").unwrap();
        let error = write(&made(), parent.path()).unwrap_err().to_string();
        assert!(error.contains("contains something other"), "{error}");
        assert!(check_place(&parent.path().join("mine.txt")).unwrap_err().to_string().contains("is a file"));
        assert_eq!(std::fs::read_to_string(parent.path().join("mine.txt")).unwrap(), "mine");
        assert_eq!(
            (short(99_999), short(123_456), short(12_000_000)),
            ("99999".into(), "123k".into(), "12M".into())
        );
    }
}
