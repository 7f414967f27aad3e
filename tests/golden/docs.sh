# Every ```nn block of docs/*.md and README.md is a file that nnc check accepts in silence, in canonical layout, and
# its entries run in the interpreter on random inputs, dims of 8, with numbers as results.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
count=0
entries=0
# An entry, given what it asks for one by one.
run() {
    local given=() said status input dim ids
    for _ in {1..20}; do
        said=$("$NNC" run --engine=interp "$1" "${given[@]}" 2>&1)
        status=$?
        input=$(printf '%s\n' "$said" | sed -n "s/.* needs input '\([^']*\)'.*/--input=\1=rand/p")
        dim=$(printf '%s\n' "$said" | sed -n 's/.* give it with --bind \(.*\)=NUMBER$/--bind=\1=8/p')
        ids=$(printf '%s\n' "$said" | sed -n 's/.*: \([^:]*\): [^:]* must be in \[0, \([0-9]*\)): .*/\1=randint:\2/p')
        [ "$status" -ne 0 ] && [ -n "$input$dim$ids" ] || break
        [ -z "$ids" ] || given=("${given[@]/--input=${ids%%=*}=*/--input=$ids}")
        [ -n "$ids" ] || given+=("$input$dim")
    done
    entries=$((entries + 1))
    if [ "$status" -ne 0 ] || [ -z "$said" ] || printf '%s\n' "$said" | grep -qw -e nan -e inf; then
        printf '%s, %s:\n%s\n' "$(basename "$page")" "$(basename "$1")" "$said"
        failed=1
    fi
}
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
        for entry in $("$NNC" run --engine=interp "$block:?" 2>&1 | sed -n 's/^  [^ ]*://p'); do run "$block:$entry"; done
        "$NNC" fmt --check "$block" >/dev/null || { echo "$(basename "$page"), $(basename "$block") is not formatted"; failed=1; }
    done
done
[ "$count" -ge 7 ] || { echo "only $count blocks were found"; failed=1; }
[ "$entries" -ge 21 ] || { echo "only $entries entries were run"; failed=1; }
exit $failed
