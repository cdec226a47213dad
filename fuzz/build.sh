#!/bin/bash -eu
# Copyright 2026 The Tandem authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
#
################################################################################
# Puts the fuzz targets into $OUT as OSS-Fuzz and ClusterFuzzLite want them there: for each [[bin]] of fuzz/Cargo.toml
# the program, its seeds, its options, and its dictionary. The build.sh of both call this and
# nothing else; `fuzz/build_local.sh` does so without docker, `cargo fuzzcheck oss-fuzz check $OUT` looks at the result.
#
# What it reads of the environment that OSS-Fuzz sets: OUT, WORK, SANITIZER, FUZZING_ENGINE, and, through cargo and the cc
# crate, CC, CXX, CFLAGS, CXXFLAGS, RUSTFLAGS, RUSTUP_TOOLCHAIN, CUSTOM_LIBFUZZER_PATH, CUSTOM_LIBFUZZER_STD_CXX.
# Of its own: FUZZCHECK, the program of this project where it is built already.

fail() {
    echo "fuzz/build.sh: $*" >&2
    exit 2
}

[ -n "${OUT:-}" ] || fail "OUT is not set: name the folder that the targets are for, as in OUT=/tmp/out fuzz/build.sh"
[ -d "$OUT" ] && [ -w "$OUT" ] || fail "OUT=$OUT: this is no folder that can be written to: make it first"
out=$(cd "$OUT" && pwd)

# https://google.github.io/oss-fuzz/getting-started/new-project-guide/rust-lang/: libFuzzer and AddressSanitizer are all
# that is supported for Rust. Coverage is a build of its own, and none is what ClusterFuzz minimizes with.
engine=${FUZZING_ENGINE:-libfuzzer}
[ "$engine" = libfuzzer ] ||
    fail "FUZZING_ENGINE=$engine: Rust projects have libfuzzer alone; say so in project.yaml (fuzzing_engines)"
sanitizer=${SANITIZER:-address}
case $sanitizer in
address | none | coverage) ;;
*) fail "SANITIZER=$sanitizer: there are address, coverage and none; say so in project.yaml (sanitizers)" ;;
esac

cd "$(dirname "$0")/.."
project=$PWD
work=${WORK:-$project/target/oss-fuzz}
mkdir -p "$work"
target_dir=$(cd "$work" && pwd)/target

# A CC from outside takes the place of .cargo/cc, which would add them.
case "${CC:+set}/$sanitizer/${CFLAGS:-}" in
set/address/*-fsanitize=fuzzer* | set/none/*-fsanitize=fuzzer*) ;;
set/coverage/*-fcoverage-mapping*) ;;
set/coverage/*) fail "CC is set, and CFLAGS has no -fprofile-instr-generate -fcoverage-mapping: nothing of SQLite would be counted" ;;
set/*) fail "CC is set, and CFLAGS has no -fsanitize=fuzzer-no-link: SQLite would be fuzzed blind" ;;
esac

# Of fuzz/Cargo.toml, not `cargo fuzz list`: in a coverage build OSS-Fuzz's cargo takes any `cargo fuzz` for a build.
targets=$(sed -n '/^\[\[bin\]\]/,/^$/s/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml)
[ -n "$targets" ] || fail "fuzz/Cargo.toml names no targets"

# The targets leave this place, and look for nothing here.
export TANDEM_AWAY=1
if [ "$sanitizer" = coverage ]; then
    # As OSS-Fuzz's cargo would: no optimization, which damages the counts, and paths that its report finds. Build scripts
    # and macros count, too, and would leave that where they run: here, and in Cargo's registry.
    export LLVM_PROFILE_FILE=$target_dir/build.profraw
    remap="--remap-path-prefix src=$project/src --remap-path-prefix fuzz/fuzz_targets=$project/fuzz/fuzz_targets"
    RUSTFLAGS="${RUSTFLAGS:-} $remap" CARGO_TARGET_DIR=$target_dir cargo build --locked --manifest-path fuzz/Cargo.toml --bins
    built=$target_dir/debug
else
    # No rustc knows a sanitizer of that name.
    RUSTFLAGS=${RUSTFLAGS:-}
    RUSTFLAGS=${RUSTFLAGS/-Zsanitizer=none/}
    export RUSTFLAGS
    CARGO_TARGET_DIR=$target_dir cargo fuzz build --sanitizer "$sanitizer"
    built=$target_dir/$(rustc -vV | sed -n 's/^host: //p')/release
fi

# What runs here and not in $OUT is built without what is for the targets; FUZZCHECK may name one that is there already.
fuzzcheck() {
    if [ -n "${FUZZCHECK:-}" ]; then
        "$FUZZCHECK" "$@"
        return
    fi
    env -u TANDEM_AWAY -u CC -u CXX -u CFLAGS -u CXXFLAGS -u RUSTFLAGS \
        cargo run --locked --quiet --package fuzzcheck -- "$@"
}

for target in $targets; do
    cp "$built/$target" "$out/$target"
    cp fuzz/target.options "$out/$target.options"
    fuzzcheck corpus export "corpus/$target.db" --zip "$out/${target}_seed_corpus.zip"
    fuzzcheck oss-fuzz dictionary --to "$out/$target.dict"
done
