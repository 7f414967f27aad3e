#!/bin/bash
# Sections of templates say every function and macro that they define, for each vector unit, and a program has no more
# of them than it uses.  NNC, SOURCE_DIR are set by CTest.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

# One line a section: its number and names; the files with a line nn_section_N; in the place of each.
awk -v RS='\0' '{
    n = 0; rest = $0
    while (match(rest, /\/\* section[^*]*(\*[a-z_][^*]*)*\*\//)) {
        comment = substr(rest, RSTART, RLENGTH)
        names = comment
        gsub(/\/\* section:?|\*\/$|\n/, " ", names)
        print ++n, names >"names"
        printf "%snn_section_%d;", substr(rest, 1, RSTART - 1), n
        rest = substr(rest, RSTART + RLENGTH)
    }
    printf "%s", rest
}' <(cat "$SOURCE_DIR/templates/lanes.h" "$SOURCE_DIR/templates/elementary.h" | grep -v '^#include "') >marked.c
sections=$(wc -l <names)
[ "$sections" -ge 10 ] || { echo "FAILED: $sections sections"; failed=1; }

check() { # SECTION NAME: the section names it
    local name
    for name in $(sed -n "s/^$1 //p" names); do
        case $name in
        \**) [[ $2 == *"${name#\*}" ]] && return ;;
        *) [[ $2 == "$name"* ]] && return ;;
        esac
    done
    echo "FAILED: section $1 does not name $2"
    failed=1
}
set -f
for flags in -DNN_NO_VECTORS -msse2 -mavx2 -mavx512f; do
    # shellcheck disable=SC2086
    gcc -E -P $flags marked.c >out.c || exit 1
    section=0
    while read -r name; do
        case $name in
        nn_section_*) section=${name#nn_section_} ;;
        *) [ -z "$(sed -n "s/^$section *//p" names)" ] || check "$section" "$name" ;;
        esac
    done < <(grep -oP '^nn_section_\d+|static [^;{}]*?\b\Knn[vs]?_\w+(?=\([^;{}]*\) \{)' out.c)
done
section=0
while read -r name; do
    case $name in
    nn_section_*) section=${name#nn_section_} ;;
    nns_*) [ -z "$(sed -n "s/^$section *//p" names)" ] || check "$section" "$name" ;;
    esac
done < <(grep -oP '^nn_section_\d+|^#define \Kn\w+' marked.c)
set +f

cat >model.nn <<'END'
def double(x: f32[N]) -> f32[N] { return x + x }
def squash(x: f32[N]) -> f32[N] { return tanh(x) }
export double as double
END
"$NNC" model.nn -o plain.c || exit 1
sed -i 's/^export.*/export squash as squash/' model.nn
"$NNC" model.nn -o tanh.c || exit 1
grep -q nnv_exp_split tanh.c || { echo "FAILED: tanh has no exponential"; failed=1; }
! grep -q 'nnv_exp_split\|nnv_erf_f32\|nnv_of_bf16' plain.c || { echo "FAILED: a sum has an exponential"; failed=1; }
! grep -q 'nnv_erf_f32\|nnv_of_bf16' tanh.c || { echo "FAILED: tanh has erf"; failed=1; }
exit $failed
