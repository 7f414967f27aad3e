#!/usr/bin/env bash
# Random programs on the shim (tests/numeric/test_random.c), a few of them with AddressSanitizer, which sees a step outside
# of a kernel's buffers; RANDOM_COUNT and RANDOM_SEED as there.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() { # compiler, programs
    RANDOM_COUNT=$2 RANDOM_SEED=${RANDOM_SEED:-1} RANDOM_CONFIG="$1 portable all" "$BINARY_DIR/tests/numeric_test_random" >"$log" 2>&1 ||
        { cat "$log"; exit 1; }
    tail -n 1 "$log"
}
run shim "${RANDOM_COUNT:-10}"
ldd "$BINARY_DIR/tests/numeric_test_random" | grep -q libasan || run shim-sanitized 4
