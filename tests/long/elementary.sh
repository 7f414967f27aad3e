#!/bin/bash
# The elementary functions over every float (a minute or two each): elementary.sh [STRIDE [FUNCTION...]]
set -u
cd "$(dirname "$0")/../compile" || exit 1
[ $# -gt 0 ] || set -- 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
./elementary.sh "$@" | tee "$log"
status=${PIPESTATUS[0]}
# The largest error of each function over all builds.
awk -v stride="$1" '
    $3 == "max" { if (!($2 in worst)) order[++n] = $2; if ($4 > worst[$2]) worst[$2] = $4 }
    $1 == "FAILED" { failed++ }
    END {
        printf "elementary: every %sfloat, largest error in ULP:", stride == 1 ? "" : stride "th "
        for (i = 1; i <= n; i++) printf " %s %.3f", order[i], worst[order[i]]
        printf "; %d over their bounds\n", failed
    }' "$log"
exit "$status"
