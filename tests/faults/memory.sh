# The nth allocation fails, for every n (once, and from there on): no crash, no leak (under AddressSanitizer), a
# message, status 3, and every file as it was or complete.  Arguments: how many of
# the first and of the last allocations, and how many samples between them (0: all).
. "$SOURCE_DIR/tests/faults/common.bash"
make_boxes
each_command heap "${1:-60}" "${2:-10}"
each_command memory "${1:-12}" "${2:-12}"
each_command exhausted "${1:-6}" "${2:-8}"
exit $failed
