# Holds what ptxas spills to budgets.  Input: spills.txt, figures of ptxas.awk; -v version: nvcc's.  With -v write=1 the
# output is spills.txt as it would have to be; else what is wrong, and the exit status tells.
FNR == 1 { file++ }
file == 1 && /^#/ { heading = heading $0 "\n"; next }
file == 1 && $1 == "nvcc" { written_for = $2; next }
file == 1 && NF {
    key = $1 " " $2 " " $3 " " $4
    if (key in limit) { print key ": it stands there twice"; bad++ }
    limit[key] = $5
    cause[key] = ""
    for (i = 6; i <= NF; i++) cause[key] = cause[key] (i > 6 ? " " : "") $i
    next
}
{
    key = $1 " " $2 " " $3 " " $4
    tested[$1 " " $4] = 1
    functions++
    if (key in spilled) { print key ": two kernels have this name"; bad++ }
    spilled[key] = $5
    registers[key] = $6
    order[functions] = key
}
# With more registers there would be room for fewer blocks of 256 threads: of 65536 registers, dealt by eights.
function why(key,    dealt) {
    if (key in cause && cause[key] !~ /^(kept to .*|\?)?$/) return cause[key]
    dealt = int((registers[key] + 7) / 8) * 8
    if (spilled[key] <= 16 && int(256 / dealt) > int(256 / (dealt + 8))) return "kept to " dealt " registers"
    return "?"
}
END {
    if (write) printf "%snvcc %s\n", heading, version
    if (!write && version != written_for) {
        printf "not tested: spills.txt is for nvcc %s, and this is %s\n", written_for, version
        exit bad > 0
    }
    for (i = 1; i <= functions; i++) {
        key = order[i]
        if (spilled[key] == 0) continue
        count++
        split(key, word, " ")
        if (write) { printf "%-14s %-52s %2s %-6s %3d  %s\n", word[1], word[2], word[3], word[4], spilled[key], why(key); continue }
        if (!(key in limit)) { printf "%s: spills %d bytes, and is not in spills.txt\n", key, spilled[key]; bad++ }
        else if (spilled[key] > limit[key]) { printf "%s: spills %d bytes, at most %d\n", key, spilled[key], limit[key]; bad++ }
    }
    for (key in limit) {
        if (write) continue
        split(key, word, " ")
        if ((word[1] " " word[4]) in tested && spilled[key] < limit[key]) {
            printf "%s: spills %d bytes, drop its budget of %d\n", key, spilled[key], limit[key]
            bad++
        }
        if (cause[key] == "" || cause[key] == "?") { printf "%s: its budget has no cause\n", key; bad++ }
    }
    if (!functions) { print "there are no kernels"; bad++ }
    if (!write && !bad) printf "%d kernels compiled; %d of them spill, as listed\n", functions, count
    exit bad > 0
}
