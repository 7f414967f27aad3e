#!/usr/bin/env bash
# Standalone binaries with both backends: with the shim as the GPU they answer alike on both; what nvcc builds, where there
# is one, needs no library of CUDA and falls back where no driver is.
. "$SOURCE_DIR/tests/expect.bash"
export XDG_CACHE_HOME=$work/cache
shim=$SOURCE_DIR/tests/cuda/shim/nvcc
small=$SOURCE_DIR/tests/runtime/models/small.nn
fail() { echo "FAIL: $*" && failed=1; }
"$NNC" run "$small:rule" --input u=rand --bind N=300 --seed 2 --output-dir d >/dev/null &&
    "$NNC" run "$small:Learn.step" --input x=d/x.npy --input label=d/label.npy --save w.st >/dev/null || fail "weights"
build() { "$NNC" "$small:classifier" --emit=exe --target=native --weights w.st "$@"; }
needs_only_libc() { # file
    ldd "$NNC" | grep -q libasan && return
    ! ldd "$1" | grep -vE 'linux-vdso|libc\.so|libm\.so|ld-linux' || fail "$1 needs shared libraries"
}

build --device=cuda --nvcc="$shim" -o both --verbose 2>said || fail "no binary with both backends"
for architecture in 75 80 86 89 90 100 120; do
    grep -q -- "-gencode=arch=compute_$architecture,code=sm_$architecture" said || { cat said; fail "no code for sm_$architecture"; }
done
grep -q -- "-gencode=arch=compute_120,code=compute_120" said || fail "no PTX"
expect 2 '--cuda-arch=native depends on the machine that builds' build --device=cuda --nvcc="$shim" --cuda-arch=native -o native
needs_only_libc both
./both d/x.npy >cuda.txt 2>err.txt && grep -qx 'Using cuda device' err.txt || fail "not on the GPU: $(cat err.txt)"
./both --device=cpu d/x.npy >cpu.txt 2>err.txt && grep -qx 'Using cpu device' err.txt || fail "not on the processor"
[ "$(wc -l <cpu.txt)" = 300 ] && cmp cuda.txt cpu.txt || fail "other answers on the GPU"
expect 0 'compiled    for the processor it was built on, and for a GPU' ./both --describe
expect 0 'Using cuda device' ./both --device cuda --expect d/label.npy d/x.npy
expect 3 './both: no CUDA device: ' env SHIM_REFUSES=device ./both --device=cuda d/x.npy
SHIM_REFUSES=driver ./both d/x.npy >fallen.txt 2>err.txt || fail "no fallback"
printf '%s\n' 'Using cpu device' | cmp - <(tail -1 err.txt) && grep -q '^./both: no CUDA driver: ' err.txt && cmp fallen.txt cpu.txt ||
    fail "fallback: $(cat err.txt)"
expect 2 "unknown or incomplete option '--device=gpu'" ./both --device=gpu d/x.npy

# Without CUDA: nothing is said unless --device is.
build -o one || fail "no binary"
./one d/x.npy 2>err.txt | cmp - cpu.txt && [ ! -s err.txt ] || fail "a binary for the processor alone"
expect 0 'Using cpu device' ./one --device=cpu d/x.npy
expect 0 'Using cpu device' ./one --device=auto d/x.npy
expect 3 'this binary holds no code for a GPU' ./one --device=cuda d/x.npy
expect 0 'the binary is for the processor alone' build --device=auto --nvcc="$work/none" -o fallback
cmp one fallback || fail "the fallback is another binary"
expect 3 "no CUDA compiler: '$work/none' cannot be started" build --device=cuda --nvcc="$work/none" -o none
[ ! -e none ] || fail "a binary after a mistake"
expect 2 '--device wants --emit=exe' "$NNC" "$small" -o x.c --device=cuda

nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "not tested: there is no nvcc"; exit $failed; }
build --device=cuda --nvcc="$nvcc" --cuda-arch=sm_80 -o real || fail "nvcc builds no binary"
needs_only_libc real
./real --device=cpu d/x.npy 2>/dev/null | cmp - cpu.txt || fail "other answers of nvcc's binary"
if ! ldconfig -p | grep -q 'libcuda\.so'; then
    ./real d/x.npy >out.txt 2>err.txt && cmp out.txt cpu.txt && grep -q '^./real: no CUDA driver: ' err.txt &&
        grep -qx 'Using cpu device' err.txt || fail "no fallback of nvcc's binary: $(cat err.txt)"
    expect 3 './real: no CUDA driver: ' ./real --device=cuda d/x.npy
fi
exit $failed
