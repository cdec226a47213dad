//! Finds the functions that a unified diff changes.
//!
//! The SQLite that is fuzzed may be what the diff begins with or what it leads to, and the diff may be of `sqlite3.c` or of a
//! source file such as `btree.c`, whose lines have other numbers. So a hunk is looked for by its text: the place where all of
//! one of its two sides stands, nearest to where the hunk says.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use super::Sqlite;

/// One side of a hunk: its lines, and those of them that the other side does not have (where something was
/// only taken out, the one after).
#[derive(Debug, Default, PartialEq, Eq)]
struct Side<'t> {
    /// The number of the first line, from 1.
    first: usize,
    lines: Vec<&'t str>,
    changed: BTreeSet<usize>,
}

/// The functions of `sqlite` that a diff changes.
///
/// # Errors
/// It is no diff, a hunk is not to be found in this SQLite, or it changes no function.
pub(super) fn functions(diff: &str, sqlite: &Sqlite) -> Result<BTreeSet<String>> {
    let hunks = hunks(diff)?;
    if hunks.is_empty() {
        bail!("it has no hunks: expected a unified diff, as of `diff -u` or `git diff`");
    }
    let text: Vec<&str> = sqlite.text.lines().map(bare).collect();
    let mut found = BTreeSet::new();
    for [old, new] in &hunks {
        let place = [new, old].into_iter().find_map(|side| Some((side, place(&text, side)?)));
        let (side, at) = place.with_context(|| {
            format!("neither side of the hunk at line {} is in the SQLite to fuzz", new.first)
        })?;
        for changed in &side.changed {
            let line = (at + changed + 1) as u32;
            found.extend(function_of(line, sqlite));
        }
    }
    if found.is_empty() {
        bail!("it changes no instrumented function");
    }
    Ok(found)
}

/// The function that a line belongs to: its body, or the lines from its head on.
fn function_of(line: u32, sqlite: &Sqlite) -> Option<String> {
    let bodies = sqlite.functions.iter().enumerate();
    let mut bodies = bodies.filter_map(|(i, function)| Some((function, sqlite.graph.lines_of(i)?)));
    let within = bodies.find(|(_, (first, last))| (*first..=*last).contains(&line));
    within.map(|(function, _)| function.name.clone())
}

/// A line without what `mksqlite3c.tcl` puts before the head of a function.
fn bare(line: &str) -> &str {
    let line = line.trim_end();
    ["SQLITE_PRIVATE ", "SQLITE_API "]
        .into_iter()
        .find_map(|prefix| line.strip_prefix(prefix))
        .unwrap_or(line)
}

/// Where a side stands in the text, from 0, nearest to the line that it names.
fn place(text: &[&str], side: &Side<'_>) -> Option<usize> {
    if side.lines.is_empty() || side.lines.len() > text.len() {
        return None;
    }
    let stands = |at: &usize| side.lines.iter().zip(&text[*at..]).all(|(a, b)| bare(a) == *b);
    let all = (0..=text.len() - side.lines.len()).filter(stands);
    all.min_by_key(|at| at.abs_diff(side.first.saturating_sub(1)))
}

/// The hunks, each as its old and its new side.
fn hunks(diff: &str) -> Result<Vec<[Side<'_>; 2]>> {
    let mut hunks: Vec<[Side<'_>; 2]> = Vec::new();
    // Lines of the hunk that are still to come, on both sides.
    let mut left = [0, 0];
    for line in diff.lines() {
        if left == [0, 0] {
            if let Some(ranges) = line.strip_prefix("@@ -") {
                let what = || format!("what is `{line}`?");
                let ranges = ranges.split(" @@").next().unwrap_or_default();
                let (old, new) = ranges.split_once(" +").with_context(what)?;
                let range = |text: &str| -> Option<(usize, usize)> {
                    let (first, count) = text.split_once(',').unwrap_or((text, "1"));
                    first.parse().ok().zip(count.parse().ok())
                };
                let (old, new) = range(old).zip(range(new)).with_context(what)?;
                left = [old.1, new.1];
                hunks.push([old.0, new.0].map(|first| Side { first, ..Side::default() }));
            }
            continue;
        }
        let Some([old, new]) = hunks.last_mut() else { break };
        let (kind, rest) =
            if line.is_empty() { (" ", "") } else { line.split_at_checked(1).unwrap_or((" ", line)) };
        let (in_old, in_new) = (matches!(kind, "-" | " "), matches!(kind, "+" | " "));
        left[0] = left[0].saturating_sub(usize::from(in_old));
        left[1] = left[1].saturating_sub(usize::from(in_new));
        if in_old != in_new {
            old.changed.insert(old.lines.len());
            new.changed.insert(new.lines.len());
        }
        old.lines.extend(in_old.then_some(rest));
        new.lines.extend(in_new.then_some(rest));
    }
    if left != [0, 0] {
        bail!("its last hunk is cut short");
    }
    Ok(hunks)
}

#[cfg(test)]
mod tests {
    use super::super::tests::made;
    use super::*;

    const INNER: &str = "\
--- a/src/a.c
+++ b/src/a.c
@@ -400,4 +400,5 @@ static int leaf(
 ){
-  a--;
+  a++;
   return a;
 }
";

    fn found(diff: &str) -> Result<Vec<String>> {
        functions(diff, &made()).map(|names| names.into_iter().collect())
    }

    #[test]
    fn a_hunk_is_found_by_its_text_before_and_after() {
        let diff = INNER.replace("400,4 +400,5", "400,4 +400,4");
        assert_eq!(found(&diff).unwrap(), ["leaf"]);
        // The SQLite that is fuzzed is the one before the change.
        let back = diff.replace("+  a++;", "+  a += 2;").replace("-  a--;", "-  a++;");
        assert_eq!(found(&back).unwrap(), ["leaf"]);
        let other = diff.replace("a++", "a *= 3");
        assert!(format!("{:#}", found(&other).unwrap_err()).contains("the hunk at line 400"));
        let taken = "@@ -8,3 +8,2 @@\n static int middle(int a){\n-  a = a;\n   return leaf(a);\n";
        assert_eq!(found(taken).unwrap(), ["middle"]);
    }

    #[test]
    fn what_changes_no_function_says_so() {
        let outside = "@@ -1,2 +1,1 @@\n-/* gone */\n /************** Begin file a.c ***********************************************/\n";
        assert!(format!("{:#}", found(outside).unwrap_err()).contains("changes no instrumented function"));
        assert!(format!("{:#}", found(INNER).unwrap_err()).contains("cut short"));
        assert!(format!("{:#}", found("@@ -x +y @@\n").unwrap_err()).contains("what is"));
    }
}
