//! Tables of all seeds put into all others.

use super::*;
use crate::dbfile::damage;
use crate::engine::sqlite::Executor;
use crate::generators::seeds;
use crate::mutators::tests::with_context;
use crate::testcase::{OpenConfig, TestCase};

fn images(executor: &Executor) -> Vec<Vec<u8>> {
    let cases = seeds::db_file().into_iter().map(|seed| seed.build(executor).unwrap());
    let plain = cases.filter(|case| case.config == OpenConfig::default() && case.files.len() == 1);
    plain.filter_map(|case| case.files.main().map(<[u8]>::to_vec)).collect()
}

#[test]
fn tables_of_seeds_are_grafted_soundly() {
    let executor = Executor::shared();
    let images = images(&executor);
    let (mut grafted, mut sound) = (0, 0);
    for seed in 0..400_u64 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let source = &images[rng.usize(0..images.len())];
        let mut image = images[rng.usize(0..images.len())].clone();
        let outcome = with_context(seed, 1 << 16, |context| {
            if seed % 4 == 0 {
                copy_table(&mut image, context)
            } else {
                graft_table(&mut image, source, context)
            }
        });
        if outcome == Outcome::Skipped {
            continue;
        }
        grafted += 1;
        let is_sound =
            damage::first_damage(&image).is_none() && executor.is_healthy(&TestCase::from_database(image));
        sound += u32::from(is_sound);
    }
    println!("{grafted} grafted, {sound} sound");
    assert!(grafted > 280 && sound * 10 >= grafted * 9, "{sound} of {grafted}");
}

#[test]
fn names_are_exchanged_where_they_stand() {
    assert_eq!(with_name("CREATE TABLE t1(a, t1)", "t1", "t1_2"), "CREATE TABLE \"t1_2\"(a, t1)");
    assert_eq!(with_name("CREATE TABLE \"t 1\"(a)", "t 1", "x"), "CREATE TABLE \"x\"(a)");
    assert_eq!(with_name("CREATE TABLE '", "t", "x"), "CREATE TABLE '");
}

#[test]
fn leaves_of_like_tables_change_places() {
    let executor = Executor::shared();
    let (mut swapped, mut opened) = (0, 0);
    for (seed, image) in images(&executor).into_iter().enumerate() {
        let mut image = image;
        if with_context(seed as u64, 4096, |context| swap_leaves(&mut image, context)) == Outcome::Mutated {
            swapped += 1;
            opened += u32::from(damage::first_damage(&image).is_none());
        }
    }
    assert!(swapped > 10 && opened * 2 > swapped, "{opened} of {swapped}");
}
