#!/bin/bash
# Failed allocations and I/O calls, full disks, kill -9, signals, resuming, in large numbers:
# faults.sh [SAMPLES [KILLS [SIGNALS [STOPS [STEPS]]]]]
# SAMPLES: allocations, calls and bytes to fail of each command; 0 (some hours): every one.
set -u
cd "$(dirname "$0")/../.." || exit 1
export SOURCE_DIR=$PWD BINARY_DIR=${BINARY_DIR:-$PWD/build/release}
export NNC=${NNC:-$BINARY_DIR/bin/nnc}
samples=${1:-3000} kills=${2:-10000} signals=${3:-1000} stops=${4:-199} steps=${5:-200}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
dense=$((samples / 4))
step() { "$@" 2>&1 | tee -a "$log"; [ "${PIPESTATUS[0]}" = 0 ] || status=1; }
step bash tests/faults/memory.sh $dense $samples
step bash tests/faults/io.sh $dense $samples $dense $samples
step bash tests/faults/full.sh
step "$BINARY_DIR/tests/runtime_test_crash" "$kills"
step bash tests/faults/signals.sh "$signals"
step bash tests/faults/resume.sh "$stops" "$steps"
step bash tests/faults/finite.sh
awk -v failed=$status '
    / runs of / { runs += $4; refused += $8; wrong += $10 }
    /^(power loss|kill -9|signals|resume):/ { figures = figures "; " $0 }
    END { printf "faults: %d faults, %d refused, %d wrong%s%s\n", runs, refused, wrong, figures, failed ? "; FAILED" : "" }
' "$log"
exit $status
