#!/usr/bin/env bash
# nvcc, where there is one, takes the emitted examples as they stand for every architecture, with warnings as errors, and
# no kernel spills registers that spills.txt does not list.  By hand: nvcc.sh table prints what kernels spill, nvcc.sh
# write puts it into spills.txt.
set -eu
SOURCE_DIR=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
NNC=${NNC:-$SOURCE_DIR/build/release/bin/nnc}
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
budgets=$SOURCE_DIR/tests/cuda/spills.txt
if [ ! -x "$nvcc" ]; then
    echo "skipped: there is no nvcc"
    exit 77
fi
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
version=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
known=$("$nvcc" --list-gpu-arch)
last= codes=
# The text makes no difference between the architectures of a line, so one front end serves them.
while read -r front backs; do
    list=
    for a in $backs; do
        if printf '%s\n' "$known" | grep -qx "compute_$a"; then
            list=$list${list:+,}sm_$a last=$a
        else
            echo "not tested: this nvcc does not know sm_$a"
        fi
    done
    [ -z "$list" ] || codes="$codes -gencode arch=compute_$front,code=[$list]"
done <<'END_OF_ARCHITECTURES'
75 75
80 80 86 89
90 90 100
120 120
END_OF_ARCHITECTURES
codes="$codes -gencode arch=compute_$last,code=compute_$last" # PTX, for what comes after
: >figures
nvcc_takes() { # program, options
    local program=$1
    shift
    "$nvcc" -std=c++17 --threads 2 -Xptxas -v -Werror all-warnings "$@" >log 2>&1 || { cut -c1-300 log; exit 1; }
    awk -v program="$program" -v text="$program.cu" -f "$SOURCE_DIR/tests/cuda/ptxas.awk" log >>figures
}
# The examples, and every kind of kernel.
for model in examples/custom examples/lenet examples/fashion_mnist tests/cuda/indexed; do
    example=${model##*/}
    "$NNC" "$SOURCE_DIR/$model.nn" -o "$example.cu"
    # What nobody ships, for two.
    only=$codes
    [ "$example" != indexed ] || only="-gencode arch=compute_75,code=sm_75 -gencode arch=compute_90,code=sm_90"
    # shellcheck disable=SC2086
    nvcc_takes "$example" $only -c "$example.cu" -o "$example.o"
done
# Tensor cores, and what stands for them where there are none; products by cuBLASLt.
for kind in precision=tf32 precision=bf16 gemm=cublaslt; do
    name=${kind#*=}
    model=examples/fashion_mnist only=$codes
    [ "$name" != cublaslt ] || model=tests/cuda/gemm only="-arch=sm_$last"
    "$NNC" "$SOURCE_DIR/$model.nn" -o "$name.cu" "--$kind"
    # shellcheck disable=SC2086
    nvcc_takes "$name" $only -DNN_INDEX=int32_t -c "$name.cu" -o "$name.o"
done
cp "$SOURCE_DIR/bench/ceilings.cu" .
# shellcheck disable=SC2086
nvcc_takes ceilings $codes -c ceilings.cu -o ceilings.o
# cuda_gemm.h needs no header of the library, and says of it what its header says.
if printf '#include <cublasLt.h>\n' | "$nvcc" -x cu -E -o /dev/null - 2>/dev/null; then
    "$nvcc" -std=c++17 -Werror all-warnings -arch="sm_$last" -I"$SOURCE_DIR/templates" -c "$SOURCE_DIR/tests/cuda/gemm_header.cpp" \
        -x cu -o gemm_header.o >log 2>&1 || { cut -c1-300 log; exit 1; }
else
    echo "not tested: there is no cublasLt.h"
fi

sort -V figures >sorted # nvcc's threads end in any order
case ${1:-} in
table) awk '$5 > 0' sorted | column -t ;;
write)
    awk -v write=1 -v version="$version" -f "$SOURCE_DIR/tests/cuda/spills.awk" "$budgets" sorted >new
    cp new "$budgets"
    ;;
*) awk -v version="$version" -f "$SOURCE_DIR/tests/cuda/spills.awk" "$budgets" sorted ;;
esac
