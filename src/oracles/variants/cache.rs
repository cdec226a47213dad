//! Memory and the size of pages make no difference.
//!
//! `cache_size`, `cache_spill`, `temp_store`, `secure_delete` and, for a database that the script creates itself,
//! `page_size` and `auto_vacuum` (<https://sqlite.org/pragma.html>) decide when and where pages are written, not what
//! they say. R-Trees and full-text tables size their nodes by the page, and what they store is compared as any table:
//! they are left alone under another page size.

use super::{Keeps, Scriptwise, Variant, by_name, script, starts_empty};
use crate::engine::Observation;
use crate::testcase::TestCase;

pub(crate) const CACHE: Scriptwise =
    Scriptwise { name: "cache", keeps: Keeps::Programs, variants, examine: by_name };

fn variants(case: &TestCase, own: &Observation) -> Result<Vec<Variant>, &'static str> {
    let mut variants = vec![
        Variant::new("one-page", &[("cache_size", "1"), ("cache_spill", "1")]),
        Variant::new("ten-pages", &[("cache_size", "10"), ("cache_spill", "ON")]),
        Variant::new("no-spill", &[("cache_size", "3"), ("cache_spill", "OFF")]),
        Variant::new("secure-delete", &[("secure_delete", "ON")]),
    ];
    // To change it drops what is stored there.
    if !script::mentions(case, own, &["temp_store"]) {
        variants.extend([
            Variant::new("temp-file", &[("temp_store", "FILE"), ("cache_size", "1")]),
            Variant::new("temp-memory", &[("temp_store", "MEMORY")]),
        ]);
    }
    if starts_empty(case) && !script::mentions(case, own, &["virtual"]) {
        variants.extend([
            Variant::new("page-512", &[("page_size", "512")]),
            Variant::new("page-1024", &[("page_size", "1024"), ("auto_vacuum", "FULL")]),
            Variant::new("page-65536", &[("page_size", "65536")]),
            Variant::new("no-vacuum", &[("auto_vacuum", "NONE"), ("cache_size", "1")]),
            Variant::new("full-vacuum", &[("auto_vacuum", "FULL"), ("page_size", "512")]),
            Variant::new("incremental-vacuum", &[("auto_vacuum", "INCREMENTAL")]),
        ]);
    }
    Ok(variants)
}
