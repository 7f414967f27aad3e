# Shared by the tests of hostile input: a scratch folder, limits on time and memory, named cases.
#   refuse NAME STATUS WORDS [ARGUMENTS...]   standard input is NAME.nn; runs `nnc check NAME.nn`, or `nnc ARGUMENTS...`
#   attempt NAME STATUS WORDS COMMAND...      any command
# STATUS is 0, 1, 2 or 3, never a signal (128 and more) or a mistake of ours (70).  WORDS must be in the output.
set -u
[ -x "$NNC" ] || { echo "no compiler at $NNC"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir tally # a file for each case, since a case in a pipeline runs in a shell of its own
seconds=2 memory=393216 # processor time, KiB of address space: half as much again as compile-time execution may take
if grep -qE "__(asan|ubsan)_" "$NNC"; then
    seconds=20 memory=unlimited
fi

complain() {
    echo "FAILED: $1"
    head -c 2000 said
    echo bad >"tally/$name"
}

attempt() {
    local name=$1 status=$2 words=$3 got=0
    shift 3
    [ ! -e "tally/$name" ] || { echo "FAILED: two cases are named $name"; echo bad >"tally/$name.twice"; }
    : >"tally/$name"
    (ulimit -c 0 && ulimit -t $seconds && ulimit -v $memory && exec "$@") >said 2>&1 </dev/null || got=$?
    if [ "$got" != "$status" ]; then
        complain "$name: status $got, not $status"
    elif [ -n "$words" ] && ! grep -qaF -- "$words" said; then
        complain "$name: no '$words' in"
    elif [ "$(wc -c <said)" -gt 100000 ]; then
        complain "$name: $(wc -c <said) bytes of messages"
    fi
}

refuse() {
    local name=$1 status=$2 words=$3
    shift 3
    cat >"$name.nn"
    [ $# -gt 0 ] || set -- check "$name.nn"
    attempt "$name" "$status" "$words" "$NNC" "$@"
}

# repeat TEXT N: the text n times.
repeat() { awk -v text="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s", text }'; }

finish() {
    local cases failed
    cases=$(find tally -type f | wc -l)
    failed=$(find tally -type f -size +0 | wc -l)
    echo "$cases cases, $failed failed"
    [ "$failed" -eq 0 ] && [ "$cases" -gt 0 ]
}
