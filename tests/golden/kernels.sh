#!/usr/bin/env bash
# --emit=kernels: in every line of the examples' kernels brackets match, and products and packed operands have their
# form, part by part, as compiler/kernel/kernel.h describes Mma and PackLeaf.
set -eu
for model in lenet fashion_mnist custom; do
    "$NNC" "$SOURCE_DIR/examples/$model.nn" --emit=kernels -o -
done | awk '
function balanced(line, open, close_,   opened, closed) {
    opened = gsub(open, "", line)
    closed = gsub(close_, "", line)
    return opened == closed
}
BEGIN {
    index_ = "[^=@]+"
    access = "=((groups )?[^=@\\[\\]]+|[a-z_0-9]+\\[" index_ "\\])"
    mma = "^ *mma[.]f(32|64) [a-z_0-9]+\\[[0-9]+x[0-9]+\\] [+]?= rows " index_ " columns " index_ " depth " index_ \
        " a=[a-z_0-9]+@" index_ " row" access " depth" access " b=[a-z_0-9]+@" index_ " panel=" index_ " depth" access \
        "( padded( where " index_ "<= " index_ ")?)?( unless " index_ " is 0)?$"
    pack = "^ *pack[.]f(32|64) [a-z_0-9]+ in groups of (6|16), depth " index_ " of " index_ " from [a-z_0-9]+@" index_ \
        " count " index_ " across=" index_ " along=" index_ " block=" index_ "$"
}
!balanced($0, "[(]", "[)]") || !balanced($0, "\\[", "\\]") { print "brackets: " $0; bad = 1 }
/^ *mma/ { seen["mma"]++; if ($0 !~ mma) { print "mma: " $0; bad = 1 } }
/^ *mma.*row=groups/ { seen["groups"]++ }
/^ *mma.*=[a-z_0-9]+[[]/ { seen["table"]++ }
/^ *mma.*unless/ { seen["unless"]++ }
/^ *pack/ { seen["pack"]++; if ($0 !~ pack) { print "pack: " $0; bad = 1 } }
END {
    split("mma groups table unless pack", wanted)
    for (w in wanted)
        if (!seen[wanted[w]]) { print "none with " wanted[w]; bad = 1 }
    exit bad
}'
