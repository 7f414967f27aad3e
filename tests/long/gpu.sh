#!/bin/bash
# On a machine with a GPU: everything that the shim is held to, on the GPU (CUDA_TESTS=device), the examples under
# compute-sanitizer's four tools, and the benchmarks against torch, whose tables are left in BUILD/gpu-benchmarks.md:
# gpu.sh.  BUILD is the build folder (build/release).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}
if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "gpu: not run, there is none"
    exit 0
fi
export CUDA_TESTS=device
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0 passed=0 figures=
for test in programs primitives samples agree indexed loops precision; do
    if "$build/tests/cuda_test_$test" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        grep 'ERROR\|FAILED' "$log"
    fi
done
for tool in memcheck racecheck initcheck synccheck; do
    compute-sanitizer --tool "$tool" --error-exitcode 9 "$build/tests/cuda_test_programs" >"$log" 2>&1 ||
        { failed=$((failed + 1)); grep '=========' "$log" | head -20; }
    figures+=", $tool $(sed -n 's/.*ERROR SUMMARY: \([0-9]*\) .*/\1/p' "$log" | tail -1) errors"
done
tables=$build/gpu-benchmarks.md
: >"$tables"
for precision in f32 tf32; do
    if ! NNC=$build/bin/nnc "$root/bench/run" --device=cuda "--precision=$precision" --markdown >>"$tables" 2>"$log"; then
        failed=$((failed + 1))
        tail -5 "$log"
    fi
    echo >>"$tables"
done
cat "$tables"
echo "gpu: $(nvidia-smi --query-gpu=name --format=csv,noheader | head -1), $passed suites pass$figures, $failed failed"
[ "$failed" -eq 0 ]
