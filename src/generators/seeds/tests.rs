//! The seeds build, run, and show what they claim to.

use std::collections::BTreeSet;

use super::*;
use crate::dbfile::page::PageKind;
use crate::dbfile::{Geometry, header, journal, page, tree, wal};
use crate::engine::Code;
use crate::targets::{TARGETS, Target};

fn built(target: &str) -> Vec<(Seed, TestCase)> {
    let executor = Executor::shared();
    let build = |seed: Seed| {
        let case = seed.build(&executor).unwrap_or_else(|error| panic!("{}: {error}", seed.about));
        (seed, case)
    };
    (Target::by_name(target).unwrap().seeds)().into_iter().map(build).collect()
}

#[test]
fn every_target_has_at_least_sixty_different_seeds_without_findings() {
    for target in TARGETS {
        let mut executor = Executor::shared();
        let seeds = built(target.name);
        let ids: BTreeSet<_> = seeds.iter().map(|(_, case)| case.id()).collect();
        assert!(seeds.len() >= 60, "{} has {} seeds", target.name, seeds.len());
        assert_eq!(ids.len(), seeds.len());
        for (seed, case) in &seeds {
            let judged = target.judge(&mut executor, case);
            assert!(judged.findings().next().is_none(), "{}: {:?}", seed.about, judged.judgements);
        }
    }
}

/// A seed that fails at its first statement shows nothing. Those that fail on purpose are marked.
#[test]
fn the_scripts_of_seeds_mostly_succeed() {
    for name in ["db_sql", "sql"] {
        let target = Target::by_name(name).unwrap();
        let mut executor = Executor::shared();
        let (mut all, mut failed) = (0, 0);
        for (seed, case) in built(name) {
            let trace = target.judge(&mut executor, &case).observation.trace;
            assert!(!trace.is_cut_short, "{}: {} steps", seed.about, trace.vm_steps());
            let is_on_purpose =
                ["errors on purpose", "no trigger", "tight limits"].iter().any(|p| seed.about.starts_with(p));
            for statement in trace.statements.iter().filter(|_| !is_on_purpose) {
                all += 1;
                if statement.code() != Code::DONE && statement.code() != Code::ROW {
                    failed += 1;
                    let sql = &seed.script[statement.sql.clone()];
                    println!("{name}: {}: {} at {}", seed.about, statement.code(), sql.trim());
                }
            }
        }
        assert!(failed * 12 < all, "{name}: {failed} of {all} statements fail");
    }
}

#[test]
fn the_images_have_what_a_database_can_have() {
    let cases: Vec<TestCase> = built("db_sql").into_iter().map(|(_, case)| case).collect();
    let images: Vec<&[u8]> = cases.iter().filter_map(|case| case.files.main()).collect();
    let page_sizes: BTreeSet<usize> = images.iter().filter_map(|image| header::page_size(image)).collect();
    assert_eq!(
        page_sizes.into_iter().collect::<Vec<_>>(),
        [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
    );
    let encodings: BTreeSet<u32> = images.iter().map(|image| header::ENCODING.get(image)).collect();
    assert!(encodings.is_superset(&BTreeSet::from([1, 2, 3])));
    for kind in PageKind::ALL {
        let has = |image: &&&[u8]| {
            let geometry = Geometry::of(image);
            let pages = tree::pages(image, &geometry, 1);
            let roots = crate::dbfile::schema::rows(image);
            let roots = roots.iter().filter_map(|row| row.root_page(&geometry));
            let pages = pages.into_iter().chain(roots.flat_map(|root| tree::pages(image, &geometry, root)));
            pages.into_iter().any(|number| {
                page::BtreePage::parse(image, &geometry, number).is_some_and(|page| page.kind == kind)
            })
        };
        assert!(images.iter().any(|image| has(&image)), "{kind:?}");
    }
    let with_freelist =
        images.iter().filter(|image| !tree::freelist(image, &Geometry::of(image)).leaves.is_empty());
    assert!(with_freelist.count() >= 3);
    let many_trunks =
        images.iter().filter(|image| tree::freelist(image, &Geometry::of(image)).trunks.len() > 1);
    assert!(many_trunks.count() >= 1);
    assert!(
        images
            .iter()
            .any(|image| header::LARGEST_ROOT.get(image) != 0 && header::INCREMENTAL_VACUUM.get(image) == 0)
    );
    assert!(images.iter().any(|image| header::INCREMENTAL_VACUUM.get(image) != 0));
    assert!(images.iter().any(|image| header::SCHEMA_FORMAT.get(image) == 1));
}

#[test]
fn logs_and_journals_are_in_the_states_that_matter() {
    let cases: Vec<TestCase> = built("db_sql").into_iter().map(|(_, case)| case).collect();
    let logs: Vec<&[u8]> = cases.iter().filter_map(|case| case.files.get(crate::testcase::WAL)).collect();
    let valid: Vec<_> = logs.iter().map(|log| (wal::valid_frames(log), wal::frames(log))).collect();
    assert!(valid.iter().any(|(count, frames)| *count == frames.len() && *count > 3));
    assert!(valid.iter().any(|(_, frames)| frames.last().is_some_and(|frame| frame.commit_pages == 0)));
    assert!(
        valid.iter().any(|(count, frames)| *count < frames.len()),
        "a restarted log has old frames behind the new"
    );
    let hot = cases.iter().filter_map(|case| case.files.get(crate::testcase::JOURNAL)).map(journal::records);
    let lengths: Vec<usize> = hot.map(|records| records.len()).collect();
    assert!(lengths.iter().filter(|&&length| length > 1).count() >= 2, "{lengths:?}");
}
