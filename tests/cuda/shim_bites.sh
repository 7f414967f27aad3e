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
# Watched: races, whose bits are mostly the same.
g++ -std=c++17 -O1 -g -Wall -Wextra -Werror -DWATCH -fsanitize=thread -I"$SOURCE_DIR/tests/cuda/shim" -c "$SOURCE_DIR/tests/cuda/shim/faults.cpp" &&
    g++ -std=c++17 -O1 -g -Wall -Wextra -Werror -I"$SOURCE_DIR/tests/cuda/shim" -c "$SOURCE_DIR/tests/cuda/shim/watch.cpp" &&
    g++ -no-pie faults.o watch.o -o faults || exit 1
expect 0 0 ''
expect 1 6 'a race in sum_of_neighbours: byte' # a barrier is missing
expect 20 0 ''
expect 21 6 'a shared array is written at line' # by two threads, the same value
expect 22 6 'a race in exchange: byte'          # no barrier between write and read
expect 23 6 'a shared array is read at line'    # and none before the next write
expect 24 6 'a race in exchange: byte'          # lanes that only a shuffle keeps together
expect 25 6 'of block 1'                        # a block reads what another one writes
expect 26 6 'of a buffer is written at line'    # two blocks write the same
expect 27 6 'of a buffer is written at line'    # two threads
grep -q "written at line $(grep -n 'fault == 7 &&' "$SOURCE_DIR/tests/cuda/shim/faults.cpp" | cut -d: -f1) by thread 0 of" log || {
    echo "the line of a race is wrong"
    cat log
    failed=1
}
# The host's side.
g++ -std=c++17 -O1 -g -Wall -Wextra -Werror -fno-strict-aliasing -I"$SOURCE_DIR/tests/cuda/shim" \
    "$SOURCE_DIR/tests/cuda/shim/host_faults.cpp" -o faults || exit 1
expect 0 0 ''
expect 1 any 'cudaFree: this memory was freed'
expect 2 any 'cudaFree: this is no memory'
expect 3 any 'cudaFreeHost: this is no page-locked memory'
expect 4 any 'cudaMemcpyAsync: this memory was freed'
expect 5 any 'cudaMemcpyAsync: 2048 bytes leave memory 1 of 1024'
expect 6 any 'at the end: memory 2 of 1024 bytes was not given back'
expect 7 any 'at the end: stream 2 was not given back'
expect 8 any 'cudaStreamSynchronize: not while a stream is captured'
expect 9 any 'cudaMalloc: not while a stream is captured'
expect 10 any 'cudaMemcpyAsync: not while a stream is captured'
expect 11 any 'cudaLaunchKernel: a buffer of 1024 bytes is no memory of the device'
expect 12 any 'cudaLaunchKernel: a grid of 0 x 1 x 1 blocks'
expect 13 any 'cudaLaunchKernel: a block of 2048 x 1 x 1 threads'
expect 14 any 'cudaLaunchKernel: 4112 bytes of arguments'
expect 15 any 'more shared memory than a block has'
expect 16 any 'memory changed before a copy from it was waited for'
expect 17 any 'cudaFree: work that uses it may still run'
expect 18 any 'cudaGraphLaunch: this memory was freed'
expect 19 any 'cudaLaunchKernel: another stream may still use this memory'
expect 20 any 'cudaLaunchKernel: another stream is captured'
expect 21 any 'cudaGraphExecDestroy: this is no executable'
[ "$failed" -eq 0 ] && echo "38 mistakes found, none in the programs without"
exit $failed
