# No name of a layer, loss, composite activation or optimizer occurs in the compiler's C: they are written in the
# language.  The list comes from the library itself; rows of ops.def (tanh, sigmoid, ...) are primitives and exempt.
set -u
cd "$SOURCE_DIR" || exit 1
failed=0
modules=$(sed -n 's/^module \([A-Z][A-Za-z0-9]*\).*/\1/p' compiler/prelude/nn/*.nn)
optimizers=$(sed -n 's/^optimizer \([A-Z][A-Za-z0-9]*\).*/\1/p' compiler/prelude/optim/*.nn)
schedules=$(sed -n 's/^module \([A-Z][A-Za-z0-9]*\).*/\1/p' compiler/prelude/lr_scheduler/*.nn)
functions=$(sed -n 's/^def \([a-z][a-z0-9_]*\).*/\1/p' compiler/prelude/functional/*.nn)
[ "$(printf '%s\n' "$modules" | wc -l)" -gt 20 ] || { echo "the library's modules were not found"; exit 1; }
# Words that are also ordinary ones of a compiler, values of options, or torch's containers and tensor methods that
# the language itself has.
exempt=" Module ModuleList ModuleDict Parameter ParameterList Identity linear pad fold unfold normalize one_hot \
softmax_dim threshold dropout_site "
primitives=" $(sed -n 's/^ELEMENTWISE([A-Z0-9_]*, "\{0,1\}\([a-z0-9_]*\).*/\1/p' compiler/tensor/ops.def | tr '\n' ' ') "
code=$(mktemp) || exit 1
trap 'rm -f "$code"' EXIT
# Comments and sentences are prose; identifiers, and strings of one word, are code.
for file in $(find compiler -name '*.[ch]' ! -path '*/prelude/*' | sort); do
    awk -v file="$file" '
        { line = $0; out = ""
          while (length(line)) {
              if (comment) { i = index(line, "*/"); if (!i) { line = ""; break } line = substr(line, i + 2); comment = 0 }
              i = index(line, "/*"); if (!i) { out = out line; line = ""; break }
              out = out substr(line, 1, i - 1) " "; line = substr(line, i + 2); comment = 1
          }
          gsub(/\\"/, "", out)
          gsub(/"[A-Za-z0-9_]*[^A-Za-z0-9_"][^"]*"/, "\"\"", out)
          print file ":" NR ": " out }' "$file"
done >"$code"
for name in $modules $optimizers $schedules $functions; do
    case "$exempt $primitives" in *" $name "*) continue ;; esac
    found=$(grep -w -- "$name" "$code")
    [ -z "$found" ] && continue
    printf 'the compiler knows %s:\n%s\n' "$name" "$found"
    failed=1
done
exit $failed
