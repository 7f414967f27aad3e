#!/usr/bin/env bash
# The interface of emitted CUDA code on the shim, with the sanitizers; every buffer of a kernel is a block of its own.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
"$NNC" "$SOURCE_DIR/tests/cuda/api.nn" -o api.cu
for grid in 2147483647 3; do # and with so few blocks that each takes several tiles
    g++ -std=c++17 -O1 -g -Wall -Wextra -Werror -Wno-psabi -fno-strict-aliasing -fsanitize=address,undefined \
        -fno-sanitize-recover=all -DNN_GRID_MAX="$grid" -I. -I"$SOURCE_DIR/tests/cuda/shim" "$SOURCE_DIR/tests/cuda/api.cpp" -o api
    ./api
done
