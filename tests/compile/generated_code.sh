#!/bin/bash
# Generated C under every compiler at hand: no warning, no allocation, no written global, the header as C++,
# the same bytes from any folder.  NNC, SOURCE_DIR are set by CTest.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() {
    echo "FAILED: $*"
    failed=1
}

strict="-Wall -Wextra -Wpedantic -Werror -Wno-psabi"
# The small program meets every compiler and setting, the larger one those that users take.
for program in custom fashion_mnist; do
    file=$SOURCE_DIR/examples/$program.nn
    mkdir -p "$work/$program/again"
    cd "$work/$program" || exit 1
    "$NNC" "$file" -o model.c || { complain "$program: nnc"; continue; }

    # The same bytes, wherever and whenever it runs.
    (cd again && cp "$file" . && "$NNC" "$program.nn" -o model.c) || complain "$program: nnc again"
    cmp -s model.c again/model.c || complain "$program: model.c differs in another folder"
    cmp -s model.h again/model.h || complain "$program: model.h differs in another folder"

    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        for flags in "-std=c99 -O1" "-std=c11 -O0 -DNN_NO_VECTORS" "-std=gnu11 -O2 -march=native"; do
            [ $program = custom ] || [ "$flags" = "-std=c99 -O1" ] || continue
            # shellcheck disable=SC2086
            $cc $strict $flags -c model.c -o model.o 2>errors || {
                complain "$program: $cc $flags"
                head -20 errors
            }
        done
        echo '#include "model.h"' >header.c
        $cc -std=c99 $strict -c header.c -o header.o || complain "$program: $cc: header as C99"
    done
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        echo '#include "model.h"' >header.cpp
        $cxx -std=c++11 -Wall -Wextra -Wpedantic -Werror -c header.cpp -o header.o ||
            complain "$program: $cxx: header"
    done

    gcc -O2 -c model.c -o model.o -Wno-psabi || complain "$program: plain gcc"
    # Only the mathematical functions and mem* may be missing: nothing allocates, prints or reads.
    missing=$(nm -u model.o | awk '{print $2}' |
        grep -Ev '^(mem(cpy|set|move|cmp)|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail)$' |
        grep -Ev '^(a?(sin|cos|tan)h?|atan2|exp|expm1|log|log1p|pow|sqrt|fmod|erfc?|floor|ceil|trunc|nearbyint)f?$')
    [ -z "$missing" ] || complain "$program: needs $missing"
    # No global that is written: .data and .bss are empty (tables of pointers lie in .data.rel.ro).
    size -A model.o | awk '$1 == ".data" || $1 == ".bss" { if ($2 > 0) exit 1 }' ||
        complain "$program: has written globals"
    # The offsets and sizes that the header promises are those of the functions.
    root=$(sed -n 's/^#define \([A-Za-z0-9_]*\)_STATE_BYTES .*/\1/p' model.h | head -1)
    if [ -n "$root" ]; then
        cat >sizes.c <<END
#include "model.h"
int main(void) {
    return ${root}_weights_bytes() != ${root}_WEIGHTS_BYTES || ${root}_state_bytes() != ${root}_STATE_BYTES;
}
END
        gcc sizes.c model.o -o sizes -lm && ./sizes || complain "$program: sizes of $root"
    fi
done
# Where the guards of two reads exclude each other one of the values is never used: it has no variable either.
cd "$work" || exit 1
cat >unused.nn <<'END'
train T {
    def step(self, x: f32[5, 40]) -> (r: f32[5, 40], gx: f32[5, 40]) {
        y = x + x
        z = torch.softmax(torch.maximum(y, torch.roll(y, 3, 1)), 1)
        return z, grad(z.sum(), x)
    }
}
END
"$NNC" unused.nn -o unused.c || complain "unused.nn"
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    $cc $strict -std=c11 -O1 -c unused.c -o unused.o 2>errors || { complain "unused.nn: $cc"; head -5 errors; }
done
exit $failed
