//! Which rows are in a frame (<https://sqlite.org/windowfunctions.html#frame_specifications>).

use crate::engine::Value;
use crate::engine::sqlite::Row;
use crate::sql::tree::Node;

/// Keys beyond this lose digits.
const KEY_MAX: i64 = 1 << 50;

/// A row among those of its partition.
pub(super) struct Place<'r> {
    pub row: &'r Row,
    /// The number of its partition.
    pub partition: i64,
    /// The number of its group of peers, from 1.
    pub rank: i64,
    /// Its key, if that is the only one and an integer.
    key: Option<i64>,
}

impl<'r> Place<'r> {
    /// The place that a row of the query says.
    pub(super) fn of(row: &'r Row) -> Option<Self> {
        match &row[5..] {
            [Value::Integer(partition), Value::Integer(rank), key] => {
                let key = match key {
                    Value::Integer(key) if key.saturating_abs() < KEY_MAX => Some(*key),
                    _ => None,
                };
                Some(Self { row, partition: *partition, rank: *rank, key })
            }
            _ => None,
        }
    }
}

/// True if no rows tie.
pub(super) fn is_total(places: &[Place<'_>]) -> bool {
    let mut ranks: Vec<(i64, i64)> = places.iter().map(|place| (place.partition, place.rank)).collect();
    ranks.sort_unstable();
    ranks.windows(2).all(|pair| pair[0] != pair[1])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Rows,
    Range,
    Groups,
}

/// A bound: so many after the current row, or no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Unbounded,
    Current,
    At(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exclude {
    NoOthers,
    CurrentRow,
    Group,
    Ties,
}

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    unit: Unit,
    start: Bound,
    end: Bound,
    exclude: Exclude,
    is_ordered: bool,
}

impl Frame {
    /// The frame that is written, or the default; `None` if it is not understood here.
    pub(super) fn of(node: Option<&Node>, is_ordered: bool) -> Option<Self> {
        let (start, end) = (Bound::Unbounded, Bound::Current);
        let Some(node) = node else {
            return Some(Self { unit: Unit::Range, start, end, exclude: Exclude::NoOthers, is_ordered });
        };
        let text = node.print().to_ascii_uppercase();
        let mut words = text.split_whitespace();
        let unit = match words.next()? {
            "ROWS" => Unit::Rows,
            "RANGE" => Unit::Range,
            "GROUPS" => Unit::Groups,
            _ => return None,
        };
        let rest: Vec<&str> = words.collect();
        let at = rest.iter().position(|&word| word == "EXCLUDE").unwrap_or(rest.len());
        let exclude = match &rest[at..] {
            [] | ["EXCLUDE", "NO", "OTHERS"] => Exclude::NoOthers,
            ["EXCLUDE", "CURRENT", "ROW"] => Exclude::CurrentRow,
            ["EXCLUDE", "GROUP"] => Exclude::Group,
            ["EXCLUDE", "TIES"] => Exclude::Ties,
            _ => return None,
        };
        let (start, end) = match &rest[..at] {
            ["BETWEEN", a, b, "AND", c, d] => (bound([a, b])?, bound([c, d])?),
            [a, b] => (bound([a, b])?, Bound::Current),
            _ => return None,
        };
        Some(Self { unit, start, end, exclude, is_ordered })
    }

    /// True if it contains the same rows in whatever order rows come that tie, and is computed here.
    pub(super) fn is_determined(&self, places: &[Place<'_>], is_total: bool) -> bool {
        let is_offset = [self.start, self.end].iter().any(|bound| matches!(bound, Bound::At(_)));
        let is_whole = self.start == Bound::Unbounded && self.end == Bound::Unbounded;
        match self.unit {
            Unit::Rows => is_total || is_whole,
            Unit::Range if is_offset => self.is_ordered && places.iter().all(|place| place.key.is_some()),
            Unit::Range | Unit::Groups => true,
        }
    }

    /// Whether the frame of `own` contains another row of its partition.
    pub(super) fn contains(&self, own: &Place<'_>, other: &Place<'_>, is_descending: bool) -> bool {
        let is_own = std::ptr::eq(own.row, other.row);
        let excluded = match self.exclude {
            Exclude::NoOthers => false,
            Exclude::CurrentRow => is_own,
            Exclude::Group => own.rank == other.rank,
            Exclude::Ties => own.rank == other.rank && !is_own,
        };
        let is_offset = [self.start, self.end].iter().any(|bound| matches!(bound, Bound::At(_)));
        let mut distance = other.rank - own.rank;
        if self.unit == Unit::Range && is_offset {
            let (Some(from), Some(to)) = (own.key, other.key) else {
                return false;
            };
            distance = if is_descending { from - to } else { to - from };
        }
        let limit = |bound: Bound| match bound {
            Bound::Unbounded => None,
            Bound::Current => Some(0),
            Bound::At(n) => Some(n),
        };
        let is_after_start = limit(self.start).is_none_or(|start| distance >= start);
        let is_before_end = limit(self.end).is_none_or(|end| distance <= end);
        is_after_start && is_before_end && !excluded
    }
}

fn bound(words: [&str; 2]) -> Option<Bound> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|n| (0..KEY_MAX).contains(n));
    match words {
        ["UNBOUNDED", _] => Some(Bound::Unbounded),
        ["CURRENT", "ROW"] => Some(Bound::Current),
        [n, "PRECEDING"] => number(n).map(|n| Bound::At(-n)),
        [n, "FOLLOWING"] => number(n).map(Bound::At),
        _ => None,
    }
}
