#!/usr/bin/env bash
# Random programs on the shim (tests/numeric/test_random.c); RANDOM_COUNT and RANDOM_SEED as there.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
RANDOM_COUNT=${RANDOM_COUNT:-10} RANDOM_SEED=${RANDOM_SEED:-1} RANDOM_CONFIG="shim portable all" \
    "$BINARY_DIR/tests/numeric_test_random" >"$log" 2>&1 || { cat "$log"; exit 1; }
tail -n 1 "$log"
