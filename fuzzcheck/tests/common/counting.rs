//! A working copy with stand-ins for cargo, clang and llvm, so that what counts is tested without any of them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{COMPILER, RUSTC, Ran, command, file, finish, folder, names_in, read, stand_in};

/// The compiler of the working copy: knows where its tools are, and links the worker of the build, which is the real one
/// and says in its profile how many it was; the program counts nothing itself.
const CC: &str = r#"
case "$1" in
-dumpversion) echo 22.1.8; exit;;
--print-prog-name=*) echo "$STAGE/bin/${1#*=}"; exit;;
esac
[ ! -e "$STAGE/no-clang" ] || exit 1
for word; do [ "$last" = -o ] && out=$word; last=$word; done
printf '#!/bin/sh\ncase "$1" in worker) WORKER;; esac\nexec "$FUZZCHECK" "$@"\n' >"$out"
chmod +x "$out"
"#;
/// What a worker that counts leaves.
const COUNTS: &str = r#"echo raw >"$LLVM_PROFILE_FILE$$""#;

/// `cargo build --bin sql`.
const CARGO: &str = r#"
case "$*" in
*"--bin sql"*) mkdir -p "target/$HOST/release"; cp "$STAGE/sql" "target/$HOST/release/sql";;
esac
"#;

/// What a replay reaches is a line, however many workers it had, and merging appends lines: 100 branches for
/// one, 10 more for each further.
const PROFDATA: &str = r#"
[ "$1" = --version ] && { echo "LLVM version 22.1.8"; exit; }
out=$4; shift 4
case "$1" in
*.profraw*) echo replayed >"$out";;
*) cat "$@" >"$out.new" && mv "$out.new" "$out";;
esac
"#;
pub const COV: &str = r#"
[ "$1" = --version ] && { echo "Debian LLVM version 22.1.8"; exit; }
lines=$(wc -l <"$4")
n=$((90 + 10 * lines))
c="{\"count\":1000,\"covered\":$n,\"percent\":1}"
f="{\"count\":2,\"covered\":1,\"percent\":50}"
case "$2" in
-summary-only)
    echo "{\"data\":[{\"files\":[{\"filename\":\"$STAGE/sqlite3.c\",\"summary\":{\"branches\":$c,\"lines\":$c,\"functions\":$f,\"regions\":$c}}]}]}";;
-show-functions)
    r="990 $((990 - n)) 1%"
    echo "sqlite3.c:first $r $r $r"
    echo "second 10 10 0.00% 10 10 0.00% 10 10 0.00%";;
*)
    printf 'FN:3,sqlite3.c:first\nFN:6,second\nDA:3,7\nDA:6,0\nBRDA:3,0,0,7\nBRDA:3,0,1,%s\n' $((lines - 1));;
esac
"#;

/// The SQLite that it counts.
const SQLITE: &str = "\
/************** Begin file a.c ***********************************************/

static int first(){ return second(); }
/************** End of a.c ***************************************************/
/************** Begin file b.c ***********************************************/
int second(){ return 2; }
/************** End of b.c ***************************************************/
";

/// See the module.
pub struct Stage {
    pub folder: TempDir,
}

impl Stage {
    /// `target` is what the fuzz target does.
    pub fn new(target: &str) -> Self {
        let stage = Self { folder: folder() };
        for name in ["project/fuzz", "project/.cargo", "bin"] {
            fs::create_dir_all(stage.path(name)).unwrap();
        }
        file(&stage.path("project/fuzz"), "Cargo.toml", "");
        file(stage.folder.path(), "sqlite3.c", SQLITE);
        stage.worker(COUNTS);
        for name in ["absent.c", "extra.c"] {
            file(&stage.path("project/.cargo"), name, "");
        }
        stage.program("bin/cargo", CARGO);
        stage.program("bin/rustc", RUSTC);
        stage.program("bin/compiler", COMPILER);
        stage.program("bin/llvm-profdata", PROFDATA);
        stage.program("bin/llvm-cov", COV);
        stage.program("sql", target);
        stage
    }

    /// A coverage build whose workers do `script` first.
    pub fn worker(&self, script: &str) {
        self.program("project/.cargo/cc", &CC.replace("WORKER", script));
    }

    /// A path beside the working copy.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program, by its path from the stage.
    pub fn program(&self, name: &str, script: &str) {
        stand_in(self.folder.path(), name, script);
    }

    /// A command of the program in the working copy.
    pub fn command(&self, words: &str) -> Command {
        let mut command = command();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("CC", "compiler").env("CXX", "compiler").env("STAGE", self.folder.path());
        command.env("HOST", "x86_64-unknown-linux-gnu").env_remove("CARGO_TARGET_DIR");
        command.env("FUZZCHECK", env!("CARGO_BIN_EXE_fuzzcheck"));
        command.args(words.split_whitespace()).arg("--project").arg(self.path("project"));
        command
    }

    /// Runs `compare mutators`.
    pub fn compare(&self, words: &str) -> Ran {
        finish(
            &mut self.command(&format!("compare mutators --target sql --seconds 0.1 --no-install {words}")),
        )
    }

    /// What the targets were started with, a line each.
    pub fn arguments(&self) -> String {
        String::from_utf8(read(&self.path("arguments"))).unwrap()
    }

    /// The folder of the one comparison.
    pub fn kept(&self) -> PathBuf {
        let all = self.path("project/target/compare-mutators");
        let names = names_in(&all);
        assert_eq!(names.len(), 1, "{names:?}");
        all.join(&names[0])
    }
}
