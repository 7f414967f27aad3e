#!/bin/bash
# The compiler is quick: processor time of the examples' LeNet and FashionMNIST network, the least of several runs, so
# that the load of the machine does not count.  The bound is generous: tests/long/compile_time.sh prints the true
# figures.  NNC, SOURCE_DIR and BINARY_DIR are set by CTest; a build for debugging is given ten times as long.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bound=35
grep -q '^CMAKE_BUILD_TYPE:.*=Release$' "$BINARY_DIR/CMakeCache.txt" || bound=350
failed=0
TIMEFORMAT="%U %S"
for program in lenet fashion_mnist; do
    least=
    for _ in 1 2 3 4 5 6 7 8 9; do
        t=$({ time "$NNC" "$SOURCE_DIR/examples/$program.nn" -o "$work/model.c" 2>"$work/error"; } 2>&1) ||
            { cat "$work/error"; exit 1; }
        t=$(echo "$t" | awk '{ print int(1000 * ($1 + $2) + 0.5) }')
        if [ -z "$least" ] || [ "$t" -lt "$least" ]; then least=$t; fi
    done
    echo "$program: $least ms"
    [ "$least" -le $bound ] || { echo "FAILED: $program takes $least ms, more than $bound"; failed=1; }
done
exit $failed
