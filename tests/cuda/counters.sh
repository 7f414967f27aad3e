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

count() { # file, how its products are computed (f32, tf32, bf16 or cublaslt), words for count.cpp
    local name model=$1 how=$2 models library=
    name=$(basename "$model" .nn)_$how
    shift 2
    case $how in
    tf32 | bf16) "$NNC" "$model" -o "$name.cu" --precision="$how" ;;
    cublaslt) "$NNC" "$model" -o "$name.cu" --gemm=cublaslt && library=-DNN_CUBLASLT_NAMES=\"$here/libcublasLt.so.13\" ;;
    *) "$NNC" "$model" -o "$name.cu" ;;
    esac
    # What tensor cores do has no cost here, and what stands for them takes long: they only wait for each other.
    case $how in
    tf32 | bf16)
        sed "s/nn_multiply_by_lanes<nn_$how>(c, a, b);/__syncwarp(); for (int s = 0; s < SLOTS; s++) c[0] += a[2 * s] + a[2 * s + 1] + b[s];/" \
            "$name.cu" >"other_$how" && ! cmp -s "$name.cu" "other_$how" || exit 1
        mv "other_$how" "$name.cu"
        ;;
    esac
    models=$(sed -n 's/^const nnc_cuda_model \*\(.*\)_cuda_model(void);/M(\1)/p' "${name}_cuda.h" | tr '\n' ' ')
    # Nothing moves out of a loop, so that every access has its line.
    # shellcheck disable=SC2086
    g++ "${flags[@]}" -O1 -DNN_INDEX=int32_t $library -fsanitize=thread -fno-tree-loop-im -fno-move-loop-invariants -x c++ \
        -c "$name.cu" -o "$name.o"
    g++ "${flags[@]}" "-DMODEL_HEADER=\"${name}_cuda.h\"" "-DMODELS=$models" -c "$shim/count.cpp" -o "$name.count.o"
    g++ -no-pie "$name.count.o" watch.o "$name.o" -o "$name"
    "./$name" "$@" >"$name.counted" 2>"$name.races" || [ -s "$name.races" ] || echo "$name: it failed" >"$name.races"
    [ "$how" = f32 ] || sed -i "s/ /:$how /" "$name.counted"
}

g++ "${flags[@]}" -O2 -c "$shim/watch.cpp" -o watch.o
g++ "${flags[@]}" -O2 -fPIC -shared "$shim/cublaslt.cpp" -o libcublasLt.so.13
examples=$SOURCE_DIR/examples
{
    count "$examples/lenet.nn" f32 64 7 plain_step
    count "$SOURCE_DIR/tests/cuda/products.nn" tf32 64 7
    count "$examples/fashion_mnist.nn" cublaslt 64 7 eval
} &
count "$SOURCE_DIR/tests/cuda/classes.nn" f32 64 7
count "$SOURCE_DIR/tests/cuda/products.nn" f32 64 7
count "$SOURCE_DIR/tests/cuda/products.nn" bf16 64 7
wait $!
count "$examples/fashion_mnist.nn" f32 64 7 eval &
count "$examples/custom.nn" f32 64 7
count "$examples/fashion_mnist.nn" tf32 64 7 eval
wait $!
cat lenet_f32.counted fashion_mnist_f32.counted custom_f32.counted classes_f32.counted products_*.counted \
    fashion_mnist_[tc]*.counted >figures
cat ./*.races >races

if [ "${1:-}" = table ]; then
    awk 'BEGIN { printf "%-32s %4s %-44s %9s %7s %7s %9s %5s %7s %7s %8s %6s\n", "entry", "size", "kernel", "accesses", "loads",
                        "stores", "conflicts", "idle", "traffic", "longest", "launches", "blocks" }
         { printf "%-32s %4s %-44s %9s %7s %7s %9s %5s %7s %7s %8s %6s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 }' figures
    cat races
    exit
fi
if [ "${1:-}" = write ]; then
    awk -v write=1 -f "$SOURCE_DIR/tests/cuda/budgets.awk" "$budgets" figures races >new
    cp new "$budgets"
    exit
fi
awk -f "$SOURCE_DIR/tests/cuda/budgets.awk" "$budgets" figures races
