# What lies inside of a call: outputs of modules (--dump), and the first value that is not finite (--check-finite).
. "$SOURCE_DIR/tests/runtime/common.bash"
cat >m.nn <<'NN'
module Block(C: int) {
    self.conv1 = nn.Conv2d(C, C, 3, padding=1)
    self.bn1 = nn.BatchNorm2d(C)
    self.relu = nn.ReLU()
    def forward(self, x: f32[N, C, H, W]) -> f32[N, C, H, W] {
        return self.relu(self.bn1(self.conv1(x))) + self.relu(x)
    }
}
module Net {
    self.layers = nn.Sequential(Block(2), Block(2))
    self.rnn = nn.GRU(4, 3, batch_first=True)
    def forward(self, x: f32[N, 2, 4, 4]) -> f32[N, 4, 3] {
        out, _ = self.rnn(self.layers(x).mean(1))
        return out
    }
}
export Net() as net
module Parts {
    self.layers = nn.Sequential(Block(2), Block(2))
    self.rnn = nn.GRU(4, 3, batch_first=True)
    def forward(self, x: f32[N, 2, 4, 4]) -> (conv: f32[N, 2, 4, 4], relu: f32[N, 2, 4, 4], last: f32[1, N, 3]) {
        first = self.layers[0](x)
        _, last = self.rnn(self.layers[1](first).mean(1))
        return self.layers[1].conv1(first), F.relu(first), last
    }
}
export Parts() as parts
NN
# The dumped values are those of a program that returns them; the results stay what they are.
"$NNC" run m.nn:net --input x=randn --bind N=2 --seed 3 --save w.st --output-dir plain >/dev/null
"$NNC" run m.nn:net --input x=randn --bind N=2 --seed 3 --weights w.st --output-dir d --dump '*.conv1' --dump 'layers.1.relu' --dump rnn >/dev/null
"$NNC" run m.nn:parts --input x=randn --bind N=2 --seed 3 --weights w.st --output-dir p >/dev/null
[ "$(cd d && echo *)" = "layers.0.conv1.npy layers.1.conv1.npy layers.1.relu.npy layers.1.relu@2.npy output.npy rnn-0.npy rnn-1.npy" ] ||
    fail "other files: $(cd d && echo *)"
cmp d/output.npy d/rnn-0.npy || fail "the output is not the last module's"
# Stored or computed again where it is read: up to the last bits.
cat >near.nn <<'NN'
def near(a: f32[S0, S1, S2], b: f32[S0, S1, S2]) -> f32 { return (a - b).abs().max() }
export near
def near4(a: f32[S0, S1, S2, S3], b: f32[S0, S1, S2, S3]) -> f32 { return (a - b).abs().max() }
export near4
NN
near() {
    "$NNC" run --engine=interp near.nn:$1 --input a=$2 --input b=$3 >near.txt || fail "$2 and $3"
    awk '{ exit !($4 < 1e-5) }' near.txt || { cat near.txt; fail "$2 is not $3"; }
}
near near d/output.npy plain/output.npy
near near4 d/layers.1.conv1.npy p/conv.npy
near near4 d/layers.1.relu@2.npy p/relu.npy
near near d/rnn-1.npy p/last.npy
expect 2 "did you mean '*.conv1'?" "$NNC" run m.nn:net --input x=randn --bind N=2 --dump '*.conv2'
expect 2 "It calls: layers.0.conv1" "$NNC" run m.nn:net --input x=randn --bind N=2 --dump nothing

# Other names are other files.
cat >k.nn <<'NN'
module Net {
    self.d = nn.ModuleDict({"a/b": nn.Linear(2, 2), "a_b": nn.Linear(2, 2), "a%2Fb": nn.Linear(2, 2)})
    def forward(self, x: f32[N, 2]) -> f32[N, 2] { return self.d["a%2Fb"](self.d["a/b"](x) + self.d["a_b"](x)) }
}
export Net() as net
NN
"$NNC" run k.nn:net --input x=randn --bind N=2 --output-dir k --dump '*' >/dev/null
[ "$(cd k && echo *)" = "d.a%252Fb.npy d.a%2Fb.npy d.a_b.npy output.npy" ] || fail "other files: $(cd k && echo *)"

# ---- the first value that is not finite ----
cat >f.nn <<'NN'
module Block {
    self.fc = nn.Linear(3, 3)
    def forward(self, x: f32[N, 3]) -> f32[N, 3] {
        p = F.softmax(self.fc(x), 1)
        return torch.log(x) + p
    }
}
module Net {
    self.block = Block()
    def forward(self, x: f32[N, 3]) -> f32[N, 3] { return self.block(x) }
}
export Net() as net
module Mask {
    def forward(self, x: f32[N, 3]) -> f32[N, 3] {
        keep = torch.tensor([1.0, 1.0, 0.0])
        return F.softmax(x.masked_fill(keep == 0, float("-inf")), 1)
    }
}
export Mask() as mask
train T {
    self.fc = nn.Linear(3, 3)
    self.optimizer = optim.SGD(self.fc.parameters(), lr=0.1)
    def step(self, x: f32[N, 3]) -> (loss: f32) {
        y = self.fc(x)
        loss = torch.sqrt(y * y).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
NN
printf '1,1e38,0\n1,2,3\n' >o.csv
printf '1,2,3\n0,0,0\n' >z.csv
for engine in c interp; do
    run="$NNC run --engine=$engine --check-finite"
    expect 0 "f32[2, 3] =" $run f.nn:net --input x=ones --bind N=2
    expect 1 "net: the first value that is not finite is log of block (f.nn:5): element [0, 2] is -inf" $run f.nn:net --input x=o.csv
    # A mask of -inf is meant.
    expect 0 "f32[2, 3] =" $run f.nn:mask --input x=randn --bind N=2
    train="$NNC train f.nn --engine=$engine --check-finite --no-shuffle -q --epochs 1 --batch 1 --data"
    expect 1 "The first value that is not finite is mul (f.nn:25): element [0, 0] is inf" $train x=o.csv
    # The loss is finite: the derivative of a root at 0 is not.
    sed 's/self.fc = nn.Linear(3, 3)$/self.fc = nn.Linear(3, 3, bias=False)/' f.nn >g.nn
    expect 1 "The first value that is not finite is the derivative's" ${train/f.nn/g.nn} x=z.csv --checkpoint c.st
    grep -q "g.nn:25" output.txt || { cat output.txt; fail "no line"; }
    grep -q "not finite at step 2" output.txt || { cat output.txt; fail "another step"; }
done
# A call that the interpreter cannot make is not one whose values are all finite.
cat >p.nn <<'NN'
def pick(i: i64[N], x: f32[4]) -> f32[N] { return x[i] }
export pick
NN
printf '0\n9\n' >i.csv
expect 1 "pick: --check-finite cannot make the call: i: index must be in [-4, 4): element 1 is 9" \
    "$NNC" run p.nn:pick --input i=i.csv --input x=ones --check-finite
# A call inside of a scan, or of a function with its own derivative, has no output of the entry's.
cat >s.nn <<'NN'
def own(x: f32[...S]) -> f32[...S] { return x * x }
vjp own(x: f32[...S], dy: f32[...S]) -> f32[...S] { return dy * 2 * x }
module Net {
    self.c = nn.Linear(3, 3)
    self.d = nn.ReLU()
    def forward(self, x: f32[T, 3], h: f32[3]) -> f32[3] {
        scan h = h for e in x { h = torch.tanh(self.c(h) + e) }
        return own(self.d(h))
    }
}
export Net() as net
NN
expect 0 "d f32[3] =" "$NNC" run s.nn --input x=ones --input h=ones --bind T=4 --dump '*' --engine=interp
grep -q '^c f32' output.txt && fail "a call inside of a scan is dumped"
expect 2 "--dump c: net calls no such module" "$NNC" run s.nn --input x=ones --input h=ones --bind T=4 --dump c --engine=interp
