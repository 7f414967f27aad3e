#!/bin/bash
# The dictionaries of all targets are in the form that libFuzzer reads: words.sh PROGRAM...
failed=0
for program; do
    "$program" --words >words || { echo "FAILED: $program --words"; failed=1; }
    LC_ALL=C grep -vnE '^"([] !#-[^-~]|\\["\\]|\\x[0-9a-f]{2})+"$' words && { echo "FAILED: words of $program"; failed=1; }
done
rm -f words
exit $failed
