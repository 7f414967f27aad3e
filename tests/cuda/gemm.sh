#!/usr/bin/env bash
# Products by cuBLASLt, where the library is tests/cuda/shim/cublaslt.cpp: how failures are told; mistakes in what it is
# asked and told, each of which is noticed; and run, summary, graph and plan with it.
. "$SOURCE_DIR/tests/expect.bash"
fail() { echo "FAIL: $*" && failed=1; }
shim=$SOURCE_DIR/tests/cuda/shim
flags="-std=c++17 -g -Wall -Wextra -Werror -Wno-psabi -fno-strict-aliasing"
# shellcheck disable=SC2086
g++ $flags -O2 -fPIC -shared -I"$shim" "$shim/cublaslt.cpp" -o libcublasLt.so.13 || exit 1
"$NNC" "$SOURCE_DIR/tests/cuda/gemm.nn" --gemm=cublaslt -o emitted.cu || exit 1
[ "$(grep -c ' nn_multiply(ctx, ' emitted.cu)" = 2 ] || fail "not two products of cuBLASLt's"

# The text with every mistake in it, of which one at a time is made: exit status (or any), what is said, and how sed plants
# it.  `@` is fault(its number).
cat >faults <<'END'
any||s/p->columns, p->depth, &p->of_columns)/p->columns, p->depth, @ ? \&p->of_rows : \&p->of_columns)/
any||s/rows, columns, m->leading)/rows, columns, @ ? (int64_t)rows : m->leading)/
any||s/if (p->of_columns.along_depth &&/if (!@ \&\& p->of_columns.along_depth \&\&/
any||s/if (!p->of_rows.along_depth &&/if (@ == (p->of_rows.along_depth != 0) \&\&/
any|net, N = 33|s/^    const bool wide = p.type == NN_R_64F;/    if (@) std::swap(of_rows, of_columns);\n&/
any|cublasLtMatmul: |s/while (plan && memcmp(/while (plan \&\& !(@ \&\& plan->product.type == p->type) \&\& memcmp(/
3|7 cuBLASLt: a product was not asked for|/^static inline void nn_ask_product(/s/$/\n    if (@) return;/
3|7 cuBLASLt: internal error|/^static inline void nn_ask_product(/s/$/\n    if (@ \&\& ctx->current == ctx->stream) return;/; s/^    const nn_product_plan \*plan = nn_find_plan(library, &p);/    if (@) nn_ask_product(ctx, p);\n&/
any|sums may be reduced in any order|s/^\( *\)NN_REDUCTION_SCHEME_COMPUTE_TYPE)/\1@ ? 7 : NN_REDUCTION_SCHEME_COMPUTE_TYPE)/
any|a matrix is aligned worse than was said|s/p->of_columns.alignment)/@ ? 256 : p->of_columns.alignment)/
any|the workspace is not aligned|s/void \*const room = (void \*)(/&(@ ? 64 : 0) + /
any|a workspace above the limit|s/(size_t)p.workspace,/(size_t)p.workspace + (@ ? 64 : 0),/
3|7 cuBLASLt: invalid value|s/NN_PREF_MAX_WORKSPACE_BYTES, p->workspace)/@ ? 2 : NN_PREF_MAX_WORKSPACE_BYTES, p->workspace)/
any|another stream is captured|/^static inline void nn_multiply(/,/^}/s/(cudaStream_t)ctx->current/(cudaStream_t)(@ ? ctx->stream : ctx->current)/
any|beta is not 0|s/const void \*beta = wide/const void *beta = @ ? alpha : wide/
any|cublasLtMatmul: |s/if (p.has_bias &&/if (p.has_bias \&\& !@ \&\&/
4|cross, N = 0|/^static inline void nn_multiply(/,/^}/s/^    if (!p.depth) {/    if (@ \&\& !p.depth) return;\n&/
any|at the end: objects of cuBLASLt were not given back|s/if (ctx) nn_close_library(ctx);/if (ctx \&\& !@) nn_close_library(ctx);/
any|what it writes meets what it reads or writes|s/const uintptr_t above = (uintptr_t)workspace/const uintptr_t above = (uintptr_t)(@ ? result : workspace)/
END
cp emitted.cu m.cu
count=0
while IFS='|' read -r status text plant; do
    count=$((count + 1))
    sed "${plant//@/fault($count)}" m.cu >with.cu
    cmp -s m.cu with.cu && fail "mistake $count is none: $plant"
    mv with.cu m.cu
done <faults
cp "$SOURCE_DIR/tests/cuda/gemm.cpp" .
# shellcheck disable=SC2086
g++ $flags -DNN_INDEX=int32_t -I. -I"$shim" gemm.cpp -o gemm || exit 1
export LIBRARY=$work/libcublasLt.so.13

# What works, and what fails where the library does.
expect 0 'right' ./gemm
! ldd ./gemm | grep -q cublas || fail "the binary is linked with the library"
expect 3 '7 cuBLASLt is missing: the dynamic linker finds no libcublasLt.so.13, .12 or .11' env LIBRARY=libno-such-library.so ./gemm
expect 3 '7 cuBLASLt: libcublasLt.so lacks a function' env LIBRARY=libm.so.6 ./gemm
expect 3 '7 cuBLASLt: not initialized (no GPU, or no memory on it)' env SHIM_CUBLASLT_FAILS=create ./gemm
expect 3 '7 cuBLASLt: internal error' env SHIM_CUBLASLT_FAILS=heuristic ./gemm
expect 3 '7 cuBLASLt: there is no algorithm for a product of these sizes' env SHIM_CUBLASLT_FAILS=nothing ./gemm
expect 3 '7 cuBLASLt: the product is not supported' env SHIM_CUBLASLT_FAILS=none ./gemm
expect 3 '7 cuBLASLt: execution failed' env SHIM_CUBLASLT_FAILS=matmul ./gemm
number=0
while IFS='|' read -r status text plant; do
    number=$((number + 1))
    { FAULT=$number timeout 60 ./gemm >log 2>&1; } 2>/dev/null
    got=$?
    case $status in any) [ $got != 0 ] ;; *) [ $got = "$status" ] ;; esac && grep -qF -- "${text# }" log ||
        { fail "mistake $number: status $got, expected $status and '$text'"; head -3 log; }
done <faults
[ "$failed" != 0 ] || echo "$number mistakes found, none in the program without"

# The commands.
export XDG_CACHE_HOME=$work/cache NVCC=$shim/nvcc LD_LIBRARY_PATH=$work SHIM_CUBLASLT_LOG=$work/products
small=$SOURCE_DIR/tests/runtime/models/small.nn
expect 0 'Using cuda device' "$NNC" run "$small:Learn.step" --input x=rand --input label=randint:2 --bind N=64 --seed 1 --device=cuda --gemm=cublaslt
[ -s products ] || fail "no product of cuBLASLt's"
"$NNC" "$small" -o auto.cu --gemm=auto && "$NNC" "$small" -o own.cu && sed 's/own_cuda/auto_cuda/' own.cu | cmp - auto.cu ||
    fail "auto multiplies small matrices otherwise"
# Launches that summary, graph and the plan tell of, in the order of the text.
"$NNC" "$small" -o s.cu --gemm=cublaslt && "$NNC" "$small" --target=cuda --emit=plan --nvcc=none --gemm=cublaslt >plan &&
    "$NNC" summary "$small" --device=cuda --nvcc=none --gemm=cublaslt >summary &&
    "$NNC" graph "$small:Learn.step" --device=cuda --nvcc=none --gemm=cublaslt >graph || fail "reports"
sed -n '/^static void nn_steps_Learn_cuda_step(/,/^}/p' s.cu |
    sed -n 's/.* nn_launch(ctx, .*\(nn_launch_[0-9_]*\).*/\1/p; s/.* nn_multiply(ctx, .*/cublasLtMatmul/p' >written
grep -q cublasLtMatmul written || fail "no product in a step"
for report in plan summary; do
    sed -n '/^Learn_step on a GPU: /,/^[^ ]/p' $report | sed -n 's/^  \(nn_launch_[0-9_]*\|cublasLtMatmul\) .*/\1/p' | cmp - written ||
        fail "launches in the $report"
done
grep -q '^  cublasLtMatmul  *1  *-  *-  *-  *-  ' summary || { cat summary; fail "a product in the summary"; }
[ "$(grep -c cublasLtMatmul written)" = "$(grep -c 'label="cublasLtMatmul\\n' graph)" ] || fail "products in the graph"
exit $failed
