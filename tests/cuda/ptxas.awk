# What ptxas -v says of the kernels of a program: program, kernels, width of indices, architecture, bytes of spills that
# are stored, registers.  Input: what nvcc printed.  -v program: its name; -v text: its .cu file, which says what kernels a
# launch has.
BEGIN {
    while ((getline line <text) > 0) {
        if (match(line, /__ nn_launch[0-9_]*|\) nn_launch[0-9_]*/)) {
            launch = substr(line, RSTART, RLENGTH)
            sub(/.* /, "", launch)
        } else if (launch != "" && match(line, /^ *nn_k_k[0-9]+[A-Za-z0-9_]*\(&nn_all/)) {
            name = substr(line, RSTART, RLENGTH)
            sub(/^ *nn_k_k[0-9]+_?/, "", name)
            sub(/\(.*/, "", name)
            kernels[launch] = kernels[launch] (kernels[launch] != "" ? "+" : "") (name != "" ? name : "plain")
        } else if (line == "}") {
            # The place among launches of these kernels.
            if (launch != "" && kernels[launch] != "" && ++turn[kernels[launch]] > 1) kernels[launch] = kernels[launch] "#" turn[kernels[launch]]
            launch = ""
        }
    }
}
/ Compiling entry function / {
    split($0, word, "'")
    architecture = word[4]
}
/ Function properties for / { name = $NF }
/ bytes spill stores/ {
    width = "-"
    key = name
    if (match(name, /nn_launch[0-9_]*I[il]E/)) {
        width = substr(name, RSTART + RLENGTH - 2, 1) == "l" ? 64 : 32
        key = kernels[substr(name, RSTART, RLENGTH - 3)]
        if (key == "") { print "ptxas.awk: no kernels of " name > "/dev/stderr"; exit 1 }
    }
    stored = $0
    sub(/ bytes spill stores.*/, "", stored)
    sub(/.* /, "", stored)
}
/ Used [0-9]+ registers/ {
    registers = $0
    sub(/ registers.*/, "", registers)
    sub(/.* /, "", registers)
    print program, key, width, architecture, stored, registers
}
