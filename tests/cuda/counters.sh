#!/usr/bin/env bash
# What memory accesses of emitted kernels cost on a GPU, counted on the shim (shim/watch.h), is within budgets.txt, and
# no two threads race.  By hand: counters.sh table prints all figures, counters.sh write puts them into budgets.txt.
set -eu
SOURCE_DIR=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
NNC=${NNC:-$SOURCE_DIR/build/release/bin/nnc}
budgets=$SOURCE_DIR/tests/cuda/budgets.txt shim=$SOURCE_DIR/tests/cuda/shim
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
read -ra flags <<<"-std=c++17 -g -fno-strict-aliasing -Wall -Wextra -Werror -Wno-psabi -I. -I$shim"

count() { # file, words for count.cpp
    local name models
    name=$(basename "$1" .nn)
    "$NNC" "$1" -o "$name.cu"
    models=$(sed -n 's/^const nnc_cuda_model \*\(.*\)_cuda_model(void);/M(\1)/p' "${name}_cuda.h" | tr '\n' ' ')
    # Nothing moves out of a loop, so that every access has its line.
    g++ "${flags[@]}" -O1 -DNN_INDEX=int32_t -fsanitize=thread -fno-tree-loop-im -fno-move-loop-invariants -x c++ \
        -c "$name.cu" -o "$name.o"
    g++ "${flags[@]}" "-DMODEL_HEADER=\"${name}_cuda.h\"" "-DMODELS=$models" -c "$shim/count.cpp" -o "$name.count.o"
    g++ -no-pie "$name.count.o" watch.o "$name.o" -o "$name"
    shift
    "./$name" "$@" >"$name.figures" 2>"$name.races" || [ -s "$name.races" ] || echo "$name: it failed" >"$name.races"
}

g++ "${flags[@]}" -O2 -c "$shim/watch.cpp" -o watch.o
count "$SOURCE_DIR/examples/lenet.nn" 64 7 plain_step &
count "$SOURCE_DIR/tests/cuda/classes.nn" 64 7
wait $!
count "$SOURCE_DIR/examples/fashion_mnist.nn" 64 7 eval &
count "$SOURCE_DIR/examples/custom.nn" 64 7
wait $!
cat lenet.figures fashion_mnist.figures custom.figures classes.figures >figures
cat ./*.races >races

if [ "${1:-}" = table ]; then
    awk 'BEGIN { printf "%-28s %4s %-44s %9s %7s %7s %9s %5s %7s %7s %8s %6s\n", "entry", "size", "kernel", "accesses", "loads",
                        "stores", "conflicts", "idle", "traffic", "longest", "launches", "blocks" }
         { printf "%-28s %4s %-44s %9s %7s %7s %9s %5s %7s %7s %8s %6s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 }' figures
    cat races
    exit
fi
if [ "${1:-}" = write ]; then
    awk -v write=1 -f "$SOURCE_DIR/tests/cuda/budgets.awk" "$budgets" figures races >new
    cp new "$budgets"
    exit
fi
awk -f "$SOURCE_DIR/tests/cuda/budgets.awk" "$budgets" figures races
