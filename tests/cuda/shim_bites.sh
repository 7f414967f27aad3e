#!/usr/bin/env bash
# The shim finds the mistakes that it is there for: kernels with one each, and the same without.
set -u
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here" || exit 1
failed=0
g++ -std=c++17 -O1 -g -Wall -Wextra -Werror -fsanitize=address -fno-omit-frame-pointer -I"$SOURCE_DIR/tests/cuda/shim" \
    "$SOURCE_DIR/tests/cuda/shim/faults.cpp" -o faults || exit 1
expect() { # fault, exit status (or any), text
    { ASAN_OPTIONS=detect_leaks=0 ./faults "$1" >log 2>&1; } 2>/dev/null
    local status=$? good=1
    case $2 in any) [ "$status" -ne 0 ] || good=0 ;; *) [ "$status" -eq "$2" ] || good=0 ;; esac
    [ -z "$3" ] || grep -qF -- "$3" log || good=0
    if [ "$good" = 0 ]; then
        echo "fault $1: status $status, expected $2 and '$3'"
        head -5 log
        failed=1
    fi
}
expect 0 0 ''
expect 1 4 '' # a barrier is missing: somebody reads before it is written
expect 2 any 'a barrier'
expect 3 any 'threads wait at different barriers'
expect 4 any 'a shuffle that not all lanes reach'
expect 5 any 'heap-buffer-overflow' # read past a buffer
expect 6 any 'heap-buffer-overflow' # past a shared array
expect 7 4 ''                       # an element of a shared array that nobody writes
expect 8 any 'heap-buffer-overflow' # written past a buffer
expect 9 any 'a barrier'            # one thread has ended
[ "$failed" -eq 0 ] && echo "9 mistakes found, none in the kernel without"
exit $failed
