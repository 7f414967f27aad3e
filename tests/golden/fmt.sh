# nnc fmt: standard output, -w, --check, standard input; a broken file is left alone.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fail() { echo "$1"; exit 1; }
printf 'x=1;y = f( 2,b = 3 )  # two\n' >a.nn
printf 'x = 1\ny = f(2, b=3)  # two\n' >wanted
"$NNC" fmt a.nn | cmp - wanted || fail "standard output"
"$NNC" fmt - <a.nn | cmp - wanted || fail "standard input"
"$NNC" fmt --check a.nn >out; [ $? -eq 4 ] || fail "--check of a file that would change"
grep -q '^a.nn$' out || fail "--check names the file"
"$NNC" fmt -w a.nn || fail "-w"
cmp a.nn wanted || fail "-w wrote something else"
"$NNC" fmt --check a.nn || fail "--check of a formatted file"
printf 'x = = 1\n' >broken.nn
cp broken.nn before
"$NNC" fmt -w broken.nn 2>/dev/null; [ $? -eq 1 ] || fail "a broken file"
cmp broken.nn before || fail "a broken file was changed"
"$NNC" fmt --check "$SOURCE_DIR"/examples/*.nn || fail "the examples are not formatted"
