#!/usr/bin/env bash
# cmake/nnc.cmake and examples/gpu, which uses it: without a CUDA compiler the project configures and builds for the
# processor; with nvcc the program holds both and starts without a driver; on the shim both halves agree.
. "$SOURCE_DIR/tests/expect.bash"
fail() { echo "FAIL: $*" && failed=1; }
example=$SOURCE_DIR/examples/gpu
make_example() { # folder, options: configures and builds
    local folder=$1
    shift
    cmake -S "$example" -B "$folder" -DCMAKE_BUILD_TYPE=Release -DNNC_COMPILER="$NNC" "$@" >"$folder.log" 2>&1 &&
        cmake --build "$folder" >>"$folder.log" 2>&1 || { tail -20 "$folder.log"; fail "$folder"; }
}

make_example without -DCMAKE_CUDA_COMPILER=NOTFOUND
grep -q 'nnc_cuda: lenet_gpu is not made: there is no CUDA compiler' without.log || fail "the skip is not told"
expect 0 'built without code for a GPU' without/infer
without/infer | grep '^image' >classes
[ "$(wc -l <classes)" = 5 ] || fail "five images"
mkdir wrong && cat >wrong/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(wrong LANGUAGES C)
include($SOURCE_DIR/cmake/nnc.cmake)
nnc_c(lenet $SOURCE_DIR/examples/lenet.nn ENTRIES lenet)
END
expect 1 'lenet: unknown words ENTRIES;lenet' cmake -S wrong -B wrong/build -DNNC_COMPILER="$NNC"

"$NNC" "$SOURCE_DIR/examples/lenet.nn" --entry=lenet -o lenet.c && "$NNC" "$SOURCE_DIR/examples/lenet.nn" --entry=lenet -o lenet.cu ||
    fail "emitting"
echo '#include "cuda_runtime.h"' >cuda_runtime_api.h
cc -O1 -w -c lenet.c -o cpu.o && "$SOURCE_DIR/tests/cuda/shim/nvcc" -std=c++17 -DHAS_GPU -I. -I"$example" lenet.cu "$example/infer.cpp" \
    "$example/gpu.cpp" cpu.o -lm -o both || fail "the example on the shim"
expect 0 "the GPU's logits differ by at most" ./both

nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "not tested: there is no nvcc"; exit $failed; }
make_example with -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES=80
! grep -q 'is not made' with.log || fail "nvcc was not used: $(cat with.log)"
with/infer >out && grep '^image' out | cmp - classes || fail "the program with both"
grep -q "^no GPU: \|^the GPU's logits differ" out || fail "what the GPU did: $(cat out)"
! ldd with/infer | grep -i cuda || fail "shared libraries of CUDA"
exit $failed
