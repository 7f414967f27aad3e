# Programs made by mutation that the compiler accepts: their C has no warning, their header is C++ too.
# Usage: accepted.sh [how many] [seed]; FUZZ_LANGUAGE is the plain fuzz program, SOURCE_DIR the repository.
set -eu
command -v gcc >/dev/null || { echo "no gcc"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir programs
"$FUZZ_LANGUAGE" --runs=1000000 --keep="${1:-20}" --seed="${2:-1}" --accepted=programs \
    "$SOURCE_DIR/tests/fuzz/corpus/language"
count=0 failed=0
for source in programs/*.c; do
    name=${source%.c}
    cp "$name.h" model.h
    echo '#include "model.h"' >header.cpp
    gcc -std=c99 -Wall -Wextra -Werror -Wno-psabi -fsyntax-only -I. "$source" >errors 2>&1 &&
        g++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only header.cpp >>errors 2>&1 || {
        failed=$((failed + 1))
        echo "FAILED: the C of this program"
        cat "$name.nn"
        head -20 errors
        [ -z "${FUZZ_KEEP:-}" ] || cp "$name".* errors "$FUZZ_KEEP"
    }
    count=$((count + 1))
done
echo "$count accepted programs, $failed whose C or header is refused"
[ "$failed" -eq 0 ] && [ "$count" -gt 0 ]
