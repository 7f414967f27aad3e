#!/bin/bash
# The elementary functions of emitted code against their bounds: elementary.sh [STRIDE [FUNCTION...]]
#
# Every STRIDEth float (61: odd, so that all trailing bits are met), and all near special ones, through
# templates/elementary.h as each compiler at hand makes it for each vector unit that this processor has, with FMA and
# without.  ELEMENTARY_BUILDS="gcc-avx2 ..." narrows that: without contraction the bits are the same for any lanes.
#
# Then, through the C that nnc emits: the activations that the prelude composes of them, and softmax and logsumexp of
# finite rows, which must be finite.  NNC is set by CTest.
set -u
NNC=${NNC:-$(cd "$(dirname "$0")/../.." && pwd)/build/release/bin/nnc}
cd "$(dirname "$0")/elementary" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stride=${1:-61}
[ $# -gt 0 ] && shift
lanes=$(sed -n 's/^FUNCTION(\([a-z0-9_]*\),.*/\1/p' functions.def)
composed=$(sed -n 's/^COMPOSED(\([a-z0-9_]*\),.*/\1/p' functions.def)
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $lanes $composed
cp composed.nn "$work" && (cd "$work" && "$NNC" composed.nn -o composed.c) || exit 1

shared="-shared -fPIC -O3 -fno-math-errno -Wall -Wextra -Wno-psabi -Werror -iquote ../../../templates"
composed_flags="-O2 -Wall -Wextra -Wno-psabi -Werror -I $work"
gcc_only="-fno-trapping-math -fno-tree-loop-vectorize"
# name, what the processor must have, flags; x86 names on other machines do not compile and are left out.
variants="portable::-ffp-contract=fast
one:: -DNN_NO_VECTORS -ffp-contract=off
avx2:avx2:-mavx2 -ffp-contract=off
avx2_fma:avx2 fma:-mavx2 -mfma -ffp-contract=fast
avx512:avx512f avx512vl avx512bw avx512dq:-march=skylake-avx512 -ffp-contract=fast"
objects=
composed_objects=
failed=0
for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    extra=; [ $cc = gcc ] && extra=$gcc_only
    while IFS=: read -r name needs flags; do
        case $(uname -m):$name in x86_64:*|*:portable|*:one) ;; *) continue ;; esac
        case " ${ELEMENTARY_BUILDS:-$cc-$name} " in *" $cc-$name "*) ;; *) continue ;; esac
        # shellcheck disable=SC2086
        $cc $shared $extra $flags lanes.c -o "$work/$cc-$name.so" -lm || exit 1
        for feature in $needs; do
            grep -qw "$feature" /proc/cpuinfo || continue 2
        done
        objects="$objects $work/$cc-$name.so"
        case $cc-$name in gcc-portable|gcc-avx2_fma) ;; *) continue ;; esac
        # shellcheck disable=SC2086
        $cc $flags $composed_flags -shared -fPIC arrays.c "$work/composed.c" \
            -o "$work/composed-$name.so" -lm || exit 1
        composed_objects="$composed_objects $work/composed-$name.so"
        # shellcheck disable=SC2086
        $cc $flags $composed_flags softmax.c "$work/composed.c" -o "$work/softmax" -lm || exit 1
        "$work/softmax" || failed=1
    done <<<"$variants"
done
gcc -O2 -Wall -Wextra -Werror check.c -o "$work/check" -ldl -lpthread -lm || exit 1
for function in "$@"; do
    from=$objects
    case " $(echo $composed) " in *" $function "*) from=$composed_objects ;; esac
    # shellcheck disable=SC2086
    "$work/check" "$function" "$stride" $from || failed=1
done
exit $failed
