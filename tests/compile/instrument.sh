#!/bin/bash
# --instrument: a C program times the kernels of an entry by nnc_profile.  The table of an entry tells its calls and
# what each does; the results are those of plain code, which carries nothing of all that.
set -u
command -v cc >/dev/null || { echo "no C compiler"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
complain() { echo "FAILED: $*"; failed=1; }
cat >product.nn <<'END'
module Product {
    self.fc = nn.Linear(24, 40, bias=False)
    def forward(self, x: f32[N, 24]) -> (y: f32[N, 40]) { return self.fc(x) }
}
export Product() as product
END
cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "product.h"
static uint64_t clock_now, seen[16];
static uint64_t now(void *user) { return user == &clock_now ? ++clock_now : 0; }
static void slice(void *user, int number, uint64_t begin) {
    if (user == &clock_now && begin == clock_now && number >= 0 && number < 16) seen[number]++;
}
int main(void) {
    static char weights[1 << 16], state[4096], work[1 << 20];
    static float x[50 * 24], y[50 * 40], plain[50 * 40];
    const int64_t dims[1] = {50};
    const nnc_profile profile = {&clock_now, now, slice};
    nnc_kernel_info rows[16];
    nnc_context ctx = {0};
    ctx.weights = (void *)(((uintptr_t)weights + 63) & ~(uintptr_t)63), ctx.weights_bytes = sizeof weights - 64;
    ctx.state = (void *)(((uintptr_t)state + 63) & ~(uintptr_t)63), ctx.state_bytes = sizeof state - 64;
    ctx.workspace = (void *)(((uintptr_t)work + 63) & ~(uintptr_t)63), ctx.workspace_bytes = sizeof work - 64;
    for (int i = 0; i < 50 * 24; i++) x[i] = (float)(i % 17) - 8;
    if (product_init(&ctx, 3) || product(&ctx, 50, x, plain)) return 1;
    if (clock_now) return 2;
    ctx.profile = &profile;
    if (product(&ctx, 50, x, y) || memcmp(y, plain, sizeof y)) return 3;
    int count = product_kernels(&ctx, dims, NULL);
    if (count < 1 || count > 16 || product_kernels(&ctx, dims, rows) != count) return 4;
    for (int i = 0; i < count; i++) {
        printf("%s %g %g %g\n", rows[i].name, rows[i].calls, rows[i].flops, rows[i].bytes);
        if (seen[i] != (uint64_t)rows[i].calls || !rows[i].what[0]) return 5;
    }
    if (count == 1 && strcmp(rows[0].lines, "3")) return 6;
    return 0;
}
END
"$NNC" product.nn --instrument -o product.c || complain "nnc --instrument"
for flags in "-std=c99 -O1" "-std=gnu11 -O2 -march=native"; do
    # shellcheck disable=SC2086
    cc $flags -Wall -Wextra -Wpedantic -Werror -Wno-psabi main.c product.c -o main -lm || complain "$flags: does not build"
    ./main >rows || complain "$flags: exit status $?"
    grep -qE ' 1 96000 16640$' rows || { cat rows; complain "$flags: not the operations and bytes of the product"; }
done
"$NNC" product.nn -o plain.c || complain nnc
if grep -nE 'profile|nn_timed|_kernels' plain.c; then complain "plain code knows of the profile"; fi
if grep -n '_kernels(' plain.h; then complain "the plain header declares a table of kernels"; fi
exit $failed
