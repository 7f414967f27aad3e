# Help, manual page and completions are made from one table: every option is in all of them.  Misspelt words get a
# suggestion, and misuse has exit status 2.
set -u
cd "$SOURCE_DIR" || exit 1
failed=0
options=$(sed -n 's/^OPTION([A-Z_]*, "\([A-Za-z-]*\)".*/\1/p' compiler/driver/options.def | sort -u)
[ "$(printf '%s\n' "$options" | wc -l)" -gt 40 ] || { echo "options.def was not read"; exit 1; }
help=$("$NNC" --help
for command in check run train bench summary graph fmt explain library; do "$NNC" help $command; done)
manual=$("$NNC" manual | sed 's/\\-/-/g')
for shell in bash zsh fish; do "$NNC" completion $shell >/dev/null || { echo "no completion for $shell"; failed=1; }; done
completion=$("$NNC" completion bash)
for option in $options; do
    for where in help manual completion; do
        printf '%s' "${!where}" | grep -q -- "--$option" || { echo "--$option is not in $where"; failed=1; }
    done
done
"$NNC" completion bash | bash -n || { echo "the completion for bash is not bash"; failed=1; }
expect() { # status, text, arguments
    local status=$1 text=$2 said
    shift 2
    said=$("$NNC" "$@" 2>&1)
    if [ $? -ne "$status" ] || ! printf '%s' "$said" | grep -qF -- "$text"; then
        printf 'nnc %s: expected %s and "%s", got\n%s\n' "$*" "$status" "$text" "$said"
        failed=1
    fi
}
expect 0 'nnc 0.' --version
expect 0 'Usage: nnc' --help
expect 2 'Usage: nnc'
expect 2 'did you mean check?' chekc x.nn
expect 2 'did you mean --shapes?' check --shaps x.nn
expect 2 'unknown option -z' check -z x.nn
expect 2 '--epochs wants a number' train --epochs ten examples/lenet.nn
for option in epochs batch limit stop-after checkpoint-every; do
    expect 2 "--$option is at least 1" train --$option 0 examples/lenet.nn
done
expect 2 '--repeat is at least 1' run --repeat 0 examples/lenet.nn
expect 2 '--default-dtype is f32 or f64' check --default-dtype f16 examples/lenet.nn
expect 2 'is not an option of `nnc fmt`' fmt --epochs 3 x.nn
expect 2 'needs a value' examples/lenet.nn --emit
expect 2 'takes no value' check --shapes=3 x.nn
expect 2 'the kinds are' examples/lenet.nn --emit=d
expect 2 'did you mean lower?' examples/lenet.nn --print-after=lowr
expect 2 'does not go with --emit=exe' examples/lenet.nn --emit=exe --remarks=fuse
expect 2 'does not go with --emit=exe' examples/lenet.nn --emit=exe --instrument
expect 3 'cannot open absent.nn' absent.nn
expect 2 'a file is missing' check
exit $failed
