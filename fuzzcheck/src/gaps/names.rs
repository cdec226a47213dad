//! Finds the C code of SQL functions, pragmas and result codes in the text of an amalgamation.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::words;
use crate::coverage::export::Function;

/// Lines over which the arguments of a macro that declares a function go on, at most.
const MACRO_LINES_MAX: usize = 4;

/// The C functions behind each SQL function, by its name in lower case, as indexes. From tables and calls that have
/// the name and the function on one line, and from macros that begin with the name.
pub(super) fn implementations(
    source: &str,
    functions: &[Function],
    names: &BTreeSet<String>,
) -> BTreeMap<String, BTreeSet<usize>> {
    let known: BTreeMap<&str, usize> =
        functions.iter().enumerate().map(|(index, function)| (function.name.as_str(), index)).collect();
    let lines: Vec<&str> = source.lines().collect();
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let (name, end) = match declared(line) {
            Some(name) => {
                (name, (at..at + MACRO_LINES_MAX).find(|&i| lines.get(i).is_none_or(|l| l.contains(')'))))
            }
            None => match line.split('"').nth(1) {
                Some(name) => (name, Some(at)),
                None => continue,
            },
        };
        let name = name.to_lowercase();
        if !names.contains(&name) {
            continue;
        }
        let end = end.unwrap_or(at).min(lines.len() - 1);
        let mut own: BTreeSet<usize> = BTreeSet::new();
        words(&lines[at..=end], |word| {
            // API is what declares, not what is declared.
            own.extend(known.get(word).filter(|_| !word.starts_with("sqlite3_")).copied());
        });
        // The macros of window functions make names of their own.
        for end in ["StepFunc", "InvFunc", "ValueFunc", "FinalizeFunc"] {
            own.extend(known.get(format!("{name}{end}").as_str()).copied());
        }
        found.entry(name).or_default().extend(own);
    }
    found.retain(|_, own| !own.is_empty());
    found
}

/// The first argument of a macro whose name says that it declares a function: `FUNCTION(abs, …`.
fn declared(line: &str) -> Option<&str> {
    let (name, rest) = line.trim_start().split_once('(')?;
    let is_macro = name.len() > 4
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        && ["FUNC", "AGGREGATE", "PURE_DATE"].iter().any(|part| name.contains(part));
    let first = rest.split([',', ')']).next()?.trim();
    (is_macro && !first.is_empty()).then_some(first)
}

/// The type of each pragma, `PragTyp_…`, by its name.
pub(super) fn pragma_types(source: &str) -> BTreeMap<String, String> {
    let mut types = BTreeMap::new();
    let mut name = None;
    for line in source.lines() {
        if let Some((_, rest)) = line.split_once("/* zName:") {
            name = rest.split('"').nth(1);
        } else if let Some((_, rest)) = line.split_once("/* ePragTyp:")
            && let Some(name) = name.take()
            && let Some((_, kind)) = rest.split_once("*/")
        {
            types.insert(name.to_lowercase(), kind.trim().trim_end_matches(',').to_owned());
        }
    }
    types
}

/// Result codes, by value: those of the sections that `sqlite3.h` has for them.
pub(super) fn result_codes(source: &str) -> BTreeMap<i32, String> {
    let mut codes = BTreeMap::new();
    let mut values: BTreeMap<&str, i32> = BTreeMap::new();
    let mut is_section = false;
    for line in source.lines() {
        if let Some((_, title)) = line.split_once("** CAPI3REF: ") {
            is_section = matches!(title.trim(), "Result Codes" | "Extended Result Codes");
        }
        let Some(rest) = line.strip_prefix("#define SQLITE_").filter(|_| is_section) else { continue };
        let name = &line["#define ".len()..line.len() - rest.len() + rest.find([' ', '\t']).unwrap_or(0)];
        let value = rest.split("/*").next().unwrap_or_default()[name.len() - "SQLITE_".len()..].trim();
        let value = value.trim_start_matches('(').trim_end_matches(')');
        let value = match value.split_once('|') {
            None => value.trim().parse::<i32>().ok(),
            Some((primary, extension)) => {
                let shifted = extension.trim().trim_matches(['(', ')']).split_once("<<");
                let number = shifted.and_then(|(n, by)| {
                    Some(
                        n.trim().parse::<i32>().ok()?
                            << by.trim().parse::<u32>().ok().filter(|by| *by < 24)?,
                    )
                });
                number.zip(values.get(primary.trim())).map(|(number, primary)| primary | number)
            }
        };
        if let Some(value) = value {
            values.insert(name, value);
            codes.entry(value).or_insert_with(|| name.to_owned());
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::build::Coverage;

    #[test]
    fn code_of_sql_functions_is_found_in_macros_and_tables() {
        let source = "\
    FUNCTION(abs,                1, 0, 0, absFunc          ),
    WAGGREGATE(count, 0,0,0, countStep,
        countFinalize, countFinalize, countInverse, 0 ),
    WINDOWFUNCALL(ntile, 1, 0),
  { \"Snippet\", snippetFunc },
  rc = sqlite3_create_function(db, \"rtreenode\", 2, SQLITE_UTF8, 0, rtreenode, 0, 0);
  FUNCTION(other, 1, 0, 0, absFunc ),
";
        let all = [
            "absFunc",
            "countStep",
            "countFinalize",
            "countInverse",
            "ntileStepFunc",
            "snippetFunc",
            "sqlite3_create_function",
            "rtreenode",
        ];
        let functions: Vec<Function> = all
            .iter()
            .map(|name| Function { name: (*name).to_owned(), line: 1, reached: Coverage::default() })
            .collect();
        let names = ["abs", "count", "ntile", "snippet", "rtreenode", "missing"].map(str::to_owned).into();
        let found = implementations(source, &functions, &names);
        let found: Vec<_> = found
            .iter()
            .map(|(name, own)| (name.as_str(), own.iter().copied().collect::<Vec<_>>()))
            .collect();
        assert_eq!(
            found,
            [
                ("abs", vec![0]),
                ("count", vec![1, 2, 3]),
                ("ntile", vec![4]),
                ("rtreenode", vec![7]),
                ("snippet", vec![5])
            ]
        );
    }

    #[test]
    fn pragmas_have_their_types_and_codes_their_values() {
        let source = "\
** CAPI3REF: Result Codes
#define SQLITE_OK           0   /* Successful result */
#define SQLITE_ERROR        1   /* Generic error */
** CAPI3REF: Extended Result Codes
#define SQLITE_ERROR_RETRY             (SQLITE_ERROR | (2<<8))
** CAPI3REF: Flags For File Open Operations
#define SQLITE_OPEN_READONLY         0x00000001  /* Ok for sqlite3_open_v2() */
 {/* zName:     */ \"analysis_limit\",
  /* ePragTyp:  */ PragTyp_ANALYSIS_LIMIT,
";
        assert_eq!(pragma_types(source)["analysis_limit"], "PragTyp_ANALYSIS_LIMIT");
        let codes: Vec<_> = result_codes(source).into_iter().collect();
        let named = |code: i32, name: &str| (code, name.to_owned());
        assert_eq!(
            codes,
            [named(0, "SQLITE_OK"), named(1, "SQLITE_ERROR"), named(513, "SQLITE_ERROR_RETRY")]
        );
    }
}
