#!/usr/bin/env bash
# Names that CUDA and the headers behind it have taken, for everything that a program names: the text compiles on the shim
# and, where there is nvcc, for a GPU; there every macro of the headers is such a name.
. "$SOURCE_DIR/tests/expect.bash"
fail() { echo "FAIL: $*" && failed=1; }
# One program with the names of a list as parameters, arguments, dims, results and exports.
words() {
    echo "module Words {"
    for word in $1; do echo "    param $word: f32[2] = 1"; done
    printf '    def forward(self, x: f32[N, 2]) -> f32[N, 2] { return x'
    for word in $1; do printf ' + self.%s' "$word"; done
    printf ' }\n}\nexport Words() as words\n'
    for word in $1; do
        printf 'def use_%s(%s: f32[A_%s, 3]) -> (y: f32[A_%s, 3]) { return %s + 1 }\n' "$word" "$word" "$word" "$word" "$word"
        printf 'export use_%s as %s\n' "$word" "$word"
        printf 'def of_%s(x: f32[%s, 3]) -> (%s: f32[%s, 3]) { return x + 1 }\nexport of_%s\n' "$word" "$word" "$word" "$word" "$word"
    done
}
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || nvcc=
accept() { # name, words
    words "$2" >"$1.nn"
    "$NNC" "$1.nn" -o "$1.cu" || { fail "$1"; return; }
    g++ -std=c++17 -fsyntax-only -Wall -Wextra -Werror -Wno-psabi -I"$SOURCE_DIR/tests/cuda/shim" -x c++ "$1.cu" 2>said ||
        { head -5 said; fail "$1: the shim"; }
    if [ -n "$nvcc" ]; then
        "$nvcc" -std=c++17 -Werror all-warnings -DNN_INDEX=int32_t -arch=sm_80 -ptx "$1.cu" -o "$1.ptx" >said 2>&1 ||
            { head -5 said; fail "$1: nvcc"; }
    fi
}
accept cuda "threadIdx blockIdx blockDim gridDim warpSize dim3 float4 __shared__ __device__ __constant__ cudaMalloc"
accept macros "cudaStreamLegacy cudaStream_t CUDART_VERSION CUDART_CB CU_UUID_HAS_BEEN_DEFINED NV_IS_HOST NULL PATH_MAX M_PIf SEEK_SET"
accept mixed "cuda cuda_net stream call control tile nn_calls nn_tile Cuda CUDA major minor kernel launch capture graph"

[ -n "$nvcc" ] || { echo "not tested: there is no nvcc"; exit $failed; }
printf '#include <%s>\n' cuda_runtime.h math.h stdint.h string.h dlfcn.h >all.cu
"$nvcc" -std=c++17 -arch=sm_80 -E -Xcompiler -dM all.cu 2>/dev/null | sed -n 's/^#define \([A-Za-z][A-Za-z0-9_]*\) .*/\1/p' | sort -u >taken
[ "$(wc -l <taken)" -gt 300 ] || fail "few macros: $(wc -l <taken)"
{
    echo 'def all('
    sed 's/.*/    &: f32[&],/' taken
    echo ') -> f32 { return 1.0 }'
    echo 'export all'
} >all.nn
"$NNC" all.nn -o taken_by_all.cu || fail "all macros"
sed -n 's/^int all_cuda(nnc_cuda_context \*ctx, \(.*\));/\1/p' taken_by_all_cuda.h | grep -o '[A-Za-z0-9_]*[,)]' | tr -d ',)' | sort -u | comm -12 - taken >left
[ ! -s left ] || fail "macros that are names of arguments or dims: $(tr '\n' ' ' <left)"
[ "$(sed -n 's/^int all_cuda(\(.*\));/\1/p' taken_by_all_cuda.h | tr ',' '\n' | wc -l)" -gt 300 ] || fail "few arguments"
exit $failed
