//! Which pending writes survive, and how.

/// What becomes of a pending write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is on the disk.
    Kept,
    /// It is not.
    Lost,
    /// Only the file has become as long as it would have made it.
    Grown,
    /// A part of its sectors is on the disk.
    Torn {
        /// The first ones, or the last ones.
        first_kept: bool,
        /// Where, modulo their number.
        at: usize,
    },
    /// Its sectors hold anything.
    Garbled,
}

/// What a power loss does to what is pending, as a number. Numbers below [`Damage::RANDOM`] name one write and what becomes
/// of it and of all others; from there on they are seeds of random choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage(pub u64);

/// What happens to a write that a [`Damage`] names, and to all others.
const KINDS: u64 = 8;
const ALL_LOST: u64 = 0;
const ALL_KEPT: u64 = 1;
const ONE_LOST: u64 = 2;
const ONE_KEPT: u64 = 3;
const ONE_TORN: u64 = 4;
const ALL_UP_TO_TORN: u64 = 5;
const ONE_GARBLED: u64 = 6;
const ALL_UP_TO_KEPT: u64 = 7;

impl Damage {
    /// The first number that is a seed.
    pub const RANDOM: u64 = 1 << 32;

    /// Everything survives.
    pub const NONE: Self = Self::of(ALL_KEPT, true, 0);

    const fn of(kind: u64, has_metadata: bool, write: u64) -> Self {
        Self(kind + KINDS * has_metadata as u64 + 2 * KINDS * write)
    }

    /// The fates of so many pending writes.
    pub(super) fn fates(self, pending: usize) -> Fates {
        if self.0 >= Self::RANDOM {
            return Fates::random(self.0, pending);
        }
        let (kind, has_metadata) = (self.0 % KINDS, self.0 / KINDS % 2 == 1);
        let one = (self.0 / KINDS / 2) as usize;
        // Where a write is torn follows from which one it is, so that all places have their turn.
        let torn = Fate::Torn { first_kept: one.is_multiple_of(2), at: one / 2 };
        let fate = |write: usize| {
            let is_it = write == one;
            match kind {
                ALL_KEPT => Fate::Kept,
                ONE_LOST if !is_it => Fate::Kept,
                ONE_KEPT if is_it => Fate::Kept,
                ONE_TORN => {
                    if is_it {
                        torn
                    } else {
                        Fate::Kept
                    }
                }
                ALL_UP_TO_TORN if is_it => torn,
                ONE_GARBLED => {
                    if is_it {
                        Fate::Garbled
                    } else {
                        Fate::Kept
                    }
                }
                ALL_UP_TO_TORN | ALL_UP_TO_KEPT if write <= one => Fate::Kept,
                _ => Fate::Lost,
            }
        };
        let metadata = if has_metadata { usize::MAX } else { 0 };
        Fates { fates: (0..pending).map(fate).collect(), metadata, seed: self.0 }
    }

    /// In words, of so many pending writes.
    pub fn in_words(self, pending: usize) -> String {
        if self.0 >= Self::RANDOM {
            let kept = self.fates(pending).fates.iter().filter(|&&fate| fate == Fate::Kept).count();
            return format!(
                "{kept} of {pending} pending writes as they were, the others lost or damaged at random"
            );
        }
        let write = self.0 / KINDS / 2 + 1;
        let metadata =
            if self.0 / KINDS % 2 == 1 { "" } else { ", and no pending creation, deletion or truncation" };
        let what = match self.0 % KINDS {
            ALL_LOST => format!("none of {pending} pending writes"),
            ALL_KEPT => format!("all {pending} pending writes"),
            ONE_LOST => format!("{pending} pending writes without number {write}"),
            ONE_KEPT => format!("number {write} of {pending} pending writes alone"),
            ONE_TORN => format!("{pending} pending writes with number {write} torn"),
            ALL_UP_TO_TORN => format!("{pending} pending writes up to number {write}, which is torn"),
            ONE_GARBLED => format!("{pending} pending writes with number {write} garbled"),
            _ => format!("{pending} pending writes up to number {write}"),
        };
        format!("{what}{metadata}")
    }
}

/// The fates of the pending writes of a point.
#[derive(Debug)]
pub(super) struct Fates {
    fates: Vec<Fate>,
    metadata: usize,
    seed: u64,
}

impl Fates {
    fn random(seed: u64, pending: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let kept_in_8 = [1, 4, 7][rng.usize(0..3)];
        let fate = |rng: &mut fastrand::Rng| {
            if rng.u8(0..8) < kept_in_8 {
                return Fate::Kept;
            }
            match rng.u8(0..8) {
                0..3 => Fate::Lost,
                3 => Fate::Grown,
                4..6 => Fate::Torn { first_kept: rng.bool(), at: rng.usize(0..128) },
                _ => Fate::Garbled,
            }
        };
        let fates = (0..pending).map(|_| fate(&mut rng)).collect();
        let metadata = if rng.bool() { usize::MAX } else { rng.usize(0..8) };
        Self { fates, metadata, seed }
    }

    /// Lets nothing survive behind the first write that did not as a whole, and returns that one.
    pub(super) fn cut(&mut self) -> Option<usize> {
        let first = self.fates.iter().position(|&fate| fate != Fate::Kept)?;
        self.fates[first + 1..].fill(Fate::Lost);
        Some(first)
    }

    pub(super) fn of(&self, write: usize) -> Fate {
        self.fates[write]
    }

    /// How many of so many pending creations, deletions and truncations survive: the first ones.
    pub(super) fn metadata(&self, pending: usize) -> usize {
        self.metadata.min(pending)
    }

    /// The seed of what a garbled write leaves.
    pub(super) fn garbage(&self, write: usize) -> u64 {
        self.seed ^ (write as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// The damages to try at a point with so many pending writes, and creations, deletions and truncations: at most `count`. First, those in
/// which nothing and everything survives, then those that name a single write, or a sample of them, then random ones.
pub fn seeds(pending: usize, metadata: usize, count: usize, seed: u64) -> Vec<Damage> {
    let both =
        |kind, write| (0..if metadata > 0 { 2 } else { 1 }).map(move |n| Damage::of(kind, n == 0, write));
    let mut all: Vec<Damage> = both(ALL_LOST, 0).chain(both(ALL_KEPT, 0)).collect();
    if pending == 0 {
        all.truncate(if metadata > 0 { 2 } else { 1 });
    }
    let all_but_one = [ONE_LOST, ONE_TORN, ONE_GARBLED, ALL_UP_TO_TORN, ALL_UP_TO_KEPT];
    let one = |write: usize| {
        let write = write as u64;
        all_but_one.iter().map(move |&kind| Damage::of(kind, true, write)).chain(both(ONE_KEPT, write))
    };
    let mut single: Vec<Damage> = (0..pending).flat_map(one).collect();
    let mut rng = fastrand::Rng::with_seed(seed);
    let room = count.saturating_sub(all.len());
    if single.len() > room * 3 / 4 {
        rng.shuffle(&mut single);
        single.truncate(room * 3 / 4);
    }
    all.extend(single);
    // With one or two writes, all that can happen is in the list.
    if pending > 1 {
        while all.len() < count {
            all.push(Damage(Damage::RANDOM | rng.u64(..)));
        }
    }
    all.truncate(count);
    all
}
