//! The cheap proof compared with SQLite.

use super::*;
use crate::engine::sqlite::{Executor, Moment};
use crate::generators::seeds;
use crate::mutators::{self, Context, OperatorWeights, Weights};
use crate::sql::vocabulary::Vocabulary;
use crate::testcase::{OpenConfig, Script, TestCase};

/// Images of the seeds that need no other file.
fn images(executor: &Executor) -> Vec<Vec<u8>> {
    let seeds = seeds::db_file().into_iter();
    let is_ordinary = |case: &TestCase| case.config == OpenConfig::default() && case.files.len() == 1;
    let cases = seeds.map(|seed| seed.build(executor).unwrap()).filter(is_ordinary);
    cases.filter_map(|case| case.files.main().map(<[u8]>::to_vec)).collect()
}

/// Whether `integrity_check` may skip the freelist; see [`Damage::Space`].
fn has_rootless_table(case: &TestCase) -> bool {
    schema::rows(case.files.main().unwrap()).iter().any(|row| row.kind == "view" || row.is_virtual())
}

#[test]
fn sound_databases_show_no_damage() {
    for image in images(&Executor::shared()) {
        assert_eq!(assess(&image, LOCK_BYTE), Assessment::Sound);
    }
}

/// What is reported as damaged must be damaged to SQLite, too.
#[test]
fn reported_damage_is_real() {
    let executor = Executor::shared();
    let vocabulary = Vocabulary::default();
    let weights = Weights { database: 1, ..Weights::NONE };
    let weights = OperatorWeights::new(&weights, |_| false);
    let images = images(&executor);
    let (mut damaged, mut missed) = (0, 0);
    for seed in 0..2000 {
        let mut case = TestCase::from_database(images[seed as usize % images.len()].clone());
        let mut no_bytes = |data: &mut [u8], size: usize, _: usize| {
            data[..size].iter_mut().step_by(7).for_each(|byte| *byte ^= 0x11);
            size
        };
        let mut context = Context::new(seed, &vocabulary, &mut no_bytes, 1 << 20, 1 << 21);
        mutators::mutate(&mut case, &weights, &mut context);
        if case.files.len() != 1 {
            continue;
        }
        let found = first_damage(case.files.main().unwrap());
        case.sql = Script::default();
        let is_healthy = executor.is_healthy(&case);
        let is_overlooked = matches!(found, Some(Damage::Space { .. })) && has_rootless_table(&case);
        let is_confirmed = found.is_none() || !is_healthy || is_overlooked;
        assert!(is_confirmed, "{seed}: {found:?} by {:?}", context.mutators_used());
        damaged += u32::from(!is_healthy);
        missed += u32::from(!is_healthy && found.is_none());
    }
    assert!(damaged > 650 && missed * 2 < damaged, "{missed} of {damaged} damaged files were not recognised");
}

#[test]
fn a_schema_in_which_new_rows_stand_anywhere_is_not_sound() {
    let assessed = |rowid: i64| {
        let sql = format!(
            "CREATE TABLE t(a); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rowid={rowid}; \
             PRAGMA writable_schema=OFF;"
        );
        let files = Executor::shared().files_after(&OpenConfig::default(), &sql, Moment::Closed).unwrap();
        assess(files.main().unwrap(), LOCK_BYTE)
    };
    assert_eq!(assessed(1000), Assessment::Sound);
    assert_eq!(assessed(i64::MAX), Assessment::Unknown);
    assert_eq!(assessed(i64::MAX - 1), Assessment::Unknown);
}
