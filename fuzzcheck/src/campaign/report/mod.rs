//! The reports of a campaign: a page, JUnit and JSON, made from its record alone.
//!
//! All three share the [`summary`]. Everything that comes from cases is escaped when it is
//! written; then invisible characters are replaced in the whole document ([`text::visible`]).
//!
//! | module | what it does |
//! |---|---|
//! | [`summary`] | the verdict and the sums |
//! | [`text`] | numbers as text, invisible characters by code point |
//! | `html`, `findings`, `tables` | the page |
//! | `axis`, `plot`, `progress` | its plots |
//! | `shares` | which share each check judged |
//! | `junit` | `junit.xml` |
//! | [`json`] | `report.json` and its schema |

mod axis;
mod findings;
mod html;
pub(crate) mod json;
mod junit;
mod plot;
mod progress;
mod shares;
pub(crate) mod summary;
mod tables;

#[cfg(test)]
#[path = "../../../tests/common/campaign.rs"]
mod fixture;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::record::{self, Campaign};
use crate::base::text;
use crate::files;

/// The record, in the folder of a campaign.
pub(crate) const RECORD: &str = "campaign.json";

/// Writes `report.html`, `junit.xml` and `report.json` into the folder of the campaign; the paths.
///
/// # Errors
/// A file cannot be written; what was there before is then still there.
pub(crate) fn write(campaign: &Campaign, folder: &Path) -> Result<Vec<PathBuf>> {
    write_to(campaign, folder, folder)
}

/// The same into another folder than the campaign's, `home`, whose files the page links to.
///
/// # Errors
/// As [`write`].
pub(crate) fn write_to(campaign: &Campaign, home: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let links = if home == folder { None } else { Some(std::path::absolute(home)?) };
    let documents = [
        ("report.html", html::render(campaign, links.as_deref())),
        ("junit.xml", junit::render(campaign)),
        ("report.json", json::render(campaign)?),
    ];
    let write = |(name, content): (&str, String)| {
        let path = folder.join(name);
        files::write(&path, content.as_bytes()).map(|()| path)
    };
    documents.into_iter().map(write).collect()
}

/// Reads the record of a campaign from its folder or file; with it, the folder.
///
/// # Errors
/// There is none, or it is none, or one that a later version wrote.
pub(crate) fn read(path: &Path) -> Result<(Campaign, PathBuf)> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let file = if path.is_dir() { path.join(RECORD) } else { path.to_owned() };
    let content = std::fs::read(&file)
        .with_context(|| format!("{}: name a folder of fuzz/nightly/ or its {RECORD}", file.display()))?;
    let what = || format!("{}: not a record of a campaign", file.display());
    let Version { version } = serde_json::from_slice(&content).with_context(what)?;
    if version > record::VERSION {
        bail!(
            "{}: it has version {version}, and this program reads up to {}: use the one that wrote it",
            file.display(),
            record::VERSION
        );
    }
    let campaign = serde_json::from_slice(&content).with_context(what)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((campaign, folder.to_owned()))
}

/// The campaign in `folder` that began last.
///
/// # Errors
/// There is none.
pub(crate) fn newest(folder: &Path) -> Result<PathBuf> {
    let none =
        || format!("{}: no campaign is there; run `fuzzcheck nightly`, or name another", folder.display());
    let all = files::in_folder(folder).with_context(none)?;
    // They are called after when they began.
    all.into_iter().rev().find(|campaign| campaign.join(RECORD).is_file()).with_context(none)
}

/// A campaign for tests.
#[cfg(test)]
pub(crate) mod made {
    use super::{Campaign, fixture};

    pub(crate) fn campaign() -> Campaign {
        serde_json::from_value(fixture::campaign()).expect("it has the shape of a record")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("20261121T220102Z");
        std::fs::create_dir(&home).unwrap();
        std::fs::create_dir(folder.path().join("20271121T220102Z")).unwrap();
        let made = made::campaign();
        std::fs::write(home.join(RECORD), serde_json::to_vec(&made).unwrap()).unwrap();
        assert_eq!(newest(folder.path()).unwrap(), home, "one without a record is none");
        assert_eq!(read(&home).unwrap(), (made.clone(), home.clone()));
        assert_eq!(read(&home.join(RECORD)).unwrap().0, made);
        let written = write(&made, &home).unwrap();
        assert_eq!(written, ["report.html", "junit.xml", "report.json"].map(|name| home.join(name)));
    }

    #[test]
    fn a_record_of_before_these_fields_is_read() {
        let mut old = fixture::campaign();
        old.as_object_mut().unwrap().remove("cut_short").unwrap();
        old.as_object_mut().unwrap().remove("checks_before").unwrap();
        let check = old["checks"][0].as_object_mut().unwrap();
        let skipped = check.remove("not_judged").unwrap();
        check.insert("skipped".to_owned(), skipped);
        old["jobs"][0]["slices"][0].as_object_mut().unwrap().remove("harness_errors").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(RECORD), old.to_string()).unwrap();
        assert!(read(folder.path()).unwrap().0.cut_short.is_empty());
    }

    #[test]
    fn what_is_no_record_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(RECORD);
        let said = |content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            format!("{:#}", read(folder.path()).unwrap_err())
        };
        assert!(format!("{:#}", read(folder.path()).unwrap_err()).contains(RECORD));
        assert!(said(b"{\"version\": 99}").contains("version 99"));
        let whole = serde_json::to_vec(&made::campaign()).unwrap();
        for content in [b"".as_slice(), b"\0\0", b"{\"version\": 1}", &whole[..whole.len() / 2]] {
            let message = said(content);
            assert!(message.contains("not a record of a campaign") && message.contains(RECORD), "{message}");
        }
    }

    /// A string of a case may come up in any field, so all of them are tried.
    #[test]
    fn no_string_of_a_record_gets_out_of_its_place() {
        const POISON: &str = "\0\x1b[2J\u{202e}</script><img src=x onerror=alert(1)>\"'&]]>--><!--\u{fffe}";
        fn poison(value: &mut serde_json::Value, key: &str) {
            const PARSED: [&str; 5] = ["started", "ended", "first_seen", "last_seen", "end"];
            match value {
                serde_json::Value::String(text) if !PARSED.contains(&key) && key != "kind" => {
                    text.push_str(POISON)
                }
                serde_json::Value::Array(all) => all.iter_mut().for_each(|value| poison(value, key)),
                serde_json::Value::Object(fields) => {
                    *fields = std::mem::take(fields)
                        .into_iter()
                        .map(|(key, mut value)| {
                            poison(&mut value, &key);
                            let is_free = ["not_judged", "found"].contains(&key.as_str());
                            if let Some(inner) = value.as_object_mut().filter(|_| is_free) {
                                *inner = std::mem::take(inner)
                                    .into_iter()
                                    .map(|(name, n)| (name + POISON, n))
                                    .collect();
                            }
                            (key, value)
                        })
                        .collect();
                }
                _ => {}
            }
        }
        let mut value = fixture::campaign();
        poison(&mut value, "");
        let campaign: Campaign = serde_json::from_value(value).unwrap();
        let clean = html::render(&made::campaign(), None);
        let page = html::render(&campaign, None);
        let count = |page: &str, what: &str| page.matches(what).count();
        for what in ["<img", "<script", "</script", "<!--", "onerror=alert(1)>", "javascript:"] {
            assert_eq!(count(&page, what), 0, "{what} is in the page");
        }
        // The same tags as without it: none was opened or closed by a text.
        for what in ["<table", "</table", "<section", "</section", "<article", "</article", "<a "] {
            assert_eq!(count(&page, what), count(&clean, what), "{what}");
        }
        for document in [page, junit::render(&campaign)] {
            let is_hidden =
                |c: char| (c.is_control() && c != '\n' && c != '\t') || "\u{202e}\u{fffe}".contains(c);
            assert_eq!(document.chars().find(|c| is_hidden(*c)), None);
        }
        roxmltree::Document::parse(&junit::render(&campaign)).unwrap();
    }
}
