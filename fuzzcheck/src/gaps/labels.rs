//! Cases of a `switch`, by label: opcodes and pragmas.

use crate::coverage::export::Detail;

/// A label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    /// Its name, with the prefix.
    pub name: String,
    /// Where it is, from 1.
    pub line: u32,
    /// True if control came to it from the `switch` itself, not from the label above.
    pub is_reached: bool,
    /// Outcomes of conditions up to the next label that has code of its own.
    pub branches: u64,
}

/// The labels `case PREFIX…:` in the lines `within` that were compiled.
pub(crate) fn labels(source: &str, detail: &Detail, prefix: &str, within: (u32, u32)) -> Vec<Label> {
    let numbered = source.lines().zip(1_u32..).skip(within.0.saturating_sub(1) as usize);
    let found = numbered.take_while(|(_, line)| *line <= within.1).filter_map(|(text, line)| {
        let name = text.trim_start().strip_prefix("case ")?.trim_start();
        let name = name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()?;
        name.starts_with(prefix).then(|| (name.to_owned(), line))
    });
    let found: Vec<(String, u32)> = found.collect();
    let branch = |line: u32| {
        let at = detail.branches.partition_point(|branch| branch.line < line);
        detail.branches.get(at).filter(|branch| branch.line == line)
    };
    let all = found.iter().enumerate().filter_map(|(i, (name, line))| {
        // Labels one below the other share what follows.
        let mut next = i + 1;
        while next < found.len() && found[next].1 == found[next - 1].1 + 1 {
            next += 1;
        }
        let end = found.get(next).map_or(within.1 + 1, |(_, line)| *line);
        let from = detail.branches.partition_point(|branch| branch.line <= found[next - 1].1);
        let to = detail.branches.partition_point(|branch| branch.line < end);
        // The first outcome of a label's line is how often the switch came there; the count of the line has what
        // fell through from above in it, too.
        let count = match (branch(*line), detail.lines.get(line)) {
            (Some(branch), _) => branch.count,
            (None, Some(&count)) => count,
            (None, None) => return None,
        };
        let branches = to.saturating_sub(from) as u64;
        Some(Label { name: name.clone(), line: *line, is_reached: count > 0, branches })
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::export::Branch;

    #[test]
    fn a_label_is_reached_by_the_switch_and_not_by_falling_through() {
        let source = "switch( op ){\n  case OP_A:\n  case OP_B: {\n    if( x ) y();\n  }\ncase OP_C:\n  case OP_Gone:\n}\n";
        let branch = |line, index, count| Branch { line, index, count };
        let detail = Detail {
            branches: vec![
                branch(2, 0, 5),
                branch(2, 1, 0),
                branch(3, 0, 0),
                branch(3, 1, 0),
                branch(4, 0, 5),
                branch(4, 1, 0),
                branch(6, 0, 0),
            ],
            lines: [(2, 5), (3, 5), (4, 5), (6, 0)].into(),
            ..Detail::default()
        };
        let all = labels(source, &detail, "OP_", (1, 8));
        let all: Vec<_> = all.iter().map(|l| (l.name.as_str(), l.is_reached, l.branches)).collect();
        assert_eq!(all, [("OP_A", true, 2), ("OP_B", false, 2), ("OP_C", false, 0)]);
    }
}
