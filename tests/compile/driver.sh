# nnc FILE: names of outputs, kinds of --emit, --entry, passes, the same bytes in every folder, nothing written on errors.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
complain() { echo "$1"; failed=1; }
mkdir a b out
lenet=$work/lenet.nn
cat >lenet.nn <<'END'
module Net(hidden: int = 8) {
    self.fc = nn.Linear(4, hidden)
    def forward(self, x: f32[N, 4]) -> (label: i64[N]) { return F.relu(self.fc(x)).argmax(1) }
}

export Net() as lenet

train LeNet {
    self.net = nn.Linear(4, 1)
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, x: f32[N, 4]) -> (loss: f32) {
        loss = self.net(x).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
    def plain_step(self, x: f32[N, 4]) -> (loss: f32) { return self.net(x).mean() }
}
END
(cd a && "$NNC" "$lenet") || complain "the default output"
[ -f a/lenet.c ] && [ -f a/lenet.h ] || complain "lenet.c and lenet.h are missing"
cp "$lenet" b/lenet.nn
(cd b && "$NNC" lenet.nn && "$NNC" lenet.nn -o again.c && "$NNC" lenet.nn -o lenet.c) || complain "a second run"
cmp a/lenet.c b/lenet.c || complain "other bytes in another folder"
sed 's/again/lenet/' b/again.c | cmp - <(sed 's/again/lenet/' b/lenet.c) || complain "the name changes more than the include"
grep -q '#include "again.h"' b/again.c || complain "the header's name"
if grep -n "$work" a/lenet.[ch]; then complain "a path in the output"; fi

"$NNC" "$lenet" --entry=lenet -o out/one.c || complain "--entry"
grep -q 'LeNet_step' out/one.h && complain "--entry keeps others"
grep -q 'lenet_' out/one.h || complain "--entry loses its own"
"$NNC" "$lenet" --entry=LeNet.step -o out/step.c || complain "--entry=BLOCK.def"
grep -q 'LeNet_plain_step' out/step.h && complain "--entry=BLOCK.def keeps others"
"$NNC" "$lenet" --entry=nothing -o out/no.c 2>message; [ $? -eq 2 ] || complain "an unknown entry"
grep -q 'no entry `nothing`' message || complain "the message of an unknown entry"
[ ! -e out/no.c ] || complain "a file in spite of an error"

# Names of files: what no #include can hold is refused, everything else compiles.
mkdir names
for name in "m\xc3\xb6del" "a b" "a'b" "a\$(id)" "-x" "??" "a%s%n" "*" "1.2"; do
    name=$(printf "${name//%/%%}")
    cp "$lenet" "names/$name.nn"
    "$NNC" "names/$name.nn" -o "names/$name.c" && cc -w -Wno-psabi -fsyntax-only "./names/$name.c" || complain "the name $name"
    "$NNC" "names/$name.nn" -o - | cc -w -Wno-psabi -fsyntax-only -xc - || complain "the name $name on standard output"
done
for name in 'a"b' 'a\b' $'a\nb' $'a\x7f'; do
    cp "$lenet" "names/$name.nn"
    "$NNC" "names/$name.nn" -o "names/$name.c" 2>message; [ $? -eq 2 ] || complain "the name $name is taken"
    grep -q 'cannot be the name of a header' message || { cat message; complain "the message for $name"; }
    "$NNC" "names/$name.nn" --emit=ir -o names/out.ir && "$NNC" "names/$name.nn" -o names/out.c || complain "the source $name"
    cc -w -Wno-psabi -fsyntax-only names/out.c || complain "the source $name does not compile"
done
for kind in ast ir kernels plan dot; do
    "$NNC" "$lenet" --emit=$kind >out/$kind.txt || complain "--emit=$kind"
    [ -s out/$kind.txt ] || complain "--emit=$kind is empty"
    "$NNC" "$lenet" --emit=$kind -o out/file.txt && cmp out/$kind.txt out/file.txt || complain "--emit=$kind -o"
done
for pass in $("$NNC" help compile | sed -n '/^Passes/,$p' | awk 'NF > 1 { print $1 }'); do
    "$NNC" "$lenet" --entry=lenet --print-after=$pass --stop-after=$pass -o out/stopped.c >out/pass.txt || complain "--print-after=$pass"
    case $pass in sema) ;; *) [ -s out/pass.txt ] || complain "--print-after=$pass prints nothing" ;; esac
done
# A program in textual IR gives the kernels of its source, and one pass works on it alone; no code is made of it.
"$NNC" "$lenet" --emit=ir -o out/lenet.ir && "$NNC" out/lenet.ir --emit=kernels -o out/of_ir.txt || complain "--emit=kernels of a text"
"$NNC" "$lenet" --emit=kernels -o out/of_source.txt
[ "$(grep -c '^kernel(' out/of_ir.txt)" = "$(grep -c '^kernel(' out/of_source.txt)" ] || complain "kernels of a text"
printf 'root m infer {\n  entry infer m symbol=m {\n    %%0: f32[4] = input x\n    %%1 = exp %%0\n    %%2 = exp %%0\n    %%3 = add %%1, %%2\n    return y=%%3\n  }\n}\n' >out/two.ir
"$NNC" out/two.ir --only-pass=identities >out/two.txt && [ "$(grep -c ' exp ' out/two.txt)" = 2 ] || complain "--only-pass=identities"
"$NNC" out/two.ir --only-pass=merge-equal >out/two.txt && [ "$(grep -c ' exp ' out/two.txt)" = 1 ] || complain "--only-pass=merge-equal"
"$NNC" out/two.ir --only-pass=plan 2>/dev/null && complain "--only-pass of a pass that is not on graphs"
"$NNC" out/two.ir -o out/two.c 2>message && complain "code of a text"
grep -q 'out/two.ir was read as source; a program in textual IR goes with --emit=ir' message || { cat message; complain "the message for code of a text"; }
echo 'root x' >out/bad.ir
"$NNC" out/bad.ir --emit=ir 2>said && complain "a bad text"
grep -q 'bad.ir: line 2: a root is train or infer' said || complain "the message for a bad text"
# Remarks are lines like diagnostics, on stderr; the output is what it is without them.
"$NNC" "$lenet" --remarks=fuse -o b/lenet.c 2>remarks || complain "--remarks=fuse"
cmp a/lenet.c b/lenet.c || complain "--remarks changes the output"
grep -qE '^[^ ]*lenet.nn:3: remark: fused: .* are kernel [a-z0-9_]+ \[lenet\]$' remarks || complain "no remark of a kernel"
grep -qE '^[^ ]*lenet.nn:3: remark: not fused: [a-z]+.* \(line 3\) and [a-z]+.* \(line 3\): .* \[lenet\]$' remarks || complain "no remark of a refusal"
if grep -q 'remark: product' remarks; then complain "--remarks=fuse tells of products"; fi
"$NNC" "$lenet" --remarks=contract,fuse --stop-after=kernels 2>both || complain "--remarks=contract,fuse"
"$NNC" "$lenet" --remarks=all --emit=ir >/dev/null 2>all || complain "--remarks=all"
cmp both all || complain "--remarks=all is not all"
"$NNC" "$lenet" --remarks=speed 2>message; [ $? -eq 2 ] || complain "an unknown kind of remark"
# --no-fuse: more kernels, and what the line is told.
"$NNC" "$lenet" --emit=kernels --no-fuse=12 >out/apart.txt || complain "--no-fuse"
[ "$(grep -c '^# ' out/apart.txt)" -gt "$("$NNC" "$lenet" --emit=kernels | grep -c '^# ')" ] || complain "--no-fuse=12 fuses as ever"
for lines in 0 x 5-3 7- -2; do
    "$NNC" "$lenet" --no-fuse=$lines 2>message; [ $? -eq 2 ] || complain "--no-fuse=$lines"
done

"$NNC" "$lenet" --verify-each --time-report -o out/x.c 2>times || complain "--verify-each"
grep -q ' total$' times || complain "--time-report"

if command -v cc >/dev/null; then
    "$NNC" "$lenet" -o - | cc -w -Wno-psabi -x c -c - -o out/stdin.o || complain "-o - does not compile"
    # shellcheck disable=SC2046
    cc $("$NNC" --print-cflags) -w -Wno-psabi -c a/lenet.c -o out/flags.o || complain "--print-cflags"
    "$NNC" "$lenet" --emit=obj -o out/net.o && [ -s out/net.h ] || complain "--emit=obj"
    "$NNC" "$lenet" --emit=lib -o out/libnet.a || complain "--emit=lib"
    "$NNC" "$lenet" --emit=lib -o out/again.a && cmp out/libnet.a out/again.a || complain "another library from the same input"
    if command -v nm >/dev/null; then
        size -A out/net.o | awk '$1 == ".data" || $1 == ".bss" { bytes += $2 } END { exit bytes > 0 }' ||
            complain "written globals in the object"
        nm out/net.o | grep -qwE 'U (malloc|calloc|free|printf)' && complain "malloc or stdio in the object"
    fi
    printf '#include "net.h"\nint main(void) { return lenet_WEIGHTS_BYTES > 0 ? 0 : 1; }\n' >out/main.c
    cc out/main.c out/libnet.a -lm -o out/main && out/main || complain "a program with the library"
fi
printf 'module A { self.x = y }\n' >bad.nn
"$NNC" bad.nn -o out/bad.c 2>/dev/null; [ $? -eq 1 ] || complain "an error in the model"
[ ! -e out/bad.c ] || complain "a file in spite of an error in the model"
"$NNC" "$lenet" -o absent/x.c 2>/dev/null; [ $? -eq 3 ] || complain "a folder that is not there"
"$NNC" "$lenet" -o /dev/full --emit=c 2>/dev/null; [ $? -eq 3 ] || complain "a device that is full"
[ -c /dev/full ] || complain "the device was replaced"
# A device or a pipe takes one text, as standard output does: no header beside it.
"$NNC" "$lenet" -o /dev/null || complain "-o /dev/null"
[ ! -e /dev/null.h ] || { complain "a header beside /dev/null"; rm -f /dev/null.h; }
mkfifo out/pipe
cat out/pipe >out/piped.c &
"$NNC" "$lenet" -o out/pipe || complain "-o of a pipe"
wait
"$NNC" "$lenet" -o - | cmp - out/piped.c || complain "a pipe is not standard output"
[ ! -e out/pipe.h ] || complain "a header beside a pipe"
grep -q -- '-c again.c ' b/again.h || complain "the name in the header's build line"
# Dims are arguments in the order in which the entry's types name them, whether or not a state names them, too.
cat >order.nn <<'END'
module Streaming {
    state h: f32[M, N] = 0
    def forward(self, x: f32[N, 4], i: f32[A, N], y: f32[M]) -> f32[N, 4] {
        self.h = self.h + y[:, None]
        return x + i.sum() + self.h.sum()
    }
}
export Streaming() as streaming
END
"$NNC" order.nn -o out/order.c
grep -q '^int streaming(nnc_context \*ctx, int64_t N, int64_t A, int64_t M, const float \*x' out/order.h || complain "the order of dims"
"$NNC" "$lenet" --emit=ir >/dev/full 2>/dev/null; [ $? -eq 3 ] || complain "a full disk"
exit $failed
