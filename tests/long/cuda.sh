#!/bin/bash
# Every sample of every primitive on the shim of CUDA: cuda.sh.  BUILD is the build folder (build/release).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}
log=$build/cuda.log
CUDA_SAMPLES=all "$build/tests/cuda_test_samples" >"$log" 2>&1
status=$?
grep 'ERROR\|FAILED' "$log"
echo "cuda: $(grep -c '  OK ' "$log") batches of samples, $(grep -c 'FAILED' "$log") failed"
exit $status
