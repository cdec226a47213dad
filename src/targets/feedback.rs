//! New coverage of a run within the process, as libFuzzer counts it: an edge, or
//! one of eight ranges of how often an edge ran.

use crate::engine::sqlite::instrumentation;

/// What is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// Edges that never ran before.
    pub edges: u64,
    /// Edges that never ran so often, or so seldom; one that never ran at all is among them.
    pub features: u64,
}

/// What the runs of the process have reached so far.
#[derive(Debug, Clone, Default)]
pub struct Feedback {
    /// A set of ranges for each counter.
    seen: Vec<u8>,
    total: News,
}

impl Feedback {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { seen: vec![0; instrumentation::counter_count()], total: News::default() }
    }

    /// Looks at SQLite's counters after a run.
    pub fn look(&mut self) -> News {
        let mut news = News::default();
        instrumentation::for_each_hit(|index, count| self.note(index, count, &mut news));
        self.add(news)
    }

    /// What all runs have reached.
    pub fn total(&self) -> News {
        self.total
    }

    fn note(&mut self, index: usize, count: u8, news: &mut News) {
        let (before, range) = (self.seen[index], range_of(count));
        if before & range == 0 {
            self.seen[index] = before | range;
            news.features += 1;
            news.edges += u64::from(before == 0);
        }
    }

    fn add(&mut self, news: News) -> News {
        self.total.edges += news.edges;
        self.total.features += news.features;
        news
    }
}

/// The range of a count as a bit.
pub(super) fn range_of(count: u8) -> u8 {
    RANGES[usize::from(count)]
}

/// The range of each count as a bit, as in libFuzzer's `CounterToFeature`: 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128-.
const RANGES: [u8; 256] = {
    let firsts = [1, 2, 3, 4, 8, 16, 32, 128];
    let mut ranges = [0; 256];
    let (mut count, mut index) = (1, 0);
    while count < ranges.len() {
        if index + 1 < firsts.len() && firsts[index + 1] == count {
            index += 1;
        }
        ranges[count] = 1 << index;
        count += 1;
    }
    ranges
};

#[cfg(test)]
mod tests {
    use super::*;

    fn look(feedback: &mut Feedback, hits: &[(usize, u8)]) -> News {
        let mut news = News::default();
        hits.iter().for_each(|&(index, count)| feedback.note(index, count, &mut news));
        feedback.add(news)
    }

    #[test]
    fn an_edge_is_new_once_and_a_range_of_counts_once() {
        let mut feedback = Feedback { seen: vec![0; 3], total: News::default() };
        let hits = [(0, 1), (2, 9)];
        assert_eq!(look(&mut feedback, &hits), News { edges: 2, features: 2 });
        assert_eq!(look(&mut feedback, &hits), News::default());
        assert_eq!(look(&mut feedback, &[(0, 2), (2, 15)]), News { edges: 0, features: 1 });
        assert_eq!(look(&mut feedback, &[(1, 255)]), News { edges: 1, features: 1 });
        assert_eq!(feedback.total(), News { edges: 3, features: 4 });
    }

    #[test]
    fn ranges_are_those_of_libfuzzer() {
        let firsts: Vec<usize> = (1..256).filter(|&count| RANGES[count] != RANGES[count - 1]).collect();
        assert_eq!(firsts, [1, 2, 3, 4, 8, 16, 32, 128]);
        assert_eq!((RANGES[0], RANGES[1], RANGES[255]), (0, 1, 128));
    }
}
