# `nnc summary` begins with exactly what PyTorch's print(model) says.
set -u
here=$SOURCE_DIR/tests/programs
out=$("$NNC" summary "$here/agree/modules.nn") || exit 1
lines=$(wc -l < "$here/fixtures/modules.txt")
printf '%s\n' "$out" | head -n "$lines" | diff "$here/fixtures/modules.txt" - || exit 1
printf '%s\n' "$out" | sed -n "$((lines + 1))p" | grep -qx '' || { echo "the tree goes on"; exit 1; }
