# Holds figures of kernels to budgets.  Input: budgets.txt, figures as count.cpp prints them, races.  With -v write=1 the
# output is budgets.txt as it would have to be; else what is wrong, and the exit status tells.
BEGIN { few = 64; split("loads stores conflicts idle traffic longest", names) }
FNR == 1 { file++ }
file == 1 && /^#/ { heading = heading $0 "\n"; next }
file == 1 && $1 == "default" { for (i = 1; i <= 6; i++) standard[i] = $(i + 1); heading = heading $0 "\n"; next }
file == 1 && NF {
    key = $1 " " $2
    for (i = 1; i <= 6; i++) limit[key, i] = $(i + 2)
    cause[key] = ""
    for (i = 9; i <= NF; i++) cause[key] = cause[key] (i > 9 ? " " : "") $i
    next
}
# The worst of all sizes; kernels of few accesses are as they are.
FILENAME == "figures" {
    key = $1 " " $3
    if (!(key in seen)) { seen[key] = 1; order[++count] = key }
    if ($4 < few) next
    for (i = 1; i <= 6; i++) if ($(i + 4) > figure[key, i]) figure[key, i] = $(i + 4) + 0
    next
}
FILENAME == "races" { print > "/dev/stderr"; bad++ }
function room(value, whole) {
    value *= 1.1
    return whole ? int(value + 0.999) : sprintf("%.2f", value + 0.005)
}
END {
    if (write) printf "%s", heading
    for (k = 1; k <= count; k++) {
        key = order[k]
        line = ""
        for (i = 1; i <= 6; i++) {
            has = (key, i) in limit && limit[key, i] != "-"
            over = figure[key, i] > standard[i]
            if (over) needed[key] = 1
            line = line sprintf(" %5s", over ? room(figure[key, i], i == 4 || i == 6) : "-")
            if (write) continue
            allowed = has ? limit[key, i] : standard[i]
            if (figure[key, i] > allowed) {
                printf "%s: %s %s, at most %s\n", key, names[i], figure[key, i], allowed
                bad++
            } else if (has && (!over || figure[key, i] < 0.5 * allowed)) {
                printf "%s: %s %s, tighten the budget of %s\n", key, names[i], figure[key, i], allowed
                bad++
            }
        }
        if (write && needed[key]) printf "%-34s %-46s%s  %s\n", substr(key, 1, index(key, " ") - 1), substr(key, index(key, " ") + 1), line, key in cause && cause[key] != "" ? cause[key] : "?"
    }
    for (key in cause) {
        if (write) continue
        if (!(key in seen)) { printf "%s: there is no such kernel, drop its budget\n", key; bad++ }
        if (cause[key] == "" || cause[key] == "?") { printf "%s: its budget has no cause\n", key; bad++ }
    }
    if (!write && !bad) printf "%d kernels are within their budgets, %d of them by exception\n", count, length(cause)
    exit !write && bad > 0
}
