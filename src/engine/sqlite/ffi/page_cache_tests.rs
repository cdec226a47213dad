//! The cache keeps and refuses what SQLite's own does.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::*;
use crate::engine::sqlite::ffi::process;

/// The methods of SQLite's own cache; functions.
static SQLITES: OnceLock<[usize; METHODS]> = OnceLock::new();
const METHODS: usize = size_of::<ffi::sqlite3_pcache_methods2>() / size_of::<usize>();

/// Asks for SQLite's own methods, which can be done only before others are set.
pub(in crate::engine::sqlite::ffi) fn remember_sqlites() {
    // SAFETY: SQLite copies its methods, which are functions or null.
    unsafe {
        let mut methods: ffi::sqlite3_pcache_methods2 = std::mem::zeroed();
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETPCACHE2, &raw mut methods);
        SQLITES.get_or_init(|| std::mem::transmute(methods));
    }
}

/// One of the two caches, with its pinned pages.
struct Side {
    methods: ffi::sqlite3_pcache_methods2,
    cache: *mut ffi::sqlite3_pcache,
    pinned: BTreeMap<c_uint, *mut ffi::sqlite3_pcache_page>,
}

impl Side {
    unsafe fn new(methods: ffi::sqlite3_pcache_methods2, is_purgeable: bool) -> Self {
        let cache = methods.xCreate.unwrap()(1024, 64, is_purgeable.into());
        Self { methods, cache, pinned: BTreeMap::new() }
    }

    /// One of the numbered operations; what it shows.
    unsafe fn act(&mut self, operation: u32, key: c_uint, flag: c_int) -> (i32, i32) {
        let (methods, cache) = (self.methods, self.cache);
        let pinned = self.pinned.range(key..).next().map(|(key, page)| (*key, *page));
        let shown = match (operation, pinned) {
            (0..=5, _) => {
                let page = methods.xFetch.unwrap()(cache, key, flag);
                if page.is_null() {
                    -1
                } else {
                    self.pinned.insert(key, page);
                    let first = (*page).pExtra.cast::<usize>();
                    i32::from(first.replace(1) == 0)
                }
            }
            (6..=9, Some((pinned, page))) => {
                self.pinned.remove(&pinned);
                methods.xUnpin.unwrap()(cache, page, c_int::from(flag == 2));
                2
            }
            (10, Some((pinned, page))) if methods.xFetch.unwrap()(cache, key + 50, 0).is_null() => {
                self.pinned.remove(&pinned);
                self.pinned.insert(key + 50, page);
                methods.xRekey.unwrap()(cache, page, pinned, key + 50);
                3
            }
            (11, _) if flag == 0 => {
                self.pinned.split_off(&(2 * key));
                methods.xTruncate.unwrap()(cache, 2 * key);
                4
            }
            (12, _) => {
                methods.xCachesize.unwrap()(cache, key as c_int);
                5
            }
            (13, _) if flag == 0 => {
                methods.xShrink.unwrap()(cache);
                6
            }
            _ => 7,
        };
        (shown, methods.xPagecount.unwrap()(cache))
    }
}

#[test]
fn it_keeps_and_refuses_what_sqlites_own_cache_does() {
    process::initialize();
    let _exclusive = crate::engine::sqlite::exclusive();
    // SAFETY: the methods are used as SQLite does.
    unsafe {
        let sqlites: ffi::sqlite3_pcache_methods2 = std::mem::transmute(*SQLITES.get().unwrap());
        assert_eq!(sqlites.xInit.unwrap()(sqlites.pArg), ffi::SQLITE_OK);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let mut random = fastrand::Rng::with_seed(seed);
            let is_purgeable = seed % 4 != 0;
            let mut sides = [methods(), sqlites].map(|methods| Side::new(methods, is_purgeable));
            for step in 0..2000 {
                let (operation, key) = (random.u32(0..14), random.u32(1..50));
                // Only a cache of a file may be asked with 1; SQLite never sets the size of another.
                let flag = if is_purgeable { random.i32(0..3) } else { 2 * random.i32(0..2) };
                if operation == 12 && !is_purgeable {
                    continue;
                }
                let [ours, theirs] = sides.each_mut().map(|side| side.act(operation, key, flag));
                assert_eq!(ours, theirs, "seed {seed}, step {step}: {operation} {key} {flag}");
                seen.insert(ours.0);
            }
            sides.into_iter().for_each(|side| side.methods.xDestroy.unwrap()(side.cache));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-1, 0, 1, 2, 3, 4, 5, 6, 7]);
    }
}

#[test]
fn a_write_past_a_page_is_noticed_and_its_place_is_kept_once() {
    process::initialize();
    let _exclusive = crate::engine::sqlite::exclusive();
    let write_at = |at: usize| {
        // SAFETY: the bytes belong to the allocation.
        unsafe {
            let cache = create(512, 8, 1);
            let page = fetch(cache, 1, 2);
            (*page).pBuf.byte_add(at).cast::<u8>().write(1);
            unpin(cache, page, 1);
            destroy(cache);
        }
        take_overrun().is_some()
    };
    let last = 512 + OVERRUN_BYTES - 1;
    assert_eq!([511, 512, last].map(write_at), [false, true, true]);
    assert!(take_overrun().is_none());
}
