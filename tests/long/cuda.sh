#!/bin/bash
# On the shim of CUDA: every sample of every primitive, then random programs: cuda.sh [count] [first seed].
# BUILD is the build folder (build/release).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}
log=$build/cuda.log
failed=0
CUDA_SAMPLES=all "$build/tests/cuda_test_samples" >"$log" 2>&1 || failed=1
grep 'ERROR\|FAILED' "$log"
figures="$(grep -c '  OK ' "$log") batches of samples, $(grep -c 'FAILED' "$log") failed"
RANDOM_COUNT=${1:-1000} RANDOM_SEED=${2:-1} RANDOM_JOBS=${RANDOM_JOBS:-$(nproc)} RANDOM_CONFIG="shim portable all" \
    "$build/tests/numeric_test_random" >"$log" 2>&1 || failed=1
grep -A200 '^FAILED' "$log"
echo "cuda: $figures; $(tail -n 1 "$log")"
exit $failed
