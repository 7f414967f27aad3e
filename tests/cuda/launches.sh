#!/usr/bin/env bash
# How many launches an entry of the examples takes, at most.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
failed=0
for example in fashion_mnist lenet custom; do "$NNC" "$SOURCE_DIR/examples/$example.nn" -o "$example.cu"; done
budget() { # file, function of the steps, launches
    local found
    found=$(sed -n "/^static void nn_steps_$2(/,/^}/p" "$1.cu" | grep -c ' nn_launch(ctx, ')
    echo "$2: $found launches of at most $3"
    [ "$found" -gt 0 ] && [ "$found" -le "$3" ] || failed=1
}
budget fashion_mnist fashion_mnist_cuda 4
budget fashion_mnist FashionMnist_cuda_step 12
budget lenet lenet_cuda 7
budget lenet LeNet_cuda_step 25
budget custom Regression_cuda_step 8
exit $failed
