# Each file here is checked; its `# expect CODE line:column` lines are all that nnc may say about it.
# Usage: run.sh, with NNC the compiler and SOURCE_DIR the repository.
set -u
cd "$SOURCE_DIR/tests/diag" || exit 1
failed=0
for file in NN*.nn; do
    wanted=$(grep -a '^# expect ' "$file" | sed 's/^# expect //' | sort)
    said=$("$NNC" check --diagnostics=short "$file" 2>&1)
    status=$?
    found=$(printf '%s\n' "$said" | sed -n -E "s/^(([^:]*):([0-9]+:[0-9]+): )?(error|warning)\[(NN[0-9]+)\].*/\5 \2:\3/p" |
        sed "s/ $file:/ /; s/ :$/ -/" | sort)
    if [ "$wanted" != "$found" ]; then
        printf '%s: expected\n%s\nbut nnc says\n%s\n' "$file" "$wanted" "$said"
        failed=1
    fi
    errors=$(printf '%s\n' "$said" | grep -c 'error\[')
    if [ "$status" -ne "$((errors > 0))" ]; then
        echo "$file: exit status $status with $errors errors"
        failed=1
    fi
done
exit $failed
