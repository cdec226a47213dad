//! A working copy of its own, and a folder of programs that stand before all others: without clang.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tandem::corpus::{Corpus, Entry};
use tempfile::TempDir;

use super::{COMPILER, RUSTC, command, file, folder, stand_in};

/// A target that measures as libFuzzer does. The features of a case are the numbers in it that stand between two f.
pub const MEASURES: &str = r##"
for argument; do case $argument in -merge_control_file=*) control=${argument#*=};; esac; done
echo 'INFO: Loaded 1 modules   (100 inline 8-bit counters): 100 [0x1, 0x2), ' >&2
[ -e "$STAGE/blind" ] && echo 'it would be fuzzed blind' >&2 && exit 2
echo $$ >"$STAGE/pid"
head -n $(($(head -n 1 "$control") + 2)) "$control" | tail -n +3 >"$STAGE/names"
i=0
while read -r file; do
    echo "STARTED $i $(wc -c <"$file")" >>"$control"
    basename "$file" >>"$STAGE/ran"
    if grep -qa CRASH "$file"; then
        printf '==1==ERROR: AddressSanitizer: heap-use-after-free on 0x6\n    #0 0x5 in planted a.c\n' >&2
        exit 1
    fi
    if grep -qa WAIT "$file"; then
        : >"$STAGE/waits"
        waits [ -e "$STAGE/go" ]
    fi
    echo "FT $i $(grep -ao 'f[0-9][0-9]*f' "$file" | tr -d f | tr '\n' ' ')" >>"$control"
    echo "COV $i" >>"$control"
    i=$((i + 1))
done <"$STAGE/names"
"##;

/// See the module.
pub struct Stage {
    folder: TempDir,
}

/// `cargo build`: leaves a target where it is looked for.
const CARGO: &str = r##"
folder=target target=
for word; do
    case $last in --target-dir) folder=$word;; --bin) target=$word;; esac
    last=$word
done
[ -n "$target" ] || exit 0
mkdir -p "$folder/x86_64-unknown-linux-gnu/release"
cp "$STAGE/bin/target" "$folder/x86_64-unknown-linux-gnu/release/$target"
exit ${BUILD:-0}
"##;

impl Stage {
    /// The target does what `script` says when it is to fuzz.
    pub fn new(script: &str) -> Self {
        let folder = folder();
        let stage = Self { folder };
        fs::create_dir_all(stage.project().join("fuzz")).unwrap();
        fs::create_dir_all(stage.path("bin")).unwrap();
        file(&stage.project().join("fuzz"), "Cargo.toml", "");
        stage.program("cargo", CARGO);
        stage.program("fuzzing", script);
        stage.target("exit 0");
        stage.program("compiler", COMPILER);
        stage.program("rustc", RUSTC);
        stage
    }

    /// A path beside the working copy.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The working copy.
    pub fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// A program that stands before others of its name.
    pub fn program(&self, name: &str, script: &str) {
        stand_in(&self.path("bin"), name, script);
    }

    /// Puts cases into the corpus database of a target.
    pub fn add_to_corpus(&self, entries: Vec<Entry>) {
        let mut corpus = Corpus::default();
        entries.into_iter().for_each(|entry| corpus.put(entry));
        fs::create_dir_all(self.project().join("corpus")).unwrap();
        corpus.save(&self.project().join("corpus/sql.db")).unwrap();
    }

    /// What the target does when it is not to fuzz.
    pub fn target(&self, script: &str) {
        let fuzzing = "case \"$*\" in *-print_final_stats=1*) exec \"$STAGE/bin/fuzzing\" \"$@\";; esac";
        self.program("target", &format!("{fuzzing}\n{script}"));
    }

    /// A command of the program in the working copy, with compilers that compile anything.
    pub fn command_on_project(&self, before: &str, words: &str) -> Command {
        let mut command = command();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("CC", "compiler").env("CXX", "compiler").env("STAGE", self.folder.path());
        command.args(before.split_whitespace()).arg("--project").arg(self.project());
        command.args(words.split_whitespace());
        command
    }
}
