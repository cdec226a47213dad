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
# fuzz/build_local.sh OUT [address|coverage|none]: runs fuzz/oss-fuzz/build.sh in the environment that OSS-Fuzz sets for
# a Rust project (`compile` of its base-builder), as far as this machine has it and without docker. CI does so and then
# looks at OUT with `cargo fuzzcheck oss-fuzz check OUT`. What differs:
#  * libFuzzer is that of the newest clang here, and its C++ library libstdc++ where there is no libc++: a static one,
#    as OSS-Fuzz's is.
#  * The toolchain is the active one unless RUSTUP_TOOLCHAIN says otherwise: .cargo/rustc makes stable do.

fail() {
    echo "fuzz/build_local.sh: $*" >&2
    exit 2
}

[ $# -ge 1 ] && [ $# -le 2 ] || fail "usage: fuzz/build_local.sh OUT [address|coverage|none]"
mkdir -p "$1"
OUT=$(cd "$1" && pwd)
export OUT
export SANITIZER=${2:-address}
export FUZZING_ENGINE=libfuzzer FUZZING_LANGUAGE=rust ARCHITECTURE=x86_64
project=$(cd "$(dirname "$0")/.." && pwd)
SRC=$(dirname "$project")
export SRC
export WORK=${WORK:-$project/target/oss-fuzz/work}

clang=
for candidate in clang-23 clang-22 clang-21 clang-20 clang-19 clang clang-18 clang-17 clang-16 clang-15 clang-14; do
    command -v "$candidate" >/dev/null 2>&1 && clang=$candidate && break
done
[ -n "$clang" ] || fail "there is no clang on PATH (Debian: apt-get install clang libclang-rt-dev)"
runtime=$("$clang" -print-file-name=libclang_rt.fuzzer-x86_64.a)
[ -f "$runtime" ] || runtime=$("$clang" -print-runtime-dir)/libclang_rt.fuzzer-x86_64.a
[ -f "$runtime" ] || runtime=$("$clang" -print-resource-dir)/lib/linux/libclang_rt.fuzzer-x86_64.a
[ -f "$runtime" ] || runtime=$("$clang" -print-resource-dir)/lib/x86_64-unknown-linux-gnu/libclang_rt.fuzzer.a
[ -f "$runtime" ] || fail "$clang brings no libFuzzer (Debian: apt-get install libclang-rt-dev)"
export CC=$clang CXX=${clang/clang/clang++} CCC=${clang/clang/clang++}
export LIB_FUZZING_ENGINE=-fsanitize=fuzzer CUSTOM_LIBFUZZER_PATH=$runtime

basic="-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
rust="--cfg fuzzing -Cdebuginfo=1 -Cforce-frame-pointers"
case $SANITIZER in
address)
    export CFLAGS="$basic -fsanitize=address -fsanitize-address-use-after-scope -fsanitize=fuzzer-no-link"
    rust="$rust -Zsanitizer=address"
    ;;
coverage)
    export CFLAGS="$basic -fprofile-instr-generate -fcoverage-mapping -pthread -Wno-unused-command-line-argument"
    rust="$rust -Cinstrument-coverage"
    ;;
*) export CFLAGS="$basic -fsanitize=fuzzer-no-link" ;;
esac
export CXXFLAGS=$CFLAGS

library=$("$CC" -print-file-name=libc++.a)
if [ -f "$library" ]; then
    export CUSTOM_LIBFUZZER_STD_CXX=static=c++
else
    library=$("$CC" -print-file-name=libstdc++.a)
    [ -f "$library" ] || library=$(c++ -print-file-name=libstdc++.a)
    [ -f "$library" ] || fail "there is no static C++ library (Debian: apt-get install libstdc++-12-dev)"
    export CUSTOM_LIBFUZZER_STD_CXX=static=stdc++
fi
RUSTFLAGS="$rust -Lnative=$(cd "$(dirname "$library")" && pwd)"
export RUSTFLAGS

export TANDEM=$project
exec bash -eu "$project/fuzz/oss-fuzz/build.sh"
