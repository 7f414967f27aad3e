#!/usr/bin/env bash
# How CUDA code is asked for, what files it gives, and what is said of what it cannot do.
. "$SOURCE_DIR/tests/expect.bash"
model=$SOURCE_DIR/examples/custom.nn
"$NNC" "$model" -o a.cu && "$NNC" "$model" --target=cuda && "$NNC" "$model" --emit=cuda -o b.cu || failed=1
[ -f a_cuda.h ] && [ -f custom.cu ] && [ -f custom_cuda.h ] && [ ! -f b_cuda.h ] || { echo "files: $(ls)"; failed=1; }
sed 's/a_cuda.h/b_cuda.h/' a.cu | cmp - b.cu || failed=1
grep -q '#define NN_GRAPHS 1' a.cu || failed=1
"$NNC" "$model" -o a.cu --cuda-graph=off && grep -q '#define NN_GRAPHS 0' a.cu || failed=1
# Both backends of one model go into one program.
"$NNC" "$model" -o c.c && cat c.h a_cuda.h > both.h && cc -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only both.h ||
    failed=1
c++ -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only both.h || failed=1
# Products on tensor cores are asked for, and only of a GPU.
for form in tf32 bf16; do
    "$NNC" "$SOURCE_DIR/examples/fashion_mnist.nn" -o p.cu "--precision=$form" && grep -q "nn_tile_product<nn_$form," p.cu || failed=1
done
"$NNC" "$model" -o a.cu && "$NNC" "$model" -o p.cu --precision=f32 && sed 's/a_cuda.h/p_cuda.h/' a.cu | cmp - p.cu || failed=1
expect 2 '--precision is one of f32|tf32|bf16, not `f16`' "$NNC" "$model" -o a.cu --precision=f16
expect 2 '--precision=tf32 is for a GPU' "$NNC" "$model" -o a.c --precision=tf32
expect 2 '--precision=bf16 is for a GPU' "$NNC" "$model" --emit=obj --precision=bf16
expect 2 '--precision=bf16 is for a GPU' "$NNC" run "$model" --precision=bf16
# So are products by cuBLASLt.
"$NNC" "$SOURCE_DIR/examples/fashion_mnist.nn" -o p.cu --gemm=cublaslt --precision=tf32 && grep -q 'nn_multiply(ctx, ' p.cu &&
    grep -q '{NN_R_32F, NN_COMPUTE_32F_FAST_TF32, ' p.cu && ! grep -q 'include <cublas' p.cu || failed=1
"$NNC" "$model" -o p.cu --gemm=own && sed 's/a_cuda.h/p_cuda.h/' a.cu | cmp - p.cu || failed=1
expect 2 '--gemm is one of own|cublaslt|auto, not `cublas`' "$NNC" "$model" -o a.cu --gemm=cublas
expect 2 '--gemm=cublaslt is for a GPU' "$NNC" "$model" -o a.c --gemm=cublaslt
expect 2 '--gemm=auto is for a GPU' "$NNC" run "$model" --gemm=auto
expect 2 '--gemm=auto is for a GPU' "$NNC" train "$model" --device=cpu --gemm=auto
expect 2 '--gemm=cublaslt is for a GPU' "$NNC" summary "$model" --gemm=cublaslt
expect 2 '--precision=tf32 is for a GPU' "$NNC" graph "$model" --precision=tf32
expect 2 '--cuda-graph is on or off, not `maybe`' "$NNC" "$model" -o a.cu --cuda-graph=maybe
expect 2 '--cuda-graph is on or off, not `maybe`' "$NNC" "$model" -o a.c --cuda-graph=maybe
expect 2 '--cuda-graph=off is for CUDA code' "$NNC" "$model" -o a.c --cuda-graph=off
expect 2 '--cuda-graph=off is for CUDA code' "$NNC" "$model" --emit=exe --device=cuda --cuda-graph=off
"$NNC" "$model" --emit=cuda --cuda-graph=off && "$NNC" "$model" -o p.cu --cuda-graph=off && "$NNC" "$model" --target=cuda --emit=plan -o p.plan --cuda-graph=off --nvcc=none || failed=1
expect 2 'CUDA code and --target=c99 do not go together' "$NNC" "$model" -o a.cu --target=c99
expect 2 'exe, obj and lib do not go with it' "$NNC" "$model" --target=cuda --emit=obj
expect 2 '--instrument does not go with --target=cuda' "$NNC" "$model" -o a.cu --instrument
{
    echo 'module Wide {'
    printf '    def forward(self'
    for i in $(seq 500); do printf ', x%d: f32[N, 2]' "$i"; done
    echo ') -> f32[N, 1000] {'
    printf '        return torch.cat(['
    for i in $(seq 500); do printf 'x%d, ' "$i"; done
    printf '], 1)\n    }\n}\nexport Wide() as wide\n'
} > wide.nn
rm -f w.cu
expect 1 'wide.nn:3:16: error[NN0807]: an operation on so many tensors at once has no kernel for --target=cuda yet (wide)' \
    "$NNC" wide.nn -o w.cu --diagnostics=short
[ ! -e w.cu ] || { echo "a refused program was written"; failed=1; }
"$NNC" wide.nn -o w.c || failed=1
exit $failed
