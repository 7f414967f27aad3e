#!/usr/bin/env bash
# The C and C++ programs of examples/ are built as their first lines say, and run.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
strict="-Wall -Wextra -Wpedantic -Werror"

"$NNC" "$SOURCE_DIR/examples/lenet.nn" --entry=lenet -o lenet.c
cc -std=c99 $strict -D_ISOC11_SOURCE -I. -c "$SOURCE_DIR/examples/lenet_infer.c"
cc -march=native lenet_infer.o lenet.c -lm -o lenet_infer
./lenet_infer | tee answer
[ "$(grep -c '^image' answer)" = 5 ]
# The answer does not depend on how the file was compiled beyond rounding: another target, the same classes.
cc -O1 lenet_infer.o lenet.c -lm -o lenet_baseline
./lenet_baseline >baseline
diff <(sed 's/, logit.*//' answer) <(sed 's/, logit.*//' baseline)

"$NNC" "$SOURCE_DIR/examples/lenet.nn" -o lenet.c
cc -std=gnu11 $strict -O3 -march=native -I. "$SOURCE_DIR/examples/lenet_train.c" lenet.c -lm -o lenet_train
./lenet_train | tee answer
grep -q ' 20 of 20 patterns known' answer

"$NNC" "$SOURCE_DIR/examples/fashion_mnist.nn" --entry=fashion_mnist -o fashion_mnist.c
cc -O3 -march=native -c fashion_mnist.c
c++ -std=c++17 $strict -I. "$SOURCE_DIR/examples/fashion_mnist.cpp" fashion_mnist.o -lm -pthread -o fashion_mnist
./fashion_mnist
echo "3 passed, 0 failed"
