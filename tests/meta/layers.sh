# Who includes whom: every #include "layer/..." of compiler/ is allowed by cmake/layers.txt; the runtime and the
# templates know nothing of the compiler.
set -u
cd "$SOURCE_DIR" || exit 1
failed=0
while IFS=: read -r layer allowed; do
    case $layer in '#'*|'') continue ;; esac
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
# Beside the C library and threads, the runtime knows its own files, the interface of emitted code, zlib and libpng.
for used in $(grep -hoE '^#include "[^"]*"' runtime/*.[ch] | sed 's/.*"\(.*\)"/\1/' | sort -u); do
    case $used in nnc_abi.h | nnc_cuda_abi.h | nnc_device.h | nnc_standalone.h) continue ;; esac
    [ -e "runtime/$used" ] || { echo "the runtime includes $used"; failed=1; }
done
system='ctype dirent errno fcntl fnmatch inttypes limits math poll pthread sched setjmp signal stdarg stdatomic stdbool stddef
    stdint stdio stdlib string strings sys/file sys/ioctl sys/stat sys/syscall sys/types time unistd linux/futex zlib png'
for used in $(grep -hoE '^#include <[^>]*>' runtime/*.[ch] | sed 's/.*<\(.*\)\.h>/\1/' | sort -u); do
    case " $(echo $system) " in *" $used "*) ;; *) echo "the runtime includes <$used.h>"; failed=1 ;; esac
done
generated=$(grep -lE 'include "nn_(scanner|parser)\.inc"' -r compiler)
[ "$generated" = compiler/syntax/parse.c ] || { echo "generated code is included by: $generated"; failed=1; }
exit $failed
