#!/bin/bash
# compile_time.sh [LAYERS]: time of nnc for the examples' LeNet and FashionMNIST network (median of wall times of 31 runs),
# and for chains of 100, 1,000 and LAYERS (10,000) equal layers, inference and training step; the time of a layer of the
# longest is at most twice that of a layer of 1,000, which no cache holds either.  The same of the C compiler over the
# text, at -O3: what a layer adds to its time is at most twice as much in the longest.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
nnc=${NNC:-$here/build/release/bin/nnc}
layers=${1:-10000}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
sed -n '/^chain() {/,/^END/p' "$here/tests/compile/linear.sh" >chain.sh
echo '}' >>chain.sh
. ./chain.sh
figures=
TIMEFORMAT="%R"
for program in lenet fashion_mnist; do
    t=$(for _ in {1..31}; do { time "$nnc" "$here/examples/$program.nn" -o /dev/null; } 2>&1; done | sort -n | sed -n 16p)
    figures+="$program $(echo "$t" | awk '{ print 1000 * $1 }') ms wall, "
done
TIMEFORMAT="%U %S"
first= c_none= c_first=
chain 1 >chain.nn
"$nnc" chain.nn -o chain.c || exit 1
compiled() { # milliseconds of the C compiler on chain.c
    { time ${CC:-cc} -O3 -w -Wno-psabi -c chain.c -o chain.o; } 2>&1 | awk 'END { print int(1000 * ($1 + $2)) }'
}
c_none=$(compiled)
for n in 100 1000 "$layers"; do
    chain "$n" >chain.nn
    t=$({ time "$nnc" chain.nn -o chain.c 2>error; } 2>&1) || { cat error; exit 1; }
    ms=$(echo "$t" | awk '{ print int(1000 * ($1 + $2)) }')
    c=$(compiled)
    [ "$n" != 1000 ] || { first=$ms c_first=$((c - c_none)); }
    figures+="$n layers $ms ms and $c ms of the C compiler, "
done
echo "compile_time: ${figures%, } of processor time"
[ $((ms * 1000)) -le $((2 * first * layers)) ] && [ $(((c - c_none) * 1000)) -le $((2 * c_first * layers)) ]
