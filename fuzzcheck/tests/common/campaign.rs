//! The record of a campaign that never was: three targets, killed once, with findings, slow cases and gaps. Its figures
//! are made by rule, of the size that real ones have.

use serde_json::{Value, json};

/// Seconds of the first session, after which it was killed, and of the second.
const SESSIONS_S: [f64; 2] = [8_400.0, 20_100.0];
/// Seconds between two samples of a job.
const SAMPLE_S: f64 = 60.0;

/// Name, build, edges at the beginning, how they grow, executions per second, cases at the beginning.
const JOBS: [(&str, &str, f64, f64, f64, f64); 3] = [
    ("db_sql", "asan", 27_900.0, 6_800.0, 480.0, 1_821.0),
    ("sql", "release", 24_100.0, 5_200.0, 1_900.0, 2_240.0),
    ("db_file", "asan", 15_700.0, 2_900.0, 610.0, 1_093.0),
];

/// Source modules of SQLite: name, branches, and the share of them that is reached.
const MODULES: [(&str, u64, f64); 24] = [
    ("alter.c", 794, 0.86),
    ("analyze.c", 462, 0.91),
    ("btree.c", 4_212, 0.84),
    ("build.c", 2_180, 0.88),
    ("date.c", 742, 0.95),
    ("delete.c", 330, 0.93),
    ("expr.c", 3_412, 0.90),
    ("fts3.c", 2_016, 0.71),
    ("fts5.c", 5_934, 0.66),
    ("func.c", 1_288, 0.89),
    ("insert.c", 1_016, 0.90),
    ("json.c", 2_120, 0.87),
    ("main.c", 1_204, 0.44),
    ("os_unix.c", 1_530, 0.07),
    ("pager.c", 2_104, 0.69),
    ("pragma.c", 1_022, 0.83),
    ("printf.c", 520, 0.80),
    ("resolve.c", 1_010, 0.93),
    ("rtree.c", 1_840, 0.77),
    ("select.c", 3_980, 0.89),
    ("vdbe.c", 2_790, 0.88),
    ("wal.c", 1_140, 0.58),
    ("where.c", 4_020, 0.90),
    ("window.c", 830, 0.92),
];

fn samples(edges: f64, growth: f64, rate: f64, cases: f64) -> Vec<Value> {
    let (mut executions, mut all) = (0.0, Vec::new());
    let total = SESSIONS_S[0] + SESSIONS_S[1];
    for index in 0..=(total / SAMPLE_S) as u32 {
        let seconds = f64::from(index) * SAMPLE_S;
        let share = (1.0 + 40.0 * seconds / total).ln() / 41.0_f64.ln();
        all.push(json!({
            "seconds": seconds,
            "executions": executions as u64,
            "edges": (edges + growth * share) as u64,
            "features": (4.1 * (edges + growth * share)) as u64,
            "corpus_cases": (cases + growth * 0.6 * share) as u64,
        }));
        // Speed goes down as cases grow, and is not steady.
        let wave = 1.0 + 0.12 * (f64::from(index) / 3.0).sin() + 0.05 * (f64::from(index) * 1.7).cos();
        executions += SAMPLE_S * rate * wave * (1.0 - 0.35 * share);
    }
    all
}

fn jobs() -> Vec<Value> {
    let found = [
        json!({"integrity/index/missing-row": 3, "crash/SIGSEGV/fts5WriteDlidxClear": 41}),
        json!({}),
        json!({}),
    ];
    let failures = [
        json!([]),
        json!([]),
        json!(["the debug build: AddressSanitizer: failed to allocate 0x200000 bytes"]),
    ];
    let mut all = Vec::new();
    for ((job, found), failures) in JOBS.into_iter().zip(found).zip(failures) {
        let (target, build, edges, growth, rate, cases) = job;
        let samples = samples(edges, growth, rate, cases);
        let at = |seconds: f64| samples[(seconds / SAMPLE_S) as usize]["executions"].as_u64().unwrap_or(0);
        let first = at(SESSIONS_S[0]);
        let last = samples[samples.len() - 1]["executions"].as_u64().unwrap_or(0);
        let slice = |seconds: f64, executions: u64, restarts: u64, found: Value| {
            json!({
                "seconds": seconds, "cpu_s": seconds * 0.97, "executions": executions, "restarts": restarts,
                "rerun_cases": executions / 100, "found": found, "harness_errors": [],
            })
        };
        let slices =
            [slice(SESSIONS_S[0], first, 2, json!({})), slice(SESSIONS_S[1], last - first, 5, found)];
        all.push(json!({
            "target": target, "build": build, "rerun": ["debug"], "weight": 1.0, "slices": slices,
            "samples": samples, "failures": failures,
        }));
    }
    all
}

fn finding(signature: &str, known_as: Option<&str>, cases: u64, message: &str, sql: Option<&str>) -> Value {
    json!({
        "signature": signature,
        "known_as": known_as,
        "is_new": known_as.is_none(),
        "cases": cases,
        "first_seen": if known_as.is_none() { "2026-11-21T23:41:10Z" } else { "2026-11-03T02:14:00Z" },
        "last_seen": "2026-11-22T05:59:31Z",
        "target": "db_sql",
        "builds": ["bundled:asan", "bundled:debug"],
        "message": message,
        "case": "fuzz/artifacts/db_sql/triage-0f3a99d1",
        "case_bytes": 4_310,
        "sql": sql,
        "replay": "cargo fuzzcheck run fuzz/artifacts/db_sql/triage-0f3a99d1 --build asan",
        "file": known_as.is_none().then_some("findings/integrity index.md"),
    })
}

fn findings() -> Vec<Value> {
    let hostile = "CREATE TABLE t(a, b);\n\
        INSERT INTO t VALUES('</script><script>alert(1)</script>', '<img src=x onerror=alert(2)>');\n\
        SELECT 'a NUL \0, an escape \x1b[31m, and \u{202e}txet denrut\u{202c}' || \"&amp;\" ]]> FROM t; -- --> \u{5e9}\u{5dc}";
    let sql = "CREATE TABLE t1(a INTEGER PRIMARY KEY, b TEXT) WITHOUT ROWID;\n\
        CREATE INDEX i1 ON t1(b COLLATE NOCASE) WHERE b IS NOT NULL;\n\
        REPLACE INTO t1 SELECT value, value FROM generate_series(1, 40);\n\
        DELETE FROM t1 WHERE a % 3 = 0 RETURNING b;";
    vec![
        finding("integrity/index/missing-row", None, 3, "row 12 is missing from the index i1", Some(sql)),
        finding(
            "crash/SIGSEGV/fts5WriteDlidxClear",
            None,
            41,
            "AddressSanitizer: SEGV on unknown address 0x000000000018 in fts5WriteDlidxClear",
            Some(hostile),
        ),
        finding(
            "format/freelist/leaf-twice",
            Some("freelist-leaf-twice"),
            118,
            "page 7 is twice in the freelist",
            None,
        ),
        finding(
            "code/SQLITE_CORRUPT_VTAB/SELECT",
            Some("fts5-like"),
            6,
            "a healthy database gives SQLITE_CORRUPT_VTAB",
            Some("SELECT * FROM f WHERE f LIKE '%';"),
        ),
    ]
}

fn coverage(share: f64, branches: u64) -> Value {
    let count = |total: f64, share: f64| json!({ "covered": (total * share) as u64, "total": total as u64 });
    let total = branches as f64;
    json!({
        "branches": count(total, share),
        "lines": count(1.7 * total, (share + 0.07).min(1.0)),
        "functions": count(total / 17.0 + 2.0, (share + 0.11).min(1.0)),
        "regions": count(1.3 * total, (share + 0.02).min(1.0)),
    })
}

fn modules() -> Vec<Value> {
    let module = |(name, branches, share)| json!({ "name": name, "reached": coverage(share, branches) });
    MODULES.into_iter().map(module).collect()
}

fn trend() -> Vec<Value> {
    let night = |index: u32| {
        let day = 13 + index;
        json!({
            "id": format!("202611{day}T220102Z"),
            "started": format!("2026-11-{day}T22:01:02Z"),
            "total": coverage(0.667 + 0.0061 * f64::from(index).sqrt() * 3.0, 53_487),
            "executions": 58_000_000 + 1_900_000 * u64::from(index % 4),
            "corpus_cases": 3_646 + 91 * u64::from(index),
            "new_findings": ([2, 0, 0, 1, 0, 0, 3, 0, 2])[index as usize],
        })
    };
    (0..9).map(night).collect()
}

fn gaps() -> Vec<Value> {
    let gap = |kind: &str, name: String, size: u64, module: Option<&str>, target: Option<&str>| json!({ "kind": kind, "name": name, "size": size, "module": module, "target": target });
    let mut all = vec![
        gap("function", "unixLock".into(), 96, Some("os_unix.c"), None),
        gap(
            "function",
            "fts5MergePrefixLists".into(),
            62,
            Some("fts5.c"),
            Some("db_sql: a prefix= option and a MATCH with a star"),
        ),
        gap(
            "opcode",
            "OP_VCheck".into(),
            0,
            None,
            Some("sql: PRAGMA integrity_check on a table with xIntegrity"),
        ),
        gap("sql-function", "load_extension".into(), 0, None, None),
        gap("pragma", "mmap_size".into(), 0, None, Some("db_sql: settings")),
        gap("result-code", "SQLITE_BUSY_RECOVERY".into(), 0, None, None),
    ];
    for index in 0..60_u32 {
        let (module, ..) = MODULES[index as usize % MODULES.len()];
        all.push(gap(
            "function",
            format!("{}Helper{index}", module.trim_end_matches(".c")),
            60 - u64::from(index),
            Some(module),
            Some("db_sql"),
        ));
    }
    all.sort_by_key(|gap| std::cmp::Reverse(gap["size"].as_u64()));
    all
}

fn check(name: &str, build: &str, passed: u64, failed: u64, not_judged: Value) -> Value {
    json!({
        "name": name, "build": build, "passed": passed, "failed": failed, "not_judged": not_judged,
        "nothing_to_judge": 0, "runs": 0, "refused_runs": 0, "checks": 0, "nontrivial": 0,
    })
}

fn checks() -> Vec<Value> {
    vec![
        check("close", "release", 3_646, 0, json!({"faults are not injected yet": 1})),
        check("code", "release", 1_815, 6, json!({"damaged at start": 1_810, "a limit was met": 16})),
        check("files", "release", 3_646, 0, json!({"faults are not injected yet": 1})),
        check(
            "format",
            "release",
            1_103,
            118,
            json!({"damaged at start": 3, "nothing written": 290, "cut short": 2_133}),
        ),
        check(
            "integrity",
            "release",
            1_133,
            3,
            json!({"check cut short": 352, "damaged at start": 1_287, "not a database": 872}),
        ),
        check("memory", "release", 3_646, 0, json!({})),
        check("norec", "debug", 0, 0, json!({"no SELECT with a WHERE": 3_647})),
    ]
}

fn steps() -> Vec<Value> {
    let step = |name: &str, end: &str, seconds: f64, why: Option<&str>| json!({ "name": name, "end": end, "seconds": seconds, "why": why });
    vec![
        step("build", "done", 184.0, None),
        step("fuzz", "done", 28_500.0, None),
        step("triage", "done", 96.4, None),
        step("merge", "done", 301.0, None),
        step("replay sql", "done", 41.0, None),
        step("coverage", "done", 122.0, None),
        step("gaps", "done", 3.1, None),
        step("notify", "skipped", 0.0, Some("no --notify-cmd was given")),
    ]
}

/// The record, as `campaign.json` holds it.
pub fn campaign() -> Value {
    json!({
        "version": 1,
        "id": "20261121T220102Z",
        "started": "2026-11-21T22:01:02Z",
        "ended": "2026-11-22T06:09:20Z",
        "budget_s": 28_800.0,
        "used_s": SESSIONS_S[0] + SESSIONS_S[1],
        "sessions": [
            { "started": "2026-11-21T22:01:02Z", "seconds": SESSIONS_S[0], "end": "killed" },
            { "started": "2026-11-22T00:34:20Z", "seconds": SESSIONS_S[1], "end": "finished" },
        ],
        "build": {
            "version": "3.53.2",
            "source_id": "2026-06-03 19:12:13 d6e03d8c777cfa2d35e3b60d8ec3e0187f3e9f99d8e2ee9cac695fd6fcdfalt1",
            "compile_options": ["COMPILER=clang-19.1.7", "DQS=3", "ENABLE_FTS3", "ENABLE_FTS5", "ENABLE_GEOPOLY",
                "ENABLE_RTREE", "ENABLE_STAT4", "MAX_ATTACHED=10", "THREADSAFE=1"],
            "tandem": "0.1.0 (f063384)",
            "rustc": "rustc 1.95.0 (59807616e 2026-04-14)",
        },
        "machine": { "cores": 2, "memory_bytes": 8_241_422_336_u64, "system": "Linux 6.12.0 x86_64" },
        "jobs": jobs(),
        "findings": findings(),
        "checks": checks(),
        "checks_before": { "id": "20261120T220102Z", "checks": [
            check("code", "release", 1_872, 0, json!({"damaged at start": 1_728})),
        ] },
        "cut_short": [{ "limit": "VM steps", "lifted_by": "--limit-vm-steps", "cases": 31 }],
        "slowest": (0..8).map(|index| json!({
            "case": format!("corpus/db_sql.db: {:08x}", 0x9e37_79b9_u32.wrapping_mul(index + 1)),
            "target": (["db_sql", "db_file", "sql"])[index as usize % 3],
            "cpu_ms": 2_310 / (index + 1),
            "vm_steps": 4_000_000 / (u64::from(index) + 1),
        })).collect::<Vec<_>>(),
        "coverage": { "cases": 4_374, "total": coverage(0.721, 53_487), "modules": modules(), "html": "coverage/index.html" },
        "trend": trend(),
        "gaps": gaps(),
        "steps": steps(),
    })
}
