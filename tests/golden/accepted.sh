# What the language promises and PyTorch's users write: every file of accepted/ is checked in silence and becomes C and CUDA.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
for file in "$SOURCE_DIR"/tests/golden/accepted/*.nn; do
    said=$("$NNC" check "$file" 2>&1 && "$NNC" "$file" -o "$work/model.c" 2>&1 && "$NNC" "$file" -o "$work/model.cu" 2>&1)
    if [ $? -ne 0 ] || [ -n "$said" ]; then
        printf '%s:\n%s\n' "$(basename "$file")" "$said"
        failed=1
    fi
done
exit $failed
