#!/usr/bin/env bash
# --device of run and train, with the shim as the GPU: what is said, the same results as on the processor, checkpoints that
# go from one to the other, and what happens where there is no GPU or no compiler for it.
. "$SOURCE_DIR/tests/expect.bash"
export XDG_CACHE_HOME=$work/cache NVCC=$SOURCE_DIR/tests/cuda/shim/nvcc SHIM_LOG=$work/nvcc.log
fail() { echo "FAIL: $*" && failed=1; }
cc -O1 -iquote "$SOURCE_DIR/templates" -iquote "$SOURCE_DIR/runtime" "$SOURCE_DIR/tests/cuda/compare.c" \
    "$BINARY_DIR/libnncrt.a" -o compare -lz -lpng -ljpeg -lm -pthread ||
    { ldd "$NNC" | grep -q libasan && echo "a library with sanitizers" && exit 77; }
small=$SOURCE_DIR/tests/runtime/models/small.nn

# run: what is printed, where results come from, what is compiled and when.
"$NNC" run "$small:rule" --input u=rand --bind N=64 --seed 1 --output-dir plain >/dev/null 2>plain.err || fail "run"
[ ! -s plain.err ] || fail "without --device something is said: $(cat plain.err)"
[ ! -e "$SHIM_LOG" ] || fail "without --device nvcc is called"
expect 0 'Using cpu device' "$NNC" run "$small:rule" --input u=rand --bind N=64 --seed 1 --device=cpu
[ ! -e "$SHIM_LOG" ] || fail "with --device=cpu nvcc is called"
for device in cuda auto; do
    expect 0 'Using cuda device' "$NNC" run "$small:rule" --input u=rand --bind N=64 --seed 1 --output-dir $device --device=$device
    cmp plain/label.npy $device/label.npy || fail "other labels with --device=$device"
done
[ "$(grep -vc -e --version "$SHIM_LOG")" = 2 ] || fail "not compiled once, or not kept: $(cat "$SHIM_LOG")"
grep -q -e '-arch=sm_90 ' "$SHIM_LOG" || fail "not compiled for the GPU that is there"
data="--input x=plain/x.npy --input label=plain/label.npy"
expect 1 'label: class ids must be in [0, 2)' \
    "$NNC" run "$small:Learn.step" --input x=plain/x.npy --input label=randint:9 --device=cuda
# A state goes on through checkpoints, dropout and all; and dims of a state.
"$NNC" run "$small:Learn.step" $data --seed 1 --checkpoint one.st --device=cuda >one 2>&1 &&
    "$NNC" run "$small:Learn.step" $data --resume one.st --checkpoint two.st --device=cuda >two 2>&1 &&
    "$NNC" run "$small:Learn.step" $data --seed 1 --repeat 2 --checkpoint both.st --device=cuda >both 2>&1 || fail "steps"
cmp two.st both.st || fail "two runs of one step differ from one run of two"
cat >state.nn <<'END'
module Sum {
    state total: f32[N] = 0
    def forward(self, x: f32[N]) -> f32[N] {
        self.total = self.total + x
        return self.total
    }
}
export Sum() as sum
END
expect 0 '= [4, 4, 4]' "$NNC" run state.nn --input x=ones --bind N=3 --repeat 4 --device=cuda

# train: fashion_mnist, of which both devices compute 6 steps.  The two differ by the order of sums of up to 784 products,
# rounded to 24 bits: some 1e-7 of a gradient, more where terms cancel; momentum adds up no more than six steps of 0.1
# times that.  1e-5 leaves a factor of some ten, and a wrong gradient changes the third digit.
mnist=$SOURCE_DIR/examples/fashion_mnist.nn
cat >images.nn <<'END'
module Images {
    def forward(self, u: f32[N, 28, 28]) -> (image: u8[N, 28, 28], label: u8[N]) {
        left = u[:, :, 0:14].mean((1, 2)) > u[:, :, 14:28].mean((1, 2))
        return (u * 255).to(torch.uint8), left.to(torch.uint8)
    }
}
export Images() as images
END
"$NNC" run images.nn --input u=rand --bind N=64 --seed 1 --output-dir i >/dev/null || fail "images"
train() { # device, further options
    local device=$1
    shift
    "$NNC" train "$mnist" --data image=i/image.npy --data label=i/label.npy --test image=i/image.npy --test label=i/label.npy \
        --epochs 2 --batch 24 --seed 3 -q --device="$device" "$@" >out.txt 2>err.txt && grep -q "^Using $device device\$" err.txt ||
        { cat out.txt err.txt; fail "train on $device $*"; }
}
same() { ./compare "$1" "$2" 1e-5 >differ || fail "$1 and $2: $(cat differ)"; }
train cpu --save cpu.w --checkpoint cpu.st --log cpu.log
train cuda --save cuda.w --checkpoint cuda.st --log cuda.log
grep -q '6 steps in .*, shim; weights in' out.txt || fail "the last line does not say where it ran: $(tail -1 out.txt)"
same cpu.w cuda.w
same cpu.st cuda.st
[ "$(wc -l <cuda.log)" = 2 ] || fail "log"
sed 's/.*"accuracy":\([0-9.]*\).*/\1/' cuda.log | cmp - <(sed 's/.*"accuracy":\([0-9.]*\).*/\1/' cpu.log) || fail "accuracies"
# Stopped in the middle of an epoch, and on with the other device; on one device to the same bits.
train cuda --stop-after 2 --checkpoint early.st
train cuda --resume early.st --save resumed.w
cmp cuda.w resumed.w || fail "a resumed run has other bits"
train cpu --resume early.st --save onward.w
same cuda.w onward.w
train cpu --stop-after 4 --checkpoint late.st
train cuda --resume late.st --save onward.w
same cpu.w onward.w
expect 1 'The step was taken back' "$NNC" train "$small" --data x=plain/x.npy --data label=plain/label.npy --batch 16 \
    --device=cuda --lr 1e30 --check-finite -q

# Where the machine lacks something: cuda is refused, auto falls back, both say why.
lacks() { # what the shim refuses, the reason
    local asked="$NNC run $small:rule --input u=rand --bind N=2"
    expect 3 "nnc: $2" env SHIM_REFUSES="$1" $asked --device=cuda
    SHIM_REFUSES=$1 $asked --device=auto >out.txt 2>err.txt || fail "auto where $1 is lacking"
    grep -qF "nnc: $2" err.txt && grep -q '^Using cpu device$' err.txt && grep -q '^x f32\[2, 8\]' out.txt ||
        { cat err.txt; fail "auto where $1 is lacking"; }
}
lacks driver 'no CUDA driver: '
lacks old 'the CUDA driver is for CUDA 11.4, this code wants CUDA 13.0'
lacks device 'no CUDA device: '
lacks code 'shim cannot run this code: '
NVCC=$work/no-nvcc lacks nothing "no CUDA compiler: '$work/no-nvcc' cannot be started"
printf '#!/bin/sh\ncase $1 in --version) exit 0 ;; esac\necho unsupported GNU version; exit 1\n' >old-nvcc && chmod +x old-nvcc
NVCC=$work/old-nvcc lacks nothing "$work/old-nvcc does not compile (status 1):"
expect 3 'unsupported GNU version' "$NNC" run "$small:rule" --input u=rand --bind N=2 --device=cuda --nvcc="$work/old-nvcc"
expect 2 '--device is one of auto|cpu|cuda, not `gpu`' "$NNC" train "$small" --device=gpu
expect 2 '--engine=interp and --device=auto do not go together' "$NNC" run "$small:rule" --engine=interp --device=auto
exit $failed
