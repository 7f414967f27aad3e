#!/bin/bash
# Random programs against the interpreter: random.sh [count] [first seed].
# BUILD is the build folder (build/release); RANDOM_JOBS processes at a time.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}
log=$build/random.log
RANDOM_COUNT=${1:-20000} RANDOM_SEED=${2:-1} RANDOM_JOBS=${RANDOM_JOBS:-$(nproc)} \
    "$build/tests/numeric_test_random" >"$log" 2>&1
status=$?
grep -A200 '^FAILED' "$log"
echo "random: $(tail -n 1 "$log")"
exit $status
