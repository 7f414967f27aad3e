#!/bin/bash
# On a machine with a GPU: everything that the shim is held to, on the GPU (CUDA_TESTS=device), random programs too; the
# tests of examples and kernels under compute-sanitizer's four tools; and the benchmarks against torch, whose tables are
# left in BUILD/gpu-benchmarks.md: gpu.sh [RANDOM PROGRAMS].  BUILD is the build folder (build/release), which is made if
# it is not there; BENCH the benchmarks (bench/run).
# gpu.sh --dry-run, on any machine: what it would run, and a failure if a part of that is missing.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}
PATH=$PATH:/usr/local/cuda/bin
dry= missing=0
if [ "${1:-}" = --dry-run ]; then
    dry=1
    shift
elif ! nvidia-smi -L >/dev/null 2>&1; then
    echo "gpu: not run, there is none"
    exit 0
else
    for tool in nvcc compute-sanitizer; do
        command -v "$tool" >/dev/null || { echo "gpu: not run, there is no $tool"; exit 1; }
    done
    if [ ! -x "$build/bin/nnc" ]; then
        (cd "$root" && cmake --preset release && cmake --build --preset release) >&2 || exit 1
    fi
fi
export CUDA_TESTS=device NNC=$build/bin/nnc
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0 passed=0 figures=

# Runs a command whose output goes to the log; a dry run looks for the files that it names.
run() {
    local word
    [ -n "$dry" ] || { "$@" >"$log" 2>&1; return; }
    echo "$*"
    : >"$log"
    for word; do
        case $word in /*) [ -x "$word" ] || { echo "gpu: $word is missing"; missing=$((missing + 1)); } ;; esac
    done
}
count() { # status of a suite, what of its log tells a failure
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        grep -- "$2" "$log" | head -40 | grep . || tail -5 "$log"
    fi
}

for test in programs primitives samples agree indexed loops precision gemm; do
    run "$build/tests/cuda_test_$test"
    count $? 'ERROR\|FAILED'
done
RANDOM_CONFIG="device portable all" RANDOM_COUNT=${1:-200} RANDOM_SEED=1 RANDOM_JOBS=${RANDOM_JOBS:-$(nproc)} \
    run "$build/tests/numeric_test_random"
count $? 'FAILED'
figures+=", $(tail -n 1 "$log")"
for tool in memcheck racecheck initcheck synccheck; do
    errors=0
    for test in programs indexed loops precision; do
        run compute-sanitizer --tool "$tool" --error-exitcode 9 --target-processes application-only "$build/tests/cuda_test_$test"
        count $? '========='
        found=$(sed -n 's/.*ERROR SUMMARY: \([0-9]*\) .*/\1/p; s/.*RACECHECK SUMMARY: \([0-9]*\) .*/\1/p' "$log" | tail -1)
        errors=$((errors + ${found:-0}))
    done
    figures+=", $tool $errors errors"
done
tables=$build/gpu-benchmarks.md
[ -n "$dry" ] || : >"$tables"
for precision in f32 tf32; do
    run "${BENCH:-$root/bench/run}" --device=cuda "--precision=$precision" --markdown
    count $? .
    [ -n "$dry" ] || { cat "$log"; echo; } >>"$tables"
done
if [ -n "$dry" ]; then
    echo "gpu: $missing files are missing"
    [ "$missing" -eq 0 ]
    exit
fi
cat "$tables"
echo "gpu: $(nvidia-smi --query-gpu=name --format=csv,noheader | head -1), $passed suites pass$figures, $failed failed"
[ "$failed" -eq 0 ]
