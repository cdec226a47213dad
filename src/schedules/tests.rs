use std::collections::BTreeSet;

use super::*;

/// Runs connections of so many operations each, with a point before each and as many within; returns who went on at each
/// point, and the schedule.
fn run(scheduler: &mut Box<dyn Scheduler>, operations: &[u32], within: u32) -> Option<(Vec<u8>, Schedule)> {
    if !scheduler.begin() {
        return None;
    }
    let idle = Box::new(RoundRobin::default());
    let mut recorder = Recorder::new(std::mem::replace(scheduler, idle));
    let mut left: Vec<u32> = operations.iter().map(|count| count * (within + 1)).collect();
    let (mut current, mut trail) = (None, Vec::new());
    // Connections are operations here: how many points each of them has had.
    let mut passed = vec![0; left.len()];
    loop {
        let ready: Connections = (0..left.len() as u8).filter(|&id| left[usize::from(id)] > 0).collect();
        let Some(first) = ready.iter().next() else {
            let (used, schedule) = recorder.end();
            *scheduler = used;
            return Some((trail, schedule));
        };
        let current_left = current.filter(|&current| ready.contains(current));
        let is_between =
            current_left.is_none_or(|current| left[usize::from(current)].is_multiple_of(within + 1));
        let usual = if is_between { first } else { current_left.unwrap_or(first) };
        let owner = usize::from(usual);
        let point = Point {
            operation: owner as u16,
            number: passed[owner],
            ready,
            waiting: Connections::default(),
            current: current_left,
            usual,
            moment: if is_between { Moment::Between } else { Moment::Within },
        };
        passed[owner] += 1;
        let chosen = recorder.choose(&point);
        left[usize::from(chosen)] -= 1;
        current = Some(chosen);
        trail.push(chosen);
    }
}

#[test]
fn depth_first_search_makes_each_schedule_once() {
    let all = |bound, operations: &[u32]| {
        let mut dfs: Box<dyn Scheduler> = Box::new(Dfs::new(bound));
        let mut runs = Vec::new();
        while let Some((trail, _)) = run(&mut dfs, operations, 0) {
            runs.push(trail);
        }
        let distinct: BTreeSet<_> = runs.iter().cloned().collect();
        assert_eq!(distinct.len(), runs.len());
        runs.len()
    };
    assert_eq!(all(None, &[3, 3]), 20, "6 over 3");
    assert_eq!(all(None, &[2, 2, 2]), 90);
    assert_eq!(all(Some(0), &[3, 3]), 2);
    // One of them stops after one or two, and the other goes on to its end.
    assert_eq!(all(Some(1), &[3, 3]), 6);
    assert_eq!(all(Some(9), &[3, 3]), 20);
}

#[test]
fn a_search_goes_on_where_it_was() {
    let dfs: Strategy = "dfs:2".parse().unwrap();
    let (mut whole, mut runs) = (dfs.scheduler(0, 0), Vec::new());
    while let Some((trail, _)) = run(&mut whole, &[2, 3], 1) {
        runs.push(trail);
    }
    assert_eq!(whole.rest(), None);
    let (mut rest, mut parts) = (None, Vec::new());
    loop {
        let mut part = dfs.resume(rest.as_deref());
        parts.extend((0..3).map_while(|_| run(&mut part, &[2, 3], 1)).map(|(trail, _)| trail));
        rest = part.rest();
        if rest.is_none() {
            break;
        }
    }
    assert_eq!(parts, runs);
}

#[test]
fn a_schedule_repeats_the_run_of_any_strategy() {
    for strategy in ["random", "pct:3", "round-robin", "dfs:2", "in-order"] {
        let strategy: Strategy = strategy.parse().unwrap();
        let mut scheduler = strategy.scheduler(7, 60);
        for _ in 0..50 {
            let Some((trail, schedule)) = run(&mut scheduler, &[4, 3, 5], 6) else {
                break;
            };
            let again: Schedule = schedule.to_string().parse().unwrap();
            let (repeated, same) = run(&mut Strategy::Replay(again).scheduler(0, 0), &[4, 3, 5], 6).unwrap();
            assert_eq!((repeated, same), (trail, schedule), "{strategy}");
        }
    }
}

#[test]
fn seeds_make_schedules() {
    for strategy in [Strategy::Random, Strategy::Pct(3)] {
        let runs = |seed| -> Vec<Vec<u8>> {
            let mut scheduler = strategy.scheduler(seed, 60);
            (0..20).map(|_| run(&mut scheduler, &[3, 3], 9).unwrap().0).collect()
        };
        assert_eq!(runs(1), runs(1));
        assert_ne!(runs(1), runs(2));
        let distinct: BTreeSet<_> = runs(1).into_iter().collect();
        assert!(distinct.len() > 8, "{strategy}: {distinct:?}");
    }
}

#[test]
fn who_waits_does_not_keep_others_from_going_on() {
    let everyone: Connections = [0, 1].into_iter().collect();
    let point = Point {
        operation: 1,
        number: 5,
        ready: everyone,
        waiting: [0].into_iter().collect(),
        current: Some(0),
        usual: 1,
        moment: Moment::Waiting,
    };
    for strategy in ["random", "pct:2", "round-robin", "dfs", "in-order"] {
        let mut scheduler = strategy.parse::<Strategy>().unwrap().scheduler(1, 9);
        assert!(scheduler.begin());
        assert_eq!(scheduler.choose(&point), 1, "{strategy}");
    }
}

#[test]
fn strategies_have_names() {
    for name in ["in-order", "round-robin", "random", "pct:3", "dfs", "dfs:2", "3.12:1,4.0:0"] {
        assert_eq!(name.parse::<Strategy>().unwrap().to_string(), name);
    }
    for wrong in ["pct", "pct:0", "pct:x", "dfs:-1", "often", ""] {
        assert!(wrong.parse::<Strategy>().is_err(), "{wrong}");
    }
}
