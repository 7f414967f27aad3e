# Shared by tests of the command line: a scratch folder, and
#   expect STATUS TEXT COMMAND...   the command ends with the status and says the text; else failed=1
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
expect() {
    local status=$1 text=$2 said got
    shift 2
    said=$("$@" 2>&1)
    got=$?
    if [ "$got" -ne "$status" ] || ! printf '%s' "$said" | grep -qF -- "$text"; then
        printf 'expected %s and "%s" from: %s\ngot %s and\n%s\n' "$status" "$text" "$*" "$got" "$said"
        failed=1
    fi
}
