#!/usr/bin/env bash
# tests/long/gpu.sh, which needs a GPU, without one: all that it names is there and is called, a failure of any part is its
# failure, and the models that it would run on the GPU compile (nvcc is the shim's).
. "$SOURCE_DIR/tests/expect.bash"
fail() { echo "FAIL: $*" && failed=1; }
script=$SOURCE_DIR/tests/long/gpu.sh
expect 0 'gpu: 0 files are missing' env BUILD="$BINARY_DIR" bash "$script" --dry-run
BUILD=$BINARY_DIR bash "$script" --dry-run >dry
for test in "$BINARY_DIR"/tests/cuda_test_*; do
    grep -qx "$test" dry || fail "$test is not run"
done
expect 1 "gpu: $work/nothing/tests/cuda_test_gemm is missing" env BUILD="$work/nothing" bash "$script" --dry-run

# A machine with a GPU, where each part only says that it was called.
mkdir -p tools build/tests build/bin
cat >tools/nvidia-smi <<'END'
#!/bin/sh
echo "GPU of tests"
END
cat >tools/compute-sanitizer <<'END'
#!/bin/sh
while [ "${1#/}" = "$1" ]; do shift; done
status=0
"$@" || status=9
[ $status = 0 ] && errors=0 || errors=3
echo "========= ERROR SUMMARY: $errors errors"
exit $status
END
cat >part <<'END'
#!/bin/sh
echo "$CUDA_TESTS ${RANDOM_CONFIG-} ${0##*/} $*" >>"$CALLS"
echo "part of tests"
[ "${0##*/}" != "${BROKEN-}" ] || { echo "FAILED by wish"; exit 5; }
END
chmod +x tools/* part
ln -s ../part tools/nvcc
ln -s ../../part build/bin/nnc
ln -s part bench
for test in "$BINARY_DIR"/tests/cuda_test_* "$BINARY_DIR"/tests/numeric_test_random; do ln -s ../../part "build/tests/${test##*/}"; done
export CALLS=$work/calls
on_gpu() { env PATH="$work/tools:$PATH" BUILD="$work/build" BENCH="$work/bench" "$@"; }
on_gpu bash "$script" --dry-run | grep -v '^gpu: ' | sed 's/.*\/\([^/]*\)$/\1/' | sort >named
expect 0 'gpu: GPU of tests, 27 suites pass, part of tests, memcheck 0 errors, racecheck 0 errors, initcheck 0 errors, synccheck 0 errors, 0 failed' \
    on_gpu bash "$script"
sed 's/^device //; s/^device portable all //; s/^ *//; s/ *$//' calls | sort | diff - named || fail "called (<), and named by the dry run (>)"
grep -qx 'device device portable all numeric_test_random ' calls || fail "random programs are not for the GPU"
[ "$(grep -c 'part of tests' build/gpu-benchmarks.md)" = 2 ] || fail "no tables of the benchmarks"
expect 1 'memcheck 3 errors, racecheck 3 errors, initcheck 3 errors, synccheck 3 errors, 5 failed' on_gpu BROKEN=cuda_test_loops bash "$script"
expect 1 'FAILED by wish' on_gpu BROKEN=cuda_test_gemm bash "$script"
expect 1 '1 failed' on_gpu BROKEN=numeric_test_random bash "$script"
expect 1 '2 failed' on_gpu BROKEN=bench bash "$script"
rm tools/compute-sanitizer
expect 1 'gpu: not run, there is no compute-sanitizer' on_gpu bash "$script"
rm tools/nvidia-smi
if ! command -v nvidia-smi >/dev/null; then expect 0 'gpu: not run, there is none' on_gpu bash "$script"; fi

# What nvcc is asked to compile.
export PATH=$SOURCE_DIR/tests/cuda/shim:$PATH SHIM_LOG=$work/nvcc.log
CUDA_TESTS=device CMOCKA_TEST_FILTER=test_Frozen "$BINARY_DIR/tests/cuda_test_agree" >log 2>&1 || { tail -5 log; fail "cuda_test_agree"; }
RANDOM_CONFIG="device portable all" RANDOM_COUNT=2 RANDOM_SEED=1 "$BINARY_DIR/tests/numeric_test_random" >log 2>&1 ||
    { tail -5 log; fail "random programs"; }
grep -q -- '-arch=native -x cu .*adapter.cpp' nvcc.log && grep -q -- '-arch=native -x cu .*all.cpp' nvcc.log ||
    fail "nvcc is not asked: $(cat nvcc.log)"
exit $failed
