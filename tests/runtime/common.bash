# Shared by the scripts of this folder: a scratch folder, a cache of its own, small helpers.
set -eu
[ -x "$NNC" ] || { echo "no compiler at $NNC"; exit 77; }
command -v cc >/dev/null || { echo "no C compiler"; exit 77; }
here=$SOURCE_DIR/tests/runtime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "FAIL: $*" >&2; exit 1; }
# expect STATUS TEXT COMMAND...: the exit status, and words that the output must hold.
expect() {
    local status=$1 words=$2 got=0
    shift 2
    "$@" >output.txt 2>&1 || got=$?
    [ "$got" = "$status" ] || { cat output.txt; fail "status $got, not $status: $*"; }
    grep -qF -- "$words" output.txt || { cat output.txt; fail "no '$words' from: $*"; }
}
make_data() { # make_data NAME N SEED
    "$NNC" run "$here/models/small.nn:rule" --input u=rand --bind "N=$2" --seed "$3" --output-dir "$1" >/dev/null
}
