# Every ```nn block of docs/*.md and README.md is a file that nnc check accepts in silence, in canonical layout.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
count=0
for page in "$SOURCE_DIR"/docs/*.md "$SOURCE_DIR"/README.md; do
    [ -f "$page" ] || continue
    rm -f "$work"/*.nn
    awk -v folder="$work" '/^```nn$/ { n++; inside = 1; next } /^```/ { inside = 0 }
        inside { print > (folder "/block" n ".nn") }' "$page"
    for block in "$work"/*.nn; do
        [ -f "$block" ] || continue
        count=$((count + 1))
        said=$("$NNC" check "$block" 2>&1)
        if [ $? -ne 0 ] || [ -n "$said" ]; then
            printf '%s, %s:\n%s\n' "$(basename "$page")" "$(basename "$block")" "$said"
            failed=1
        fi
        "$NNC" fmt --check "$block" >/dev/null || { echo "$(basename "$page"), $(basename "$block") is not formatted"; failed=1; }
    done
done
[ "$count" -ge 7 ] || { echo "only $count blocks were found"; failed=1; }
exit $failed
