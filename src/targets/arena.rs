//! An arena allocator for mutations.
//!
//! A mutation is safe Rust on plain data: trees, scripts, images. Under AddressSanitizer each of its allocations
//! costs a stack trace and a place in the quarantine, which made up more than half of the cost of mutation. Within
//! [`Arena::within`], memory comes from a region that is reused from its start each time.
//!
//! Runs on SQLite are not affected: nothing there is allocated within a mutation, so an overrun of a script
//! or an image that SQLite reads is still detected.
//!
//! # Invariants
//! * A block in the region is handed out once until all blocks since the last [`Arena::within`] began are freed.
//!   One that is kept longer (a table built on first use) permanently occupies the region up to its end; the next
//!   mutation continues after it.
//! * One thread at a time: the region belongs to the thread that is in [`Arena::within`]. Any other thread that
//!   calls it meanwhile gets its memory from the system. Blocks may be freed by any thread at any time.
//! * If the region is used up or could not be mapped, memory comes from the system.
//!
//! An allocator needs `unsafe`.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

/// Bytes of address space; untouched memory costs nothing.
const REGION_BYTES: usize = 1 << 30;

thread_local! {
    /// Its address identifies the thread.
    static THREAD: Cell<u8> = const { Cell::new(0) };
}

/// A number unique to the thread, and not 0.
#[inline]
fn this_thread() -> usize {
    THREAD.with(|own| ptr::from_ref(own).addr())
}

/// An allocator for use as the global one of a fuzzing program.
#[derive(Debug)]
pub struct Arena {
    /// The thread that is in [`Arena::within`]; 0 for none.
    owner: AtomicUsize,
    /// Where the region begins; 0 before it is mapped, 1 if it cannot be mapped.
    base: AtomicUsize,
    /// Where the next block begins; only for the owner.
    next: AtomicUsize,
    /// Blocks of the current mutation that its thread has not freed; only for the owner, so it is as cheap as a number.
    live: AtomicU32,
    /// The current [`Mutation`].
    mutation: AtomicU64,
}

/// What other threads need to know of the current mutation, in one word: a thread that frees a block counts it for the
/// mutation it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mutation {
    /// Where its blocks begin, relative to the start of the region.
    start: u32,
    /// How many of them other threads have freed.
    freed: u32,
}

impl From<u64> for Mutation {
    fn from(word: u64) -> Self {
        Self { start: (word >> 32) as u32, freed: word as u32 }
    }
}

impl From<Mutation> for u64 {
    fn from(Mutation { start, freed }: Mutation) -> Self {
        Self::from(start) << 32 | Self::from(freed)
    }
}

/// The region of the targets that [`crate::libfuzzer_target`] defines.
pub static ARENA: Arena = Arena::new();

/// The global allocator of these targets: [`ARENA`].
#[derive(Debug)]
pub struct TargetAllocator;

// SAFETY: guaranteed by the arena.
unsafe impl GlobalAlloc for TargetAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        unsafe { ARENA.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises.
        unsafe { ARENA.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises.
        unsafe { ARENA.realloc(block, layout, new_size) }
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Arena {
    /// An arena whose region is not mapped yet.
    pub const fn new() -> Self {
        Self {
            owner: AtomicUsize::new(0),
            base: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            live: AtomicU32::new(0),
            mutation: AtomicU64::new(0),
        }
    }

    /// Runs `action` with its memory from the region, unless another thread does.
    pub fn within<R>(&self, action: impl FnOnce() -> R) -> R {
        /// Ends the mutation even if `action` panics.
        struct Leave<'a>(&'a Arena);

        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.end();
                self.0.owner.store(0, Release);
            }
        }

        if self.owner.compare_exchange(0, this_thread(), Acquire, Relaxed).is_err() {
            return action();
        }
        if self.base.load(Relaxed) == 0 {
            self.reserve();
        }
        let _leave = Leave(self);
        action()
    }

    /// Ends the current mutation: the next begins where this one did, or after it if any of its blocks are kept.
    fn end(&self) {
        let base = self.base.load(Relaxed);
        let used = self.next.load(Relaxed).wrapping_sub(base) as u32;
        let live = self.live.load(Relaxed);
        let begin = |word: u64| {
            let Mutation { start, freed } = word.into();
            Mutation { start: if live == freed { start } else { used }, freed: 0 }
        };
        // Whoever frees a block was done with it.
        let last = self.mutation.fetch_update(AcqRel, Acquire, |word| Some(begin(word).into()));
        let start = begin(last.expect("a word is always given")).start;
        self.next.store(base + start as usize, Relaxed);
        self.live.store(0, Relaxed);
    }

    fn reserve(&self) {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, which affects no other memory.
        let region = unsafe { libc::mmap(ptr::null_mut(), REGION_BYTES, access, flags, -1, 0) };
        let base = if region == libc::MAP_FAILED { 1 } else { region as usize };
        self.base.store(base, Relaxed);
        self.next.store(base, Relaxed);
    }

    /// True for the thread that owns the region.
    #[inline]
    fn is_owner(&self) -> bool {
        self.owner.load(Relaxed) == this_thread()
    }

    /// True for an address in the region.
    fn has(&self, address: usize) -> bool {
        let base = self.base.load(Relaxed);
        base > 1 && (base..base + REGION_BYTES).contains(&address)
    }

    /// The next block of the region; `None` if it has no room.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        let base = self.base.load(Relaxed);
        if base == 1 {
            return None;
        }
        let at = self.next.load(Relaxed).checked_next_multiple_of(layout.align())?;
        let end = at.checked_add(layout.size())?;
        if end > base + REGION_BYTES {
            return None;
        }
        self.next.store(end, Relaxed);
        self.live.store(self.live.load(Relaxed) + 1, Relaxed);
        Some(ptr::with_exposed_provenance_mut(at))
    }
}

// SAFETY: blocks of the region do not overlap (`take` goes forward, and back only when none is live), have the
// requested alignment and size, and are told apart from the system's by their address.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.is_owner()
            && let Some(block) = self.take(layout)
        {
            return block;
        }
        // SAFETY: the caller's promises are those of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !self.has(block as usize) {
            // SAFETY: it is not of the region, so the system gave it.
            return unsafe { System.dealloc(block, layout) };
        }
        let at = block as usize - self.base.load(Relaxed);
        // It belongs to the current mutation, or was kept and is no longer counted.
        let is_live = |word: u64| at >= Mutation::from(word).start as usize;
        if !self.is_owner() {
            self.mutation.fetch_update(Release, Relaxed, |word| is_live(word).then(|| word + 1)).ok();
        } else if is_live(self.mutation.load(Relaxed)) {
            self.live.store(self.live.load(Relaxed) - 1, Relaxed);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let address = block as usize;
        if !self.has(address) {
            // SAFETY: it is not of the region, so the system gave it.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        if new_size <= layout.size() {
            return block;
        }
        let base = self.base.load(Relaxed);
        // A kept block does not grow in place: the added part would belong to this mutation, which does not count it.
        let grows = self.is_owner()
            && address + layout.size() == self.next.load(Relaxed)
            && address - base >= Mutation::from(self.mutation.load(Relaxed)).start as usize;
        if grows && address + new_size <= base + REGION_BYTES {
            self.next.store(address + new_size, Relaxed);
            return block;
        }
        // SAFETY: the old block is as long as `layout` says, the new one is longer, and they are distinct; the size was
        // valid for the caller, so it is valid with the same alignment.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size());
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn a_mutation_that_keeps_nothing_leaves_the_region_as_it_was() {
        let arena = Arena::new();
        let mut first = 0;
        for _ in 0..3 {
            arena.within(|| {
                // SAFETY: each block is used within its size and freed once.
                unsafe {
                    let (a, b) = (arena.alloc(layout(10)), arena.alloc(layout(20)));
                    assert!(arena.has(a as usize) && b as usize >= a as usize + 10);
                    assert!(first == 0 || first == a as usize, "the same place again");
                    first = a as usize;
                    a.write_bytes(1, 10);
                    b.write_bytes(2, 20);
                    // The last block grows where it is, another moves and takes its bytes along.
                    assert_eq!(arena.realloc(b, layout(20), 4000), b);
                    let moved = arena.realloc(a, layout(10), 100);
                    assert!(moved as usize >= b as usize + 4000);
                    assert_eq!(std::slice::from_raw_parts(moved, 10), [1; 10]);
                    arena.dealloc(moved, layout(100));
                    arena.dealloc(b, layout(4000));
                }
            });
        }
    }

    #[test]
    fn what_is_kept_is_never_handed_out_again() {
        let arena = Arena::new();
        // SAFETY: as above; `kept` is freed after the mutation in which it was made.
        unsafe {
            let kept = arena.within(|| arena.alloc(layout(16)));
            kept.write_bytes(7, 16);
            for _ in 0..100 {
                arena.within(|| {
                    let other = arena.alloc(layout(64));
                    assert!(other as usize >= kept as usize + 16);
                    other.write_bytes(0xff, 64);
                    arena.dealloc(other, layout(64));
                });
            }
            assert_eq!(std::slice::from_raw_parts(kept, 16), [7; 16]);
            arena.dealloc(kept, layout(16));
            let mutation = Mutation::from(arena.mutation.load(Relaxed));
            assert_eq!(mutation.freed, 0, "not counted as one of the current mutation");
        }
    }

    #[test]
    fn outside_and_without_room_the_system_gives() {
        let arena = Arena::new();
        // SAFETY: as above.
        unsafe {
            let outside = arena.alloc(layout(32));
            assert!(!arena.has(outside as usize));
            let (inside, too_large) = arena.within(|| {
                let too_large = arena.alloc(layout(REGION_BYTES + 1));
                (arena.realloc(outside, layout(32), 64), too_large)
            });
            assert!(!arena.has(inside as usize) && !arena.has(too_large as usize));
            arena.dealloc(inside, layout(64));
            arena.dealloc(too_large, layout(REGION_BYTES + 1));
        }
    }

    /// Counted once, whoever frees it: the region is used again if all are freed, and not if one is kept.
    #[test]
    fn what_another_thread_frees_is_counted() {
        let arena = Arena::new();
        // SAFETY: as above.
        unsafe {
            let elsewhere = |block: *mut u8| {
                let address = block.expose_provenance();
                let free = || arena.dealloc(ptr::with_exposed_provenance_mut(address), layout(16));
                std::thread::scope(|scope| scope.spawn(free).join().unwrap());
            };
            let first = arena.within(|| {
                let block = arena.alloc(layout(16));
                elsewhere(block);
                block
            });
            let (second, kept) = arena.within(|| {
                let (block, kept) = (arena.alloc(layout(16)), arena.alloc(layout(16)));
                elsewhere(block);
                (block, kept)
            });
            assert_eq!(first, second);
            // When its mutation is over, it is not one of the next.
            let third = arena.within(|| {
                let block = arena.alloc(layout(16));
                elsewhere(kept);
                block
            });
            let fourth = arena.within(|| arena.alloc(layout(16)));
            assert!(kept < third && third < fourth, "{kept:?} {third:?} {fourth:?}");
            arena.dealloc(third, layout(16));
            arena.dealloc(fourth, layout(16));
        }
    }

    #[test]
    fn what_is_kept_moves_when_it_grows() {
        let arena = Arena::new();
        // SAFETY: as above.
        unsafe {
            let kept = arena.within(|| arena.alloc(layout(16)));
            let grown = arena.within(|| arena.realloc(kept, layout(16), 64));
            grown.write_bytes(7, 64);
            arena.within(|| {
                let other = arena.alloc(layout(64));
                other.write_bytes(0xff, 64);
                arena.dealloc(other, layout(64));
            });
            assert_eq!(std::slice::from_raw_parts(grown, 64), [7; 64]);
            arena.dealloc(grown, layout(64));
        }
    }

    #[test]
    fn one_within_another_is_not_taken_for_it() {
        let (outer, inner) = (Arena::new(), Arena::new());
        outer.within(|| {
            // SAFETY: as above.
            unsafe {
                let block = inner.alloc(layout(16));
                assert!(!block.is_null() && !outer.has(block as usize) && !inner.has(block as usize));
                inner.dealloc(block, layout(16));
            }
        });
    }

    /// The second comes while the first is in its mutation, and both hold blocks when they are looked at.
    #[test]
    fn two_threads_at_once_have_blocks_of_their_own() {
        let arena = Arena::new();
        let meet = Barrier::new(2);
        let holds = |mark: u8| {
            arena.within(|| {
                meet.wait();
                // SAFETY: as above.
                unsafe {
                    let block = arena.alloc(layout(64));
                    block.write_bytes(mark, 64);
                    meet.wait();
                    assert_eq!(std::slice::from_raw_parts(block, 64), [mark; 64]);
                    meet.wait();
                    arena.dealloc(block, layout(64));
                    arena.has(block as usize)
                }
            })
        };
        let of_region = std::thread::scope(|scope| {
            let other = scope.spawn(|| holds(1));
            [holds(2), other.join().unwrap()]
        });
        assert_eq!(of_region.iter().filter(|is| **is).count(), 1);
        // The region is had again by whoever comes then.
        assert!(std::thread::scope(|scope| scope
            .spawn(|| arena.within(|| arena.is_owner()))
            .join()
            .unwrap()));
    }
}
