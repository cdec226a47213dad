//! Resolves words to functions.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{Sqlite, diff};

/// How many similar names are shown for an unknown one.
const NEAR_MAX: usize = 5;

/// The functions that `words` mean: names of functions or modules, or files with a diff.
///
/// # Errors
/// A word that is none of these, or means no function.
pub(super) fn functions(words: &[String], sqlite: &Sqlite) -> Result<BTreeSet<String>> {
    let mut chosen = BTreeSet::new();
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let of_module = sqlite.functions.iter().filter(|f| sqlite.modules.of_line(f.line) == word);
        let of_module: Vec<String> = of_module.map(|function| function.name.clone()).collect();
        if sqlite.functions.iter().any(|function| function.name == word) {
            chosen.insert(word.to_owned());
        } else if !of_module.is_empty() {
            chosen.extend(of_module);
        } else if Path::new(word).is_file() {
            let bytes = std::fs::read(word).with_context(|| word.to_owned())?;
            let found = diff::functions(&String::from_utf8_lossy(&bytes), sqlite);
            let found = found.with_context(|| format!("--directed {word}"))?;
            eprintln!("fuzzcheck: {word} changes {}", found.iter().cloned().collect::<Vec<_>>().join(", "));
            chosen.extend(found);
        } else {
            let near = near(word, sqlite);
            bail!(
                "--directed {word}: neither an instrumented function or module of this SQLite nor a file; similar names: {}",
                near.join(", ")
            );
        }
    }
    if chosen.is_empty() {
        bail!("--directed names nothing");
    }
    Ok(chosen)
}

/// Names of functions and modules that are most like `word`.
fn near<'s>(word: &str, sqlite: &'s Sqlite) -> Vec<&'s str> {
    let functions = sqlite.functions.iter().map(|function| function.name.as_str());
    let modules = sqlite.modules.names().iter().map(String::as_str);
    let mut all: Vec<(usize, &str)> = functions
        .chain(modules)
        .map(|name| (distance(&word.to_lowercase(), &name.to_lowercase()), name))
        .collect();
    all.sort_unstable();
    all.into_iter().take(NEAR_MAX).map(|(_, name)| name).collect()
}

/// Characters that have to be put in, taken out or replaced to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, one) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(one != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::tests::made;
    use super::*;

    fn chosen(words: &[&str]) -> Result<Vec<String>> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        functions(&words, &made()).map(|names| names.into_iter().collect())
    }

    #[test]
    fn words_are_functions_modules_or_diffs() {
        assert_eq!(chosen(&["leaf", "top"]).unwrap(), ["leaf", "top"]);
        assert_eq!(chosen(&["a.c"]).unwrap(), ["leaf", "middle"]);
        let error = chosen(&["Midle"]).unwrap_err().to_string();
        assert!(error.contains("similar names: middle, "), "{error}");
        assert!(chosen(&[""]).is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.diff");
        std::fs::write(&path, "nothing").unwrap();
        let error = format!("{:#}", chosen(&[&path.to_string_lossy()]).unwrap_err());
        assert!(error.contains("x.diff: it has no hunks"), "{error}");
        assert_eq!((distance("kitten", "sitting"), distance("", "ab")), (3, 2));
    }
}
