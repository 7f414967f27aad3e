#!/bin/bash
# --target=x86-64-v2, -v3, -v4: objects and binaries that run here give what the interpreter gives; and so does an
# object for aarch64, under qemu, where that is installed.  NNC is set by CTest.
set -u
command -v cc >/dev/null || { echo "no C compiler"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
complain() { echo "FAILED: $*"; failed=1; }
# All sums are of whole numbers below 2**24, exact in any order: y and the label have the same bits on every
# target.  z is between 0.5 and 2: tanh (2 ULP, of less than 0.25), exp (1 ULP) and the rounding of their sum (half
# a ULP) there, a correctly rounded value of each (half a ULP) here: together less than 4 times 2**-23.
cat >targets.nn <<'END'
module Net {
    def forward(self, x: i64[N, 40]) -> (y: f32[N, 24], z: f32[N, 24], label: i64[N]) {
        weight = (torch.arange(960).view(40, 24) * 7 % 13 - 6).to(f32)
        taps = (torch.arange(9).view(3, 1, 3) % 5 - 2).to(f32)
        v = x.to(f32)
        c = F.conv1d(v.unsqueeze(1), taps, padding=1).sum(1)
        y = F.relu(v + c) @ weight
        return y, torch.tanh(y / 4096) + torch.exp(y / 4096), y.argmax(1)
    }
}
module Label {
    self.net = Net()
    def forward(self, x: i64[N, 40]) -> (label: i64[N]) { return self.net(x)[2] }
}
export Net() as net
export Label() as label
END
# main write: x.npy; main: calls the entry, and compares with the interpreter's y.npy, z.npy and label.npy.
cat >main.c <<'END'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "targets.h"
enum { BATCH = 37, IN = 40, OUT = 24 };
static void *region(size_t bytes) { return aligned_alloc(64, (bytes + 64) / 64 * 64); }
static void read_values(const char *path, void *data, size_t bytes) {
    unsigned char head[10];
    FILE *f = fopen(path, "rb");
    if (!f || fread(head, 1, 10, f) != 10 || fseek(f, 10 + head[8] + 256 * head[9], SEEK_SET) ||
        fread(data, 1, bytes, f) != bytes || fgetc(f) != EOF)
        exit(9);
    fclose(f);
}
int main(int argc, char **argv) {
    static int64_t x[BATCH][IN], label[BATCH], wanted_label[BATCH];
    static float y[BATCH][OUT], z[BATCH][OUT], wanted_y[BATCH][OUT], wanted_z[BATCH][OUT];
    for (int i = 0; i < BATCH; i++)
        for (int k = 0; k < IN; k++) x[i][k] = (i * IN + k) * 37 % 19 - 9;
    if (argc > 1) {
        char head[129];
        memset(head, ' ', 128);
        memcpy(head, "\x93NUMPY\1\0\x76\0", 10);
        int n = sprintf(head + 10, "{'descr': '<i8', 'fortran_order': False, 'shape': (%d, %d), }", BATCH, IN);
        head[10 + n] = ' ';
        head[127] = '\n';
        return fwrite(head, 1, 128, stdout) != 128 || fwrite(x, sizeof x, 1, stdout) != 1;
    }
    nnc_context ctx = {0};
    size_t need = net_workspace_bytes(BATCH), init = net_init_workspace_bytes();
    ctx.weights = region(ctx.weights_bytes = net_weights_bytes());
    ctx.state = region(ctx.state_bytes = net_state_bytes());
    ctx.prepared = region(ctx.prepared_bytes = net_prepared_bytes());
    ctx.workspace = region(ctx.workspace_bytes = need > init ? need : init);
    if (net_init(&ctx, 1) || net_prepare(&ctx) || net(&ctx, BATCH, x[0], y[0], z[0], label)) return 8;
    read_values("y.npy", wanted_y, sizeof y);
    read_values("z.npy", wanted_z, sizeof z);
    read_values("label.npy", wanted_label, sizeof label);
    if (memcmp(y, wanted_y, sizeof y) || memcmp(label, wanted_label, sizeof label)) return 1;
    for (int i = 0; i < BATCH; i++)
        for (int k = 0; k < OUT; k++)
            if (!(fabsf(z[i][k] - wanted_z[i][k]) <= 4 * 0x1p-23f && z[i][k] > 0.5f && z[i][k] < 2)) return 2;
    return 0;
}
END
"$NNC" targets.nn --entry=net -o targets.c && cc -w -Wno-psabi -O1 main.c targets.c -lm -o main && ./main write >x.npy ||
    { complain "the program for this processor"; exit 1; }
"$NNC" run targets.nn:net --engine interp --input x=x.npy --output-dir . >/dev/null || { complain "nnc run"; exit 1; }
./main || complain "the default target, status $?"

agrees() { # NAME, COMPILER, RUNNER or nothing, arguments for nnc
    local name=$1 cc=$2 runner=$3
    shift 3
    rm -f model.o model
    "$NNC" targets.nn --entry=net --emit=obj "$@" -o model.o || { complain "$name: no object"; return; }
    $cc -O1 main.c model.o -lm -o model || { complain "$name: does not link"; return; }
    $runner ./model || complain "$name: status $?"
}
flags=" $(sed -n '/^flags/{s/.*://;p;q}' /proc/cpuinfo) "
has() { for flag; do case $flags in *" $flag "*) ;; *) return 1 ;; esac; done; }
if [ "$(uname -m)" = x86_64 ]; then
    ran=
    for version in v2:sse4_2,popcnt v3:avx2,fma,bmi2 v4:avx512f,avx512bw,avx512dq,avx512vl,avx512cd; do
        needs=${version#*:} version=${version%%:*}
        "$NNC" targets.nn:label --emit=exe --target=x86-64-$version -o exe || { complain "$version: no binary"; continue; }
        if has ${needs//,/ }; then
            agrees $version cc "" --target=$version
            ./exe --expect label.npy x.npy | grep -q "37 of 37 right" || complain "$version: the binary's labels"
            ran+=" $version"
        else
            ./exe x.npy >said 2>&1
            [ $? = 3 ] && grep -q "this processor" said || { cat said; complain "$version: a binary that cannot run here"; }
        fi
    done
    echo "ran:$ran"
    # Each is for its processor: only v3 has fused products, only v4 registers of 512 bits.
    for version in v2 v3 v4; do
        "$NNC" targets.nn --entry=net --emit=obj --target=$version -o $version.o
        objdump -d $version.o >$version.txt
    done
    ! grep -q 'ymm\|zmm\|vfmadd' v2.txt || complain "v2 uses AVX"
    grep -q 'vfmadd' v3.txt && ! grep -q zmm v3.txt || complain "v3 is not AVX2"
    grep -q zmm v4.txt || complain "v4 does not use AVX-512"
fi
"$NNC" targets.nn --emit=obj --target=v5 -o no.o 2>said
[ $? = 2 ] && grep -q 'x86-64-v4 (v4), .* or cuda, not `v5`' said || { cat said; complain "an unknown target"; }
[ ! -e no.o ] || complain "an object for no target"

if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
    agrees aarch64 "aarch64-linux-gnu-gcc -static" qemu-aarch64 --cc=aarch64-linux-gnu-gcc
    echo "ran: aarch64"
else
    echo "aarch64 skipped: needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user"
fi
exit $failed
