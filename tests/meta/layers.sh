# Who includes whom: every #include "layer/..." of compiler/ and every #include of runtime/ is allowed by
# cmake/layers.txt; the runtime and the templates know nothing of the compiler.
set -u
cd "$SOURCE_DIR" || exit 1
failed=0
while IFS=: read -r layer allowed; do
    case $layer in '#'*|''|runtime*) continue ;; esac
    for file in $(find "compiler/$layer" -name '*.[ch]' | sort); do
        for used in $(sed -n 's/^#include "\([a-z]*\)\/.*/\1/p' "$file" | sort -u); do
            [ "$used" = "$layer" ] && continue
            case " $allowed " in
            *" $used "*) ;;
            *) echo "$file includes $used/, which $layer must not see"; failed=1 ;;
            esac
        done
    done
done <cmake/layers.txt
for folder in compiler/*/; do
    layer=$(basename "$folder")
    [ "$layer" = prelude ] || grep -q "^$layer:" cmake/layers.txt || { echo "$layer is not in cmake/layers.txt"; failed=1; }
done
if grep -nE '#include "(base|types|syntax|sema|tensor|lower|kernel|plan|emit|driver)/' -r runtime templates; then
    echo "runtime and templates must not include the compiler"
    failed=1
fi
own=" $(sed -n 's/^runtime: //p' cmake/layers.txt | tr '\n' ' ') "
for used in $(grep -hoE '^#include "[^"]*"' runtime/*.[ch] | sed 's/.*"\(.*\)"/\1/' | sort -u); do
    case $own in *" $used "*) continue ;; esac
    [ -e "runtime/$used" ] || { echo "the runtime includes $used"; failed=1; }
done
system=" $(sed -n 's/^runtime <>: //p' cmake/layers.txt | tr '\n' ' ') "
for used in $(grep -hoE '^#include <[^>]*>' runtime/*.[ch] | sed 's/.*<\(.*\)\.h>/\1/' | sort -u); do
    case $system in *" $used "*) ;; *) echo "the runtime includes <$used.h>"; failed=1 ;; esac
done
generated=$(grep -lE 'include "nn_(scanner|parser)\.inc"' -r compiler)
[ "$generated" = compiler/syntax/parse.c ] || { echo "generated code is included by: $generated"; failed=1; }
exit $failed
