# A file that imports another, by both forms, and uses a bit of everything: checks in silence, from any folder, and by -I.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
fail() { echo "$1"; exit 1; }
here=$SOURCE_DIR/tests/golden/imports
said=$("$NNC" check "$here/main.nn" 2>&1) && [ -z "$said" ] || fail "$said"
cd "$work" || exit 1
cp "$here/main.nn" .
"$NNC" check main.nn 2>/dev/null; [ $? -eq 1 ] || fail "a missing import is an error"
"$NNC" check -I "$here" main.nn || fail "-I"
"$NNC" summary -I "$here" main.nn | grep -q '(parts): ModuleDict(' || fail "the summary"
"$NNC" main.nn -I "$here" --emit=ir | grep -c '^root ' | grep -qx 1 || fail "imported files emit no entries"
