#!/usr/bin/env bash
# The interface of emitted CUDA code on the shim, with the sanitizers; every buffer of a kernel is a block of its own.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
"$NNC" "$SOURCE_DIR/tests/cuda/api.nn" -o api.cu
cat >other.nn <<'END'
module Other { def forward(self, x: f32[N, 20]) -> f32[N] { return x.max(1).values } }
export Other() as other
END
"$NNC" other.nn -o other.cu
flags="-std=c++17 -O1 -g -Wall -Wextra -Werror -Wno-psabi -fno-strict-aliasing -fsanitize=address,undefined -fno-sanitize-recover=all"
for grid in 2147483647 3; do # and with so few blocks that each takes several tiles
    # shellcheck disable=SC2086
    g++ $flags -DNN_GRID_MAX="$grid" -I. -I"$SOURCE_DIR/tests/cuda/shim" -x c++ other.cu "$SOURCE_DIR/tests/cuda/api.cpp" -o api
    ./api
done
