//! `fuzzcheck fuzz --directed` with stand-ins for cargo and the target. `.ci/run` uses the real ones.

use crate::common::counting::Stage;
use crate::common::{Ran, file, finish};

/// The target: lists its functions; when it is to fuzz, keeps the order that it was given, reports what a target would, and
/// ends the session.
const TARGET: &str = r#"
if [ -n "$TANDEM_DIRECTED" ]; then
    cp "$TANDEM_DIRECTED" "$STAGE/order.json"
    reports=$(sed 's/.*"reports":"\([^"]*\)".*/\1/' "$TANDEM_DIRECTED")
    mkdir -p "$reports"
    printf '{"runs":1000,"reached":20,"steered":400,"functions":{"second":{"edges":4,"seen":[0,2],"runs":20}}}' \
        >"$reports/$$.json"
    echo stat::number_of_executed_units: 1200 >&2
    trap 'exit 72' INT; kill -INT $PPID; waits false
fi
[ -n "$TANDEM_DIRECTED_LIST" ] || exit 1
printf '{"source":"%s","functions":{"first":[3,3],"second":[1,6]}}' "$STAGE/sqlite3.c" >"$TANDEM_DIRECTED_LIST"
"#;

fn on_stage(stage: &Stage, words: &str) -> Ran {
    finish(&mut stage.command(&format!("fuzz sql --no-install --max-total-time-s 600 {words}")))
}

#[test]
fn target_functions_are_resolved_and_their_hits_are_counted() {
    let stage = Stage::new(TARGET);
    let ran = on_stage(&stage, "--directed second").expect(0);
    assert!(ran.err.contains("directed at 1 functions, 1 that call them, 0 that call these"), "{ran:?}");
    assert!(
        ran.out.contains("mutated inputs reached the target functions (2.00 %), 2 of 4 edges"),
        "{ran:?}"
    );
    let order = std::fs::read_to_string(stage.path("order.json")).unwrap();
    assert!(order.contains(r#""levels":[["second"],["first"]],"steers":true"#), "{order}");
    // By module and by diff, and only counted.
    let diff = file(
        stage.folder.path(),
        "change.diff",
        "--- a/b.c\n+++ b/b.c\n@@ -1 +1 @@\n-int second(){ return 3; }\n+int second(){ return 2; }\n",
    );
    for word in ["b.c", &diff.display().to_string()] {
        let ran = on_stage(&stage, &format!("--json --count-directed-only --directed {word}")).expect(0);
        assert_eq!(ran.json()["directed"]["functions"]["second"]["edges"], 4, "{ran:?}");
        let order = std::fs::read_to_string(stage.path("order.json")).unwrap();
        assert!(order.contains(r#""levels":[["second"],["first"]],"steers":false"#), "{order}");
    }
}

#[test]
fn what_is_not_there_is_named_before_anything_is_fuzzed() {
    let stage = Stage::new(TARGET);
    on_stage(&stage, "--directed secnd").expect_error(&["--directed secnd", "similar names: second, "]);
    let empty = file(stage.folder.path(), "empty.diff", "");
    on_stage(&stage, &format!("--directed {}", empty.display())).expect_error(&["empty.diff", "no hunks"]);
    on_stage(&stage, "--count-directed-only").expect_error(&["--directed"]);
    stage.program("sql", "exit 0");
    on_stage(&stage, "--directed second").expect_error(&["listed no functions"]);
    assert!(!stage.path("order.json").exists());
}
