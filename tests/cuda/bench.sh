#!/usr/bin/env bash
# The loop of bench/run over a model for a GPU: the same losses after every reset, falling ones in between, errors where
# they are due (tests/compile/bench/main.c).  The shim is the GPU.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
"$NNC" "$SOURCE_DIR/bench/models/lenet.nn" -o lenet.cu
"$SOURCE_DIR/tests/cuda/shim/nvcc" -O1 -std=c++17 -Xcompiler -fPIC -shared -I"$SOURCE_DIR/templates" lenet.cu \
    "$SOURCE_DIR/templates/device.cu" -o lenet.so
${CC:-cc} -std=gnu11 -O1 -I"$SOURCE_DIR/runtime" -I"$SOURCE_DIR/templates" "$SOURCE_DIR/bench/ours.c" \
    "$SOURCE_DIR/tests/compile/bench/main.c" "$SOURCE_DIR"/runtime/*.c -o calls -lm -lpng -ljpeg -lz -lpthread -ldl
"$NNC" run "$SOURCE_DIR/bench/models/lenet.nn:LenetSgd.step" --input x=rand --input label=zeros --bind N=4 --seed 3 \
    --save weights.safetensors >/dev/null
./calls ./lenet.so weights.safetensors
