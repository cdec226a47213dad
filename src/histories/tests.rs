//! Histories made by hand: each kind is found and gets its name; what may happen is silent.

mod forms;
mod sqlite;
mod store;

use super::*;

/// A transaction per line: outcome (`C`, `A`, `U`), perhaps its time (`@1-2`; all overlap otherwise), and accesses such as
/// `a+7` and `a=7,8`. Lists are `a` to `m`, registers are the rest.
fn history(lines: &[&str]) -> Vec<Transaction> {
    let transactions = lines.iter().enumerate().map(|(process, line)| {
        let mut one = Transaction {
            process: process as u8,
            outcome: Outcome::Committed,
            begin: 0,
            end: 100,
            accesses: Vec::new(),
        };
        for word in line.split(' ') {
            if let Some((begin, end)) = word.strip_prefix('@').and_then(|time| time.split_once('-')) {
                (one.begin, one.end) = (begin.parse().unwrap(), end.parse().unwrap());
                continue;
            }
            let (name, rest) = word.split_at(1);
            match name {
                "C" => one.outcome = Outcome::Committed,
                "A" => one.outcome = Outcome::Aborted,
                "U" => one.outcome = Outcome::Unknown,
                _ => one.accesses.push(access(name.as_bytes()[0], rest)),
            }
        }
        one
    });
    transactions.collect()
}

fn access(name: u8, rest: &str) -> Access {
    let key = i64::from(name);
    let object = if name < b'n' { Object::List(key) } else { Object::Register(key) };
    let (sign, values) = rest.split_at(1);
    let action = match sign {
        "+" => Action::Write(values.parse().unwrap()),
        "?" => Action::Garbled(values.to_owned()),
        _ => Action::Read(values.split_terminator(',').map(|value| value.parse().unwrap()).collect()),
    };
    Access { object, action }
}

fn kinds(lines: &[&str]) -> Vec<&'static str> {
    check(&history(lines)).iter().map(|anomaly| anomaly.kind.name()).collect()
}

/// Each with the only kinds that are reported.
#[test]
fn each_kind_is_found_and_gets_its_name() {
    let histories: &[(&[&str], &[&str])] = &[
        (&["C a+1", "C a=1,9"], &["garbage-read"]),
        (&["C a?nonsense"], &["garbage-read"]),
        (&["C x=5"], &["garbage-read"]),
        (&["C a+1 a+2", "C a=1,2,1"], &["duplicate"]),
        (&["C a+1 a="], &["internal"]),
        (&["C a=1 a+1"], &["internal"]),
        (&["C x+1 x="], &["internal"]),
        (&["C a+1", "C a= a=1"], &["internal"]),
        (&["C a+1", "A a+2", "C a=1,2"], &["g1a"]),
        (&["A x+2", "C x=2"], &["g1a"]),
        (&["A x+2", "A x=2"], &["g1a"]),
        (&["C a+1 a+2", "C a=1", "C a=1,2"], &["g1b"]),
        (&["C x+1 x+2", "C x=1"], &["g1b"]),
        (&["C a= a+1", "C a= a+2", "C a=1,2"], &["lost-update"]),
        (&["C x= x+1", "C x= x+2"], &["lost-update"]),
        (&["C x+1", "C x=1 x+2", "C x=1 x+3", "C x=2"], &["lost-update"]),
        (&["C @1-2 a+1", "C @3-4 a+2", "C @5-6 a=2"], &["lost-write"]),
        (&["C @1-2 a+1 a+2", "C @5-6 a=2"], &["lost-write"]),
        (&["C a+1", "C a+2", "C a=1", "C a=2,1"], &["incompatible-order"]),
        (&["C a+1 b+1", "C a+2 b+2", "C a=1,2 b=2,1"], &["g0"]),
        (&["C a+1 x=2", "C x+2 a=1"], &["g1c"]),
        (&["C a+1 b=1", "C a+2 b+1", "C a=1,2"], &["g1c"]),
        (&["C a+1 b+2", "C a=1 b=", "C b=2"], &["g-single"]),
        (&["C x+1 y+2", "C x=1 y="], &["g-single"]),
        (&["C a= b+1", "C b= a+2", "C a=2 b=1"], &["g2"]),
        (&["C x= y+1", "C y= x+2"], &["g2"]),
        (&["C a= b+1", "C b= c+2", "C c= a+3", "C a=3 b=1 c=2"], &["g2"]),
        (&["C @5-6 a+1", "C @1-2 a+2", "C a=1,2"], &["g0-realtime"]),
        (&["C @5-6 a+1", "C @1-2 a=1"], &["g1c-realtime"]),
        (&["C @1-2 a+1", "C @5-6 a=", "C a=1"], &["g-single-realtime"]),
        (&["C @1-2 x+1", "C @3-4 x+2", "C @5-6 x=1"], &["g-single-realtime"]),
        (&["C @1-2 x+1", "C @5-6 x="], &["g-single-realtime"]),
        (&["A @1-2 x+1", "C @3-4 x+2", "A @5-6 x= a+1"], &["g-single-realtime"]),
        (&["C @5-6 a=", "C a+1 b=", "C @1-2 b+1", "C a=1 b=1"], &["g2-realtime"]),
        // What nobody reads is after all that somebody reads.
        (&["C a= b+1", "C b= a+2"], &["g2"]),
    ];
    for (lines, expected) in histories {
        assert_eq!(kinds(lines), *expected, "{lines:?}: {:#?}", check(&history(lines)));
    }
    let mut found: Vec<&str> = histories.iter().flat_map(|(_, kinds)| *kinds).copied().collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), Kind::G2Realtime as usize + 1, "some kind has no history");
}

#[test]
fn what_some_order_explains_is_silent() {
    let histories: &[&[&str]] = &[
        &[],
        &["C"],
        &["C a+1 a=1 a+2 a=1,2", "C a=1,2 a+3 a=1,2,3", "C a=", "C a=1,2"],
        &["C x+1 x=1 x+2 x=2", "C x=2 x+3", "C x=3", "C x="],
        // Who overlaps may come in either order.
        &["C @1-5 a+1", "C @4-9 a=", "C @5-9 a=1"],
        &["C @1-5 x+1", "C @5-9 x+2", "C @10-11 x=1"],
        // Nobody can have read it later.
        &["C @1-5 a+1", "C @2-9 a="],
        // It may or may not have been committed, and at any time.
        &["U @1-2 a+1", "C @5-6 a="],
        &["U @1-2 a+1", "C @5-6 a=", "C @7-8 a=1"],
        &["U @1-2 x+1", "C @3-4 x=", "C @5-6 x+2", "C @7-8 x=1"],
        // What is rolled back saw a snapshot, and its own writes.
        &["C a+1", "A a=1 a+2 a=1,2", "C a=1 a+3", "C a=1,3"],
        &["A x+1 x=1", "C x="],
    ];
    for lines in histories {
        assert_eq!(kinds(lines), [""; 0], "{lines:?}: {:#?}", check(&history(lines)));
    }
}

#[test]
fn an_unknown_outcome_that_somebody_read_is_a_commit() {
    assert_eq!(kinds(&["U @1-2 a+1 b+1", "C @3-4 a=1", "C @5-6 b="]), ["g-single-realtime"]);
    assert_eq!(kinds(&["U @1-2 a+1 b+1", "C @3-4 a=1 b=", "C b=1"]), ["g-single"]);
}

#[test]
fn a_cycle_is_explained_edge_by_edge() {
    let histories: [(&[&str], &str); 4] = [
        (
            &["C a+1 b+2", "C a=1 b=", "C b=2"],
            "g-single: T1 -rw-> T0: T1 read list 98 while it was empty, without the 2 that T0 wrote to it; \
             T0 -wr-> T1: T1 read the 1 that T0 wrote to list 97",
        ),
        (
            &["C x+1 a=7", "C x=1 x+3 a+7"],
            "g1c: T0 -ww-> T1: T1 read the 1 of T0 in register 120 and wrote 3 over it; \
             T1 -wr-> T0: T0 read the 7 that T1 wrote to list 97",
        ),
        (
            &["C @5-6 a+1", "C @1-2 a+2", "C a=1,2"],
            "g0-realtime: T0 -ww-> T1: T1 appended 2 to list 97 after the 1 of T0; \
             T1 -time-> T0: T1 ended at 2, before T0 began at 5",
        ),
        (
            &["C @1-2 x+1", "C @3-4 x+2", "C @5-6 x=1"],
            "g-single-realtime: T2 -rw-> T1: T2 read register 120 when it was 1, without the 2 that T1 later wrote to \
             it; T1 -time-> T2: T1 ended at 4, before T2 began at 5",
        ),
    ];
    for (lines, expected) in histories {
        let found: Vec<String> = check(&history(lines)).iter().map(Anomaly::to_string).collect();
        assert_eq!(found, [expected]);
    }
}

/// Each on its own is found in a long history around it.
#[test]
fn one_of_many_transactions_is_found() {
    let mut lines: Vec<String> = (0..2000)
        .map(|i| {
            let list: Vec<String> = (0..i % 100).map(|value| (value + i / 100 * 100).to_string()).collect();
            let name = (b'a' + (i / 200) as u8) as char;
            let before: Vec<String> = (i / 200 * 200..i / 100 * 100).map(|value| value.to_string()).collect();
            let list = [before, list].concat().join(",");
            // Nobody reads the last one.
            let append = if i % 200 == 199 { String::new() } else { format!(" {name}+{i}") };
            format!("C @{}-{} {name}={list}{append}", 2 * i, 2 * i + 1)
        })
        .collect();
    let all = |lines: &[String]| kinds(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(all(&lines), [""; 0]);
    lines.push("C @5000-5001 a=0,1,2".to_owned());
    assert_eq!(all(&lines), ["g-single-realtime"]);
}
