#!/usr/bin/env bash
# `nnc summary` prints tests/golden/lenet.summary; UPDATE=1 writes it anew.
set -eu
golden="$SOURCE_DIR/tests/golden/lenet.summary"
[ -n "${UPDATE:-}" ] && "$NNC" summary "$SOURCE_DIR/examples/lenet.nn" >"$golden"
"$NNC" summary "$SOURCE_DIR/examples/lenet.nn" | diff "$golden" -
