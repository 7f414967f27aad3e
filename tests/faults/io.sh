# Every I/O call fails in turn, is interrupted, moves few bytes, and the disk is full after every byte: old files or
# complete new ones, a message, status 3, no temporary files.  Arguments: how many of the first and last calls, and
# samples between them (0: all); the same for bytes.
. "$SOURCE_DIR/tests/faults/common.bash"
make_boxes
each_command call "${1:-40}" "${2:-10}"
each_command eintr "${1:-10}" "${2:-10}"
each_command short 2 1
each_command full "${3:-3}" "${4:-8}"
exit $failed
