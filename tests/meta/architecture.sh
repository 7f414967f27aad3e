# docs/ARCHITECTURE.md tells the truth: files that it names exist, and a function named after a file stands in it.
set -u
cd "$SOURCE_DIR" || exit 1
failed=0
text=$(tr '\n' ' ' <docs/ARCHITECTURE.md)
# A path from the top, or from compiler/, or (after another file of the paragraph) the last folder's.
find_file() {
    local place
    for place in "$1" "compiler/$1" "compiler/kernel/$1" "compiler/emit/kernel/$1" "tests/cuda/shim/$1"; do
        [ -e "$place" ] && { echo "$place"; return; }
    done
    return 1
}
files=0 functions=0
for name in $(grep -oE '`[a-z_/0-9]+\.(c|h|nn|def|sh|y|txt)`' <<<"$text" | tr -d '`' | sort -u); do
    case $name in model.* | x.sh) continue ;; esac
    files=$((files + 1))
    find_file "$name" >/dev/null || [ -n "$(git ls-files "*/$name" 2>/dev/null || find . -path "*/$name")" ] ||
        { echo "docs/ARCHITECTURE.md names $name, which is not there"; failed=1; }
done
while read -r file function; do
    path=$(find_file "$file") || { echo "$file of $function is not there"; failed=1; continue; }
    functions=$((functions + 1))
    grep -qE "\b$function\b" "$path" || { echo "$path has no $function"; failed=1; }
done < <(grep -oE '`[a-z_/0-9]+\.(c|h)`: ?`[a-z_0-9]+`' <<<"$text" | tr -d '`:' | sort -u)
[ "$files" -gt 40 ] && [ "$functions" -gt 15 ] || { echo "only $files files and $functions functions were found in it"; failed=1; }
exit $failed
