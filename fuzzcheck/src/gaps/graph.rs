//! The reference graph of an amalgamation: functions, the tables and macros through which they are called, opcodes,
//! result codes.
//!
//! Read from the source text, which includes calls through tables of pointers, but also code that is not compiled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::coverage::export::Function;

/// The table through which loaded extensions call the whole interface: it leads nowhere here.
const EXTENSION_API: &str = "sqlite3Apis";

/// Whether a name belongs to SQLite's interface, which nothing inside SQLite needs to call.
pub(crate) fn is_api(name: &str) -> bool {
    name.starts_with("sqlite3_")
}

/// Something in the text that refers to names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its own name.
    pub name: String,
    /// Its first and last line, counted from 1.
    pub lines: (u32, u32),
    /// The index of the function; `None` for a table or a macro, which paths only pass through.
    pub function: Option<usize>,
}

/// The reference graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    /// Nodes that mention a name, by name.
    mentioned_by: HashMap<String, Vec<usize>>,
}

/// How a reached function leads to a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    /// The index of the reached function.
    pub from: usize,
    /// The nodes in between, the nearest to `from` first.
    pub through: Vec<String>,
}

impl Graph {
    /// Reads the text of an amalgamation with these functions.
    pub(crate) fn new(source: &str, functions: &[Function]) -> Self {
        let lines: Vec<&str> = source.lines().collect();
        let mut graph = Self::default();
        let mut at = 0;
        for (index, function) in functions.iter().enumerate() {
            let first = (function.line as usize).saturating_sub(1).min(lines.len());
            graph.add_tables(&lines, at.min(first)..first);
            let next = functions.get(index + 1).map_or(lines.len(), |next| next.line as usize - 1);
            let last = end_of_body(&lines, first, next.clamp(first, lines.len()));
            graph.push(&lines, &function.name, first..last, Some(index));
            at = last;
        }
        graph.add_tables(&lines, at.min(lines.len())..lines.len());
        graph
    }

    /// The lines of a function from the first line of its body, counted from 1.
    pub(crate) fn lines_of(&self, function: usize) -> Option<(u32, u32)> {
        self.nodes.iter().find(|node| node.function == Some(function)).map(|node| node.lines)
    }

    /// The functions that mention a name, by index, directly or through tables and macros.
    pub(crate) fn callers(&self, first: &str) -> BTreeSet<usize> {
        let (mut found, mut seen, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![first.to_owned()]);
        while let Some(name) = next.pop() {
            for &node in self.mentioned_by.get(&name).into_iter().flatten() {
                let node = &self.nodes[node];
                match node.function {
                    // A recursive function is not its own caller.
                    Some(function) => _ = (node.name != first).then(|| found.insert(function)),
                    None if node.name != EXTENSION_API && seen.insert(node.name.clone()) => {
                        next.push(node.name.clone())
                    }
                    None => {}
                }
            }
        }
        found
    }

    /// The shortest way to `name` from a function that `is_reached`; among several, the one with the greatest `merit`.
    /// A function whose merit is `None` does not count. If there is none, the names from which it could be reached and
    /// that nothing refers to.
    pub(crate) fn way<M: Ord>(
        &self,
        name: &str,
        is_reached: impl Fn(usize) -> Option<bool>,
        merit: impl Fn(usize) -> M,
    ) -> Result<Way, BTreeSet<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let (mut level, mut roots) = (vec![name], BTreeSet::new());
        while !level.is_empty() {
            let (mut next, mut found) = (Vec::new(), Vec::new());
            for &name in &level {
                let nodes = self.mentioned_by.get(name).map_or(&[][..], Vec::as_slice);
                let others = nodes.iter().map(|&node| &self.nodes[node]);
                let others = others.filter(|node| node.name != name && node.name != EXTENSION_API);
                let mut has_any = false;
                for node in others {
                    let is_known = node.function.map_or(Some(false), &is_reached);
                    has_any |= is_known.is_some();
                    if let (Some(true), Some(function)) = (is_known, node.function) {
                        found.push((function, name));
                    } else if is_known.is_none() {
                        // It mentions the name but does not lead to it.
                    } else if !came_from.contains_key(node.name.as_str()) {
                        came_from.insert(&node.name, name);
                        next.push(node.name.as_str());
                    }
                }
                if !has_any {
                    roots.insert(name.to_owned());
                }
            }
            if let Some((from, first)) = found.into_iter().max_by_key(|&(function, _)| merit(function)) {
                let mut through = Vec::new();
                let mut at = first;
                while at != name {
                    through.push(at.to_owned());
                    at = came_from[at];
                }
                return Ok(Way { from, through });
            }
            level = next;
        }
        // Functions that call each other in a cycle, and unused macros, have no end of their own.
        if !roots.iter().any(|root| is_api(root)) {
            let all = came_from.keys().copied().chain([name]).filter(|name| is_api(name));
            roots.extend(all.map(str::to_owned).collect::<Vec<_>>());
        }
        Err(roots)
    }

    /// Adds the tables and macros in lines that belong to no function.
    fn add_tables(&mut self, lines: &[&str], range: std::ops::Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let line = lines[at];
            if let Some(name) = macro_name(line) {
                let mut last = at;
                while last + 1 < range.end && lines[last].ends_with('\\') {
                    last += 1;
                }
                self.push(lines, name, at..last + 1, None);
                at = last;
            } else if let Some(name) = table_name(line) {
                let last = end_of_body(lines, at, range.end);
                self.push(lines, name, at..last, None);
                at = last - 1;
            }
            at += 1;
        }
    }

    fn push(&mut self, lines: &[&str], name: &str, range: std::ops::Range<usize>, function: Option<usize>) {
        let index = self.nodes.len();
        let mut mentioned = BTreeSet::new();
        words(&lines[range.clone()], |word| {
            mentioned.insert(word.to_owned());
        });
        for word in mentioned {
            self.mentioned_by.entry(word).or_default().push(index);
        }
        let lines = (range.start as u32 + 1, range.end.max(range.start + 1) as u32);
        self.nodes.push(Node { name: name.to_owned(), lines, function });
    }
}

/// One past the last line of the body that begins at `first`, before `limit`: where its braces close. If conditional
/// compilation makes them unbalanced, it ends at the first brace in the first column.
fn end_of_body(lines: &[&str], first: usize, limit: usize) -> usize {
    let (mut depth, mut end) = (0_i64, None);
    scan(&lines[first..limit], |index, word| {
        depth += match word {
            "{" => 1,
            "}" => -1,
            _ => 0,
        };
        if word == "}" && depth <= 0 {
            end = Some(index);
        }
        end.is_none()
    });
    let end = end.or_else(|| lines[first..limit].iter().position(|line| line.starts_with('}')));
    end.map_or(limit, |at| first + at + 1)
}

/// The name that a line of `#define` defines, if it takes arguments or stands for a name.
fn macro_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('#')?.trim_start().strip_prefix("define")?.trim_start();
    let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
    (end > 0 && end < rest.len()).then_some(&rest[..end])
}

/// The name of a variable that is initialized at file scope: `static const T aName[] = {`.
fn table_name(line: &str) -> Option<&str> {
    if !line.starts_with(|c: char| c.is_ascii_alphabetic()) || line.contains(';') && !line.contains('{') {
        return None;
    }
    let before = line.split_once('=')?.0.trim_end();
    let before = before.split('[').next()?.trim_end();
    let begin = before.rfind(|c: char| !is_word(c)).map_or(0, |at| at + 1);
    (begin > 0 && begin < before.len() && !before.contains('(')).then_some(&before[begin..])
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Calls `visit` with each identifier in lines of C, without those in comments and strings.
pub(crate) fn words<'t>(lines: &[&'t str], mut visit: impl FnMut(&'t str)) {
    scan(lines, |_, word| {
        if !matches!(word, "{" | "}") {
            visit(word);
        }
        true
    });
}

/// The same with curly braces and the index of the line, until `visit` has enough.
fn scan<'t>(lines: &[&'t str], mut visit: impl FnMut(usize, &'t str) -> bool) {
    let mut is_comment = false;
    for (index, line) in lines.iter().enumerate() {
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if is_comment {
                is_comment = !rest.starts_with(b"*/");
                at += if is_comment { 1 } else { 2 };
            } else if rest.starts_with(b"/*") {
                is_comment = true;
                at += 2;
            } else if rest.starts_with(b"//") {
                break;
            } else if matches!(rest[0], b'"' | b'\'') {
                at += 1;
                while at < bytes.len() && bytes[at] != rest[0] {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            } else if rest[0].is_ascii_alphanumeric() || rest[0] == b'_' {
                let length = rest.iter().take_while(|&&byte| is_word(char::from(byte))).count();
                if !rest[0].is_ascii_digit() && !visit(index, &line[at..at + length]) {
                    return;
                }
                at += length;
            } else {
                if matches!(rest[0], b'{' | b'}') && !visit(index, &line[at..=at]) {
                    return;
                }
                at += 1;
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::coverage::build::Coverage;

    pub(crate) const SOURCE: &str = "\
#define CALL_LEAF(x) leaf(x)
static int leaf(int a){ return a; }
static int viaMacro(int a){
  /* hidden( */
  return CALL_LEAF(\"text(\");
}
static int xMethod(void){
  return 1;
}
static const sqlite3_module aModule = {
  0,
  xMethod,
};
int start(void){
  viaMacro(1);
  return use(&aModule);
}
int sqlite3_api(void){
  return island() + sqlite3_circle();
}
int sqlite3_circle(void){ return sqlite3_api(); }
static int island(void){
#ifdef ONE
  if( 1 ){
#else
  if( 2 ){
#endif
  }
  return SQLITE_PERM;
}
static int machine(int op){
  switch( op ){
case 1: {
  break;
}
case 2: { leaf('{'); }
  }
}
";

    pub(crate) fn functions() -> Vec<Function> {
        let at = |text: &str| SOURCE.lines().position(|line| line.starts_with(text)).unwrap() as u32 + 1;
        let all = [
            ("leaf", "static int leaf"),
            ("viaMacro", "static int viaMacro"),
            ("xMethod", "static int xMethod"),
            ("start", "int start"),
            ("sqlite3_api", "int sqlite3_api"),
            ("sqlite3_circle", "int sqlite3_circle"),
            ("island", "static int island"),
            ("machine", "static int machine"),
        ];
        let new = |(name, begin): (&str, &str)| Function {
            name: name.to_owned(),
            line: at(begin),
            reached: Coverage::default(),
        };
        all.into_iter().map(new).collect()
    }

    #[test]
    fn the_way_leads_through_functions_tables_and_macros() {
        let graph = Graph::new(SOURCE, &functions());
        let way = |name: &str| graph.way(name, |function| Some(function == 3), |function| function);
        let through = |way: Way| (way.from, way.through.join(" "));
        assert_eq!(way("xMethod").map(through), Ok((3, "aModule".to_owned())));
        assert_eq!(way("leaf").map(through), Ok((3, "viaMacro CALL_LEAF".to_owned())));
        let api = ["sqlite3_api", "sqlite3_circle"].map(str::to_owned);
        assert_eq!(way("SQLITE_PERM"), Err(BTreeSet::from(api)));
        assert_eq!(way("hidden"), Err(BTreeSet::from(["hidden".to_owned()])));
        assert_eq!(graph.callers("leaf"), BTreeSet::from([1, 7]));
        assert_eq!(graph.lines_of(1), Some((3, 6)));
        assert_eq!(graph.lines_of(0), Some((2, 2)));
        // Braces in the first column within, and one too many where only one of two branches is compiled.
        assert_eq!((graph.lines_of(6), graph.lines_of(7)), (Some((22, 30)), Some((31, 38))));
    }
}
