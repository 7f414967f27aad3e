#!/usr/bin/env bash
# What summary, graph and the plan tell of launches: each launch of the emitted text, with the blocks and threads that the
# shim sees, and registers as ptxas says them.
. "$SOURCE_DIR/tests/expect.bash"
fail() { echo "FAIL: $*" && failed=1; }
rows() { sed -n "/^$1 on a GPU: /,/^[^ ]/p" "$2" | sed -n 's/^  nn_launch/nn_launch/p'; } # entry, file
for example in fashion_mnist lenet char_lstm custom; do
    "$NNC" "$SOURCE_DIR/examples/$example.nn" --target=cuda --emit=plan --nvcc=none -o "$example.plan" &&
        "$NNC" "$SOURCE_DIR/examples/$example.nn" -o "$example.cu" || fail "$example"
    grep -q '; registers are not known without nvcc$' "$example.plan" || fail "no nvcc, and nothing is said"
    for entry in $(sed -n 's/ on a GPU: .*//p' "$example.plan"); do
        for symbol in $(sed -n 's/^static void nn_steps_\(.*\)(nnc_cuda_context.*/\1/p' "$example.cu"); do
            [ "${symbol/_cuda/}" != "$entry" ] || break
        done
        sed -n "/^static void nn_steps_$symbol(/,/^}/p" "$example.cu" | sed -n 's/.* nn_launch(ctx, .*\(nn_launch_[0-9_]*\).*/\1/p' >written
        [ -s written ] && rows "$entry" "$example.plan" | sed 's/ .*//' | cmp - written || fail "$entry: other launches than in the text"
    done
done

# How often: rounds of merging, steps of a scan, and the one inside of the other.
cat >often.nn <<'END'
module Sorted { def forward(self, x: f32[N, 5000]) -> f32[N, 5000] { return torch.sort(x, 1)[0] } }
module Walk {
    def forward(self, x: f32[T, 5000]) -> f32[5000] {
        scan h = torch.zeros(5000) for row in x { h = torch.sort(h + row, 0)[0] }
        return h
    }
}
export Sorted() as sorted
export Walk() as walk
END
"$NNC" often.nn --target=cuda --emit=plan --nvcc=none -o often.plan || fail "often.nn"
for often in "log2((5000) / (2048))" "(T)" "(T) * log2((5000) / (2048))"; do
    grep -qF "  $often  " often.plan || { cat often.plan; fail "no launch runs $often times"; }
done

# Blocks and threads, at two sizes, as they are launched.
export XDG_CACHE_HOME=$work/cache SHIM_LAUNCHES=$work/launches NVCC=$SOURCE_DIR/tests/cuda/shim/nvcc
for N in 5 70; do
    rm -f launches
    "$NNC" run "$SOURCE_DIR/tests/runtime/models/small.nn:Learn.step" --input x=rand --input label=randint:2 --bind N=$N \
        --device=cuda >/dev/null 2>&1 || fail "run"
    "$NNC" summary "$SOURCE_DIR/tests/runtime/models/small.nn" --device=cuda --nvcc=none >summary || fail "summary"
    rows Learn_step summary | sed 's/^[^ ]* *1  *\(.*[^ ]\)  *\([0-9][0-9]*\)  *[0-9][0-9]*  *-  .*/\1;\2/; s#//#/#g' |
        while IFS=';' read -r blocks threads; do echo "$((blocks)) $threads"; done >expected
    [ "$(wc -l <expected)" -gt 3 ] || fail "few launches: $(cat summary)"
    grep -v ' 32$' launches | tail -n "$(wc -l <expected)" | diff - expected || fail "launched with N = $N (<), and told (>)"
done

# What ptxas says, of the narrow instance where there are two.
cat >ptxas <<'END'
#!/bin/sh
case $* in *--version*) exit 0 ;; *-Xptxas\ -v*-arch=sm_90*) ;; *) exit 1 ;; esac
for name in $(sed -n 's/.*[ (]\(nn_launch_[0-9_]*\)(.*/\1/p' "$(dirname "$9")/model.cu" | sort -u); do
    for kind in Il:99 Ii:41; do
        echo "ptxas info    : Compiling entry function '_Z${#name}$name${kind%:*}Ev8nn_callsILi1EE' for 'sm_90'"
        echo "ptxas info    : Function properties for _Z${#name}$name${kind%:*}Ev8nn_callsILi1EE"
        echo "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"
        echo "ptxas info    : Used ${kind#*:} registers, used 1 barriers, 777 bytes smem, 448 bytes cmem[0]"
    done
done
END
chmod +x ptxas
model=$SOURCE_DIR/examples/fashion_mnist.nn
"$NNC" summary "$model:fashion_mnist" --device=cuda --nvcc=./ptxas --cuda-arch=sm_90 >summary || fail "summary with ptxas"
[ "$(rows fashion_mnist summary | grep -c ' 777  *41  ')" = 4 ] || { cat summary; fail "registers in the summary"; }
grep -qx 'bytes of shared memory and registers of a thread as ptxas allots them for sm_90' summary || fail "where from"
! grep -q FashionMnist_step summary || fail "more than was asked for"
"$NNC" graph "$model:FashionMnist.step" --device=cuda --nvcc=./ptxas --cuda-arch=sm_90 -o step.dot || fail "graph with ptxas"
launches=$("$NNC" "$model:FashionMnist.step" --target=cuda --emit=plan --nvcc=none | sed -n 's/^FashionMnist_step on a GPU: \([0-9]*\) .*/\1/p')
[ "$(grep -c 'threads [0-9]*, shared 777, registers 41"\];$' step.dot)" = "$launches" ] || fail "launches in the graph"
grep -q '^  a0 -> l[0-9]* \[label="u8\[N, 28, 28\]"\];$' step.dot && grep -q '^  l[0-9]* -> r0;$' step.dot || fail "edges"
if command -v dot >/dev/null; then dot -Tsvg step.dot -o step.svg || fail "dot does not read the graph"; fi
expect 0 'registers are not known: ./ptxas failed (status 1)' \
    "$NNC" summary "$model" --device=cuda --nvcc=./ptxas --cuda-arch=sm_10
expect 2 '--device is one of cpu|cuda' "$NNC" graph "$model" --device=auto
expect 2 '--nvcc wants --emit=exe or plan' "$NNC" "$model" -o x.cu --nvcc=nvcc

nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
[ -x "$nvcc" ] || { echo "not tested: there is no nvcc"; exit $failed; }
"$NNC" summary "$SOURCE_DIR/tests/runtime/models/small.nn:classifier" --device=cuda --nvcc="$nvcc" >summary || fail "summary with nvcc"
rows classifier summary >all
[ -s all ] && ! grep -v ' [0-9][0-9]*  *[1-9][0-9]*  [a-z]' all || { cat summary; fail "registers by nvcc"; }
exit $failed
