use super::*;
use crate::generators::seeds;
use crate::sql::vocabulary::{Function, Vocabulary};
use crate::sql::{Names, statements};
use crate::testcase::RICH_SCHEMA;

fn vocabulary() -> Vocabulary {
    crate::engine::sqlite::Executor::shared().vocabulary()
}

/// All statements of the seeds and of the rich schema.
fn all_statements() -> Vec<String> {
    let scripts = seeds::db_sql().into_iter().chain(seeds::sql()).map(|seed| seed.script);
    scripts
        .chain([RICH_SCHEMA.into()])
        .flat_map(|script| {
            statements(script.as_bytes()).map(|range| script[range].to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn statements_survive_printing() {
    let all = all_statements();
    let mut parsed = 0;
    for statement in &all {
        let Some(tree) = parse(statement.as_bytes()) else {
            continue;
        };
        parsed += 1;
        let printed = tree.print();
        let again = parse(printed.as_bytes()).unwrap_or_else(|| panic!("{statement}\nprinted as\n{printed}"));
        assert_eq!(again.print(), printed, "{statement}");
        assert_eq!(again, tree, "{statement}");
    }
    assert!(parsed * 100 > all.len() * 95, "{parsed} of {}", all.len());
}

#[test]
fn what_is_printed_means_the_same_to_sqlite() {
    use crate::engine::sqlite::Executor;
    use crate::targets::SQL;
    use crate::testcase::{Script, TestCase};

    let mut executor = Executor::shared();
    for seed in seeds::sql() {
        let case = seed.build(&executor).unwrap();
        let printed: Vec<String> = statements(case.sql.as_bytes())
            .map(|range| &case.sql.as_bytes()[range])
            .map(|text| {
                parse(text).map_or(String::from_utf8_lossy(text).into_owned(), |tree| tree.print() + ";")
            })
            .collect();
        let again = TestCase { sql: Script::new(printed.join("\n")), ..case.clone() };
        let results = |executor: &mut Executor, case: &TestCase| {
            let observation = SQL.judge(executor, case).observation;
            observation.trace.statements.iter().map(crate::engine::StatementTrace::code).collect::<Vec<_>>()
        };
        assert_eq!(results(&mut executor, &again), results(&mut executor, &case), "{}", seed.about);
    }
}

#[test]
fn deep_long_and_broken_statements_have_no_tree() {
    let deep = format!("SELECT {}1{}", "(".repeat(900), ")".repeat(900));
    let sum = format!("SELECT 1{}", "+1".repeat(1000));
    let nots = format!("SELECT {} 1", "NOT ".repeat(1200));
    let long = format!("SELECT '{}'", "x".repeat(STATEMENT_BYTES_MAX));
    for statement in [deep.as_str(), &sum, &nots, &long, "SELECT FROM", "", ";", "\u{e9}("] {
        assert_eq!(parse(statement.as_bytes()), None, "{statement}");
    }
    assert_eq!(parse(b"SELECT '\xff'"), None);
}

#[test]
fn random_token_soup_never_panics() {
    let all = all_statements();
    let words: Vec<&str> =
        all.iter().flat_map(|statement| statement.split_inclusive([' ', ',', '('])).collect();
    let (vocabulary, names) = (vocabulary(), Names::of(RICH_SCHEMA.as_bytes()));
    let mut rng = fastrand::Rng::with_seed(5);
    let mut parsed = 0;
    for _ in 0..30_000 {
        let text: String = (0..rng.usize(1..14)).map(|_| *rng.choice(&words).unwrap()).collect();
        if let Some(mut tree) = parse(text.as_bytes()) {
            parsed += 1;
            Binder::new(&names, &vocabulary, &mut rng, 10).statement(&mut tree);
            tree.print();
        }
    }
    assert!(parsed > 100, "{parsed}");
}

fn bound(names: &Names, text: &str, seed: u64) -> String {
    let mut tree = parse(text.as_bytes()).unwrap_or_else(|| panic!("no tree: {text}"));
    Binder::new(names, &vocabulary(), &mut fastrand::Rng::with_seed(seed), 0).statement(&mut tree);
    tree.print()
}

#[test]
fn what_fits_is_left_alone() {
    let mut changed = Vec::new();
    for seed in seeds::sql() {
        let is_rich =
            seed.settings.iter().any(|(setting, _)| *setting == crate::testcase::Setting::RichSchema);
        let mut names = if is_rich { Names::of(RICH_SCHEMA.as_bytes()) } else { Names::default() };
        for range in statements(seed.script.as_bytes()) {
            let text = &seed.script[range];
            if let Some(tree) = parse(text.as_bytes()) {
                let new = bound(&names, text, 1);
                if new != tree.print() {
                    changed.push((tree.print(), new));
                }
            }
            names.add(text.as_bytes());
        }
    }
    // Some seeds are wrong on purpose, and not everything that a script does to names is known here.
    assert!(changed.len() < 36, "{} {:#?}", changed.len(), changed);
}

#[test]
fn what_does_not_fit_is_made_to() {
    let names =
        Names::of(b"CREATE TABLE t(a, b); CREATE VIEW v(x) AS SELECT a FROM t; CREATE INDEX i ON t(a);");
    let cases = [
        (
            "SELECT nope FROM t",
            &[
                "SELECT a FROM t",
                "SELECT b FROM t",
                "SELECT t.a FROM t",
                "SELECT t.b FROM t",
                "SELECT rowid FROM t",
                "SELECT t.rowid FROM t",
            ][..],
        ),
        ("INSERT INTO t VALUES (1)", &["INSERT INTO t VALUES(1, NULL)"]),
        ("INSERT INTO v VALUES (1, 2)", &["INSERT INTO t VALUES(1, 2)"]),
        (
            "INSERT INTO t(q, a) VALUES (1, 2, 3)",
            &["INSERT INTO t(a, b) VALUES(1, 2)", "INSERT INTO t(b, a) VALUES(1, 2)"],
        ),
        ("SELECT 1 UNION SELECT 2, 3", &["SELECT 1 UNION SELECT 2"]),
        ("SELECT (SELECT 1, 2)", &["SELECT (SELECT 1)"]),
        ("SELECT (1, 2) IN (SELECT 3)", &["SELECT (1, 2) IN (SELECT 3, NULL)"]),
        ("SELECT 1 FROM t WHERE max(a) > 0 GROUP BY b HAVING max(a)", &[]),
        ("SELECT * FROM t JOIN v USING (b)", &["SELECT * FROM t JOIN v"]),
        ("SELECT * FROM t INDEXED BY zz", &["SELECT * FROM t INDEXED BY i"]),
        ("SELECT * FROM v INDEXED BY zz", &["SELECT * FROM v"]),
        ("SELECT *", &["SELECT 1"]),
        ("SELECT RAISE(IGNORE)", &["SELECT NULL"]),
        ("SELECT a FROM t HAVING a", &["SELECT a FROM t"]),
        ("CREATE TABLE t(x)", &[]),
        ("SELECT abs(a, b, 1) FROM t", &[]),
        ("SELECT abs(a) OVER w FROM t", &["SELECT abs(a) FROM t"]),
        ("SELECT rank() FROM t", &["SELECT rank() OVER () FROM t"]),
        ("SELECT a COLLATE zz FROM t", &[]),
    ];
    for (text, expected) in cases {
        for seed in 0..8 {
            let new = bound(&names, text, seed)
                .replace("VALUES (", "VALUES(")
                .replace(" (a, b)", "(a, b)")
                .replace(" (b, a)", "(b, a)")
                .replace("rank ()", "rank()")
                .replace("abs (a)", "abs(a)");
            assert_ne!(new, text);
            assert!(expected.is_empty() || expected.contains(&new.as_str()), "{text}: {new}");
        }
    }
}

#[test]
fn a_function_has_the_arguments_of_the_build() {
    let functions = [("one", Some(1), 's'), ("two", Some(2), 's'), ("agg", Some(1), 'w')];
    let functions =
        functions.map(|(name, arguments, kind)| Function { name: name.to_owned(), arguments, kind });
    let vocabulary = Vocabulary::new(functions, vec![], vec![], vec![]);
    let names = Names::of(b"CREATE TABLE t(a)");
    let call = |text: &str| {
        let mut tree = parse(text.as_bytes()).unwrap();
        Binder::new(&names, &vocabulary, &mut fastrand::Rng::with_seed(3), 0).statement(&mut tree);
        tree.print().replace(" (", "(")
    };
    assert_eq!(call("SELECT one(a, 2) FROM t"), "SELECT two(a, 2) FROM t");
    assert_eq!(call("SELECT a FROM t WHERE agg(a)"), "SELECT a FROM t WHERE one(a)");
}

#[test]
fn a_limit_with_a_comma_keeps_the_places_of_its_numbers() {
    let cases = [
        ("SELECT a FROM t LIMIT 1, 2", "SELECT a FROM t LIMIT 2 OFFSET 1"),
        ("SELECT a FROM t LIMIT 1 -- one\n, 2 -- two", "SELECT a FROM t LIMIT 2 OFFSET 1"),
        ("SELECT a FROM t LIMIT 1", "SELECT a FROM t LIMIT 1"),
        (
            "INSERT INTO t SELECT 1 LIMIT 5,6 RETURNING a, b",
            "INSERT INTO t SELECT 1 LIMIT 6 OFFSET 5 RETURNING a, b",
        ),
        ("SELECT(SELECT 1 LIMIT 0,1),2", "SELECT (SELECT 1 LIMIT 1 OFFSET 0), 2"),
        (
            "SELECT 1 LIMIT max((SELECT 3 LIMIT 4, 5), 1), 2",
            "SELECT 1 LIMIT 2 OFFSET max((SELECT 3 LIMIT 5 OFFSET 4), 1)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text.as_bytes()).map(|tree| tree.print()).as_deref(), Some(expected), "{text}");
    }
}
