//! All schedules.

use super::{Connections, Point, Scheduler};

/// Tries every schedule, depth first, or every one in which at most so many connections are preempted: made to stop although
/// they could go on. With a small bound most bugs are found and the number of schedules is polynomial (Musuvathi, Qadeer:
/// "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", PLDI 2007).
#[derive(Debug, Clone)]
pub struct Dfs {
    bound: Option<u32>,
    /// The choices of the last run: what was taken, and what is still to be tried there.
    path: Vec<Choice>,
    /// How many choices of this run were made.
    depth: usize,
    preemptions: u32,
    has_run: bool,
}

#[derive(Debug, Clone, Copy)]
struct Choice {
    taken: u8,
    left: Connections,
}

impl Dfs {
    /// With at most so many preemptions; without a bound, if `None`.
    pub fn new(bound: Option<u32>) -> Self {
        Self { bound, path: Vec::new(), depth: 0, preemptions: 0, has_run: false }
    }

    /// As one that has got as far as another: [`Scheduler::rest`]. What cannot be read begins anew.
    pub fn resume(bound: Option<u32>, rest: &str) -> Self {
        let digit = |character: Option<char>| character?.to_digit(16).map(|digit| digit as u8);
        let choice = |word: &str| -> Option<Choice> {
            let mut characters = word.chars();
            Some(Choice { taken: digit(characters.next())?, left: Connections(digit(characters.next())?) })
        };
        let path: Option<Vec<Choice>> = rest.split(' ').map(choice).collect();
        Self { has_run: path.is_some(), path: path.unwrap_or_default(), ..Self::new(bound) }
    }

    fn is_preempted(point: &Point, chosen: u8) -> bool {
        point.current.is_some_and(|current| current != chosen && !point.waiting.contains(current))
    }
}

impl Scheduler for Dfs {
    fn begin(&mut self) -> bool {
        (self.depth, self.preemptions) = (0, 0);
        if !std::mem::replace(&mut self.has_run, true) {
            return true;
        }
        while let Some(last) = self.path.last_mut() {
            if let Some(next) = last.left.iter().next() {
                last.left.remove(next);
                last.taken = next;
                return true;
            }
            self.path.pop();
        }
        false
    }

    fn choose(&mut self, point: &Point) -> u8 {
        let taken = match self.path.get(self.depth) {
            Some(choice) => choice.taken,
            None => {
                let sensible = point.sensible();
                let first = point.current.filter(|&current| sensible.contains(current));
                let first = first.or_else(|| sensible.iter().next()).unwrap_or(point.usual);
                let is_spent = self.bound.is_some_and(|bound| self.preemptions >= bound);
                let others = sensible
                    .iter()
                    .filter(|&other| other != first && !(is_spent && Self::is_preempted(point, other)));
                self.path.push(Choice { taken: first, left: others.collect() });
                first
            }
        };
        self.depth += 1;
        self.preemptions += u32::from(Self::is_preempted(point, taken));
        taken
    }

    fn rest(&self) -> Option<String> {
        let choice = |choice: &Choice| format!("{:x}{:x}", choice.taken, choice.left.0);
        let is_over = self.path.iter().all(|choice| choice.left.is_empty());
        (!is_over).then(|| self.path.iter().map(choice).collect::<Vec<_>>().join(" "))
    }
}
