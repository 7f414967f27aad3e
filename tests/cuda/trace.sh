#!/usr/bin/env bash
# What the host asks of the CUDA runtime is what trace.txt has; how many kernels follow each other is not said.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
"$NNC" "$SOURCE_DIR/tests/cuda/api.nn" -o api.cu
g++ -std=c++17 -O1 -g -Wall -Wextra -Werror -Wno-psabi -fno-strict-aliasing -I. -I"$SOURCE_DIR/tests/cuda/shim" \
    "$SOURCE_DIR/tests/cuda/trace.cpp" -o trace
./trace >whole
uniq whole | diff -u "$SOURCE_DIR/tests/cuda/trace.txt" -
