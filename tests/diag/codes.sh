# Every code of diagnostics.def has a test in this folder (or, for those that no check can reach, in forms.sh), a
# text for `nnc explain`, and one row only.
set -u
cd "$SOURCE_DIR" || exit 1
failed=0
codes=$(grep -o '"NN[0-9]\{4\}"' compiler/base/diagnostics.def | tr -d '"')
if [ -n "$(printf '%s\n' "$codes" | sort | uniq -d)" ]; then
    echo "twice: $(printf '%s\n' "$codes" | sort | uniq -d)"
    failed=1
fi
for code in $codes; do
    if ! grep -aqs "^# expect $code " tests/diag/NN*.nn && ! grep -q "$code" tests/diag/forms.sh; then
        echo "$code has no test"
        failed=1
    fi
    "$NNC" explain "$code" | grep -q "^$code: " || { echo "$code is not explained"; failed=1; }
done
exit $failed
