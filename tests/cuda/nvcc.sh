#!/usr/bin/env bash
# nvcc, where there is one, takes the emitted examples for every architecture, with warnings as errors, and no kernel
# spills more than 16 bytes of registers.
set -eu
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
if [ ! -x "$nvcc" ]; then
    echo "skipped: there is no nvcc"
    exit 77
fi
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
architectures="75 80 86 89 90 100 120"
known=$("$nvcc" --list-gpu-arch)
codes=
for a in $architectures; do
    if ! printf '%s\n' "$known" | grep -qx "compute_$a"; then
        echo "not tested: this nvcc does not know sm_$a"
        continue
    fi
    codes="$codes -gencode arch=compute_$a,code=sm_$a"
    last=$a
done
codes="$codes -gencode arch=compute_$last,code=compute_$last" # PTX, for what comes after
nvcc_takes() { "$nvcc" -std=c++17 --threads 2 -Xptxas -v -Werror all-warnings "$@" >log 2>&1 || { cut -c1-300 log; exit 1; }; }
# What lives across a call of the 64-bit division may cost a few bytes.
spills_little() {
    awk '/bytes spill stores/ { for (i = 3; i <= NF; i++) if ($i == "spill" && $(i - 2) > 16) { print; bad = 1 } } END { exit bad }' log ||
        { echo "$1: a kernel spills"; exit 1; }
}
# With indices of 32 bits everywhere; for one architecture also with the others.
for model in examples/custom examples/lenet examples/fashion_mnist tests/cuda/indexed; do
    example=${model##*/}
    "$NNC" "$SOURCE_DIR/$model.nn" -o "$example.cu"
    nvcc_takes -arch="sm_$last" -c "$example.cu" -o "$example.o"
    # Every kind of kernel, which nobody ships, for two.
    wanted=$codes
    [ "$example" != indexed ] || wanted="-gencode arch=compute_75,code=sm_75 -gencode arch=compute_90,code=sm_90"
    # shellcheck disable=SC2086
    nvcc_takes $wanted -DNN_INDEX=int32_t -c "$example.cu" -o "$example.o"
    spills_little "$example"
    echo "$example: $(grep -c 'Function properties' log) functions for$(grep -o 'sm_[0-9]*$' <(printf '%s\n' $wanted) | sort -u | tr '\n' ' ' | sed 's/^/ /')"
done
# Tensor cores, and what stands for them where there are none.
for precision in tf32 bf16; do
    "$NNC" "$SOURCE_DIR/examples/fashion_mnist.nn" -o fashion_mnist.cu "--precision=$precision"
    nvcc_takes -gencode arch=compute_75,code=sm_75 -gencode arch=compute_90,code=sm_90 -c fashion_mnist.cu -o fashion_mnist.o
    spills_little "fashion_mnist, $precision"
done
# shellcheck disable=SC2086
nvcc_takes $codes -c "$SOURCE_DIR/bench/ceilings.cu" -o ceilings.o
# Products by cuBLASLt: the text needs no header of the library, and says of it what its header says.
"$NNC" "$SOURCE_DIR/tests/cuda/gemm.nn" -o gemm.cu --gemm=cublaslt
nvcc_takes -arch="sm_$last" -DNN_INDEX=int32_t -c gemm.cu -o gemm.o
spills_little gemm
if printf '#include <cublasLt.h>\n' | "$nvcc" -x cu -E -o /dev/null - 2>/dev/null; then
    nvcc_takes -arch="sm_$last" -I"$SOURCE_DIR/templates" -c "$SOURCE_DIR/tests/cuda/gemm_header.cpp" -x cu -o gemm_header.o
else
    echo "not tested: there is no cublasLt.h"
fi
