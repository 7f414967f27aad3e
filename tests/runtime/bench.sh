# nnc bench: the kernels are those of --emit=kernels, the operations of a product are exact, JSON and trace events parse,
# inputs are made up in the range that is checked.  Times are looked at for their sign only.
. "$SOURCE_DIR/tests/runtime/common.bash"
cat >model.nn <<'END'
module Product {
    self.fc = nn.Linear(24, 40, bias=False)
    def forward(self, x: f32[N, 24]) -> (y: f32[N, 40]) { return self.fc(x) }
}
export Product() as product

module Words {
    self.embed = nn.Embedding(300, 16)
    self.rnn = nn.LSTM(16, 32)
    self.head = nn.Linear(32, 5)
    def forward(self, text: i64[T, N]) -> f32[T, N, 5] {
        x, _ = self.rnn(self.embed(text))
        return F.softmax(self.head(x), 2)
    }
}
export Words() as words

train Fit {
    self.net = Product()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.01)
    def step(self, x: f32[N, 24]) -> (loss: f32) {
        loss = self.net(x).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
END
bench() { "$NNC" bench --repeat 3 "$@"; }
# The steps of one entry in the text of --emit=kernels: names of kernels, a line each.
kernels_of() { # kernels_of ROOT ENTRY
    "$NNC" "model.nn:$1" --emit=kernels | sed -n "/^entry $2\$/,/^entry /p" | sed -n 's/^ *\(k[0-9][A-Za-z0-9_]*\)(.*/\1/p' | sort -u
}
expect 0 "all kernels" bench model.nn:product --bind N=50
grep -qE '^product N=50, [0-9]+ threads?$' output.txt || fail "no head line"
grep -qE '^this machine: [0-9.]+ GFLOP/s f32, ' output.txt || fail "no roofline"
grep -qE '^whole call [0-9.]+ ms \(median of 3; ' output.txt || fail "no line of the whole call"
for case in product:product words:words Fit:Fit_step; do
    root=${case%%:*} entry=${case##*:}
    target=model.nn:$root
    [ $root = Fit ] && target=model.nn:Fit.step
    dims="--bind N=50"
    [ $root = words ] && dims+=" --bind T=7"
    kernels_of $root $entry >expected
    [ -s expected ] || fail "no kernels of $entry"
    bench $target $dims --threads 1 >text || fail "bench $target"
    sed -n '/of roofline/,/all kernels/p' text | awk 'NR > 1' | grep -o ' k[0-9][A-Za-z0-9_]*' | tr -d ' ' | sort -u >listed
    cmp expected listed || { diff expected listed; fail "$target: other kernels than --emit=kernels"; }
    bench $target $dims --threads 1 --format=json --trace trace.json >bench.json || fail "bench --format=json"
    grep -o '"name":"k[0-9][A-Za-z0-9_]*"' bench.json | cut -d'"' -f4 | sort >listed
    cmp expected listed || fail "$target: the JSON names other kernels"
    command -v python3 >/dev/null || continue
    python3 - bench.json trace.json $root <<'END' || fail "$target: the numbers of the JSON"
import json, sys
bench = json.load(open(sys.argv[1]))
trace = json.load(open(sys.argv[2]))
assert bench["dims"]["N"] == 50 and bench["threads"] == 1 and bench["source"] == "model.nn"
call, kernels = bench["call"], bench["kernels"]
assert call["count"] == 3 and 0 < call["fastest_seconds"] <= call["median_seconds"] <= call["slowest_seconds"]
assert abs(sum(k["seconds"] for k in kernels) - call["kernels_seconds"]) < 1e-9
assert [k["seconds"] for k in kernels] == sorted((k["seconds"] for k in kernels), reverse=True)
levels = bench["roofline"]["levels"]
assert all(l["bytes_per_second"] > 0 for l in levels) and levels[-1]["capacity"] is None
assert bench["roofline"]["flops_f32"] > bench["roofline"]["flops_f64"] / 2 > 0
bounds = {l["name"] for l in levels} | {"fma", "-"}
slices = [e for e in trace["traceEvents"] if e["ph"] == "X"]
for k in kernels:
    assert k["bound"] in bounds and k["calls"] >= 1 and k["bytes"] > 0
    assert k["roofline_seconds"] > 0 and k["roofline_share"] > 0
    # One thread: a slice is a call.
    assert sum(s["name"] == k["name"] for s in slices) == k["calls"], k
assert {s["name"] for s in slices} == {k["name"] for k in kernels}
assert all(s["dur"] >= 0 and s["ts"] >= 0 and s["pid"] == 1 and s["tid"] == 0 for s in slices)
ordered = sorted(slices, key=lambda s: s["ts"])
assert all(a["ts"] + a["dur"] <= b["ts"] + 0.002 for a, b in zip(ordered, ordered[1:]))
if sys.argv[3] == "product":
    (k,) = kernels
    assert k["flops"] == 2 * 50 * 24 * 40 and k["bytes"] == 4 * (50 * 24 + 24 * 40 + 50 * 40) and k["lines"] == "3"
if sys.argv[3] == "words":
    assert max(k["calls"] for k in kernels) == 7
    total = sum(k["flops"] for k in kernels)
    products = 2 * 7 * 50 * (16 * 128 + 32 * 128 + 32 * 5)
    assert products < total < 1.3 * products, (total, products)
END
done
# Two threads share a call: a slice for each part.
bench model.nn:product --bind N=4000 --threads 2 --trace two.json >text || fail "two threads"
[ "$(grep -c '"ph":"X"' two.json)" = 2 ] || fail "not two slices of a kernel with two threads"
# Ids that the entry checks, other inputs, scalars and weights as in run.
expect 0 "all kernels" bench model.nn:words --bind N=3 --bind T=5 --input text=randint:300
expect 0 "all kernels" bench model.nn:product --input x=ones --bind N=0
"$NNC" run model.nn:product --input x=rand --bind N=2 --save w.safetensors >/dev/null
expect 0 "all kernels" bench model.nn:product --weights w.safetensors --bind N=2 --seconds 0.01
expect 3 "--bind N=" bench model.nn:product
expect 1 "id" bench model.nn:words --bind N=3 --bind T=5 --input text=randint:100000
expect 2 "text|json" bench model.nn:product --bind N=2 --format=xml
expect 2 "is not an option" bench model.nn:product --engine=interp
expect 2 "--seconds wants" bench model.nn:product --bind N=2 --seconds soon
expect 3 "absent/t.json" bench model.nn:product --bind N=2 --trace absent/t.json
expect 3 "apt install gcc" bench model.nn:product --bind N=2 --cc $work/no-such-cc
