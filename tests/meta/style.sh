# Length of files and lines, words that do not belong into a repository, generated files that are not committed.
set -u
cd "$SOURCE_DIR" || exit 1
failed=0
for file in $(git ls-files 'compiler/*.[ch]' 'runtime/*.[ch]' 'templates/[a-z]*' 'tests/*.[ch]' 2>/dev/null ||
    find compiler runtime templates tests -name '*.[ch]'); do
    [ -f "$file" ] || continue
    lines=$(wc -l <"$file")
    [ "$lines" -le 1200 ] || { echo "$file has $lines lines"; failed=1; }
    head -1 "$file" | grep -q '^/[*/]' || { echo "$file does not say what it is"; failed=1; }
done
for word in 'TO''DO' 'FIX''ME' '#if ''0'; do
    if grep -rn "$word" compiler grammar runtime templates; then
        echo "'$word' in the code"
        failed=1
    fi
done
if git ls-files 2>/dev/null | grep -E 'nn_(parser|scanner)\.(inc|h)$|\.o$'; then
    echo "generated files are committed"
    failed=1
fi
exit $failed
