#!/bin/bash
# What bench/run needs of us: its models compile, its C has no warning, an entry that its loop calls gives the results
# that `nnc run` gives and a training entry starts again after a reset; goals name rows that exist.  No peer is needed.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bench=$SOURCE_DIR/bench
cd "$work" || exit 1
failed=0
complain() {
    echo "FAILED: $*"
    failed=1
}

strict="-std=gnu11 -Wall -Wextra -Werror -Wno-psabi"
read -r -a flags <<<"$("$NNC" --print-cflags)"
for network in mlp lenet; do
    "$NNC" "$bench/models/$network.nn" -o $network.c || complain "$network: nnc"
done
# shellcheck disable=SC2086
${CC:-cc} $strict "${flags[@]}" -O1 -fPIC -shared lenet.c -o lenet.so -lm || complain "lenet.c"
# shellcheck disable=SC2086
${CC:-cc} $strict -O1 "$bench/ceilings.c" -o ceilings -lpthread || complain "ceilings.c"
# shellcheck disable=SC2086
${CC:-cc} $strict -O1 -I"$SOURCE_DIR/runtime" -I"$SOURCE_DIR/templates" "$bench/ours.c" "$SOURCE_DIR/tests/compile/bench/main.c" \
    "$SOURCE_DIR"/runtime/*.c -o calls -lm -lpng -ljpeg -lz -lpthread -ldl || complain "ours.c"
[ $failed = 0 ] || exit 1

"$NNC" run "$bench/models/lenet.nn:LenetSgd.step" --input x=rand --input label=zeros --bind N=4 --seed 3 \
    --save weights.safetensors >/dev/null || complain "nnc run"
./calls ./lenet.so weights.safetensors || complain "the loop over calls"

while read -r device row batch _; do
    case "$device" in "#"* | "") continue ;; cuda) batch=1 ;; esac
    grep -q "Row(\"$row\".*[(, ]$batch[,)]" "$bench/workloads.py" || complain "goals: no row $row of $batch"
done <"$bench/goals"
exit $failed
