# nnc check --grad: a right vjp, a wrong one, one that is meant to differ; gradients of entries.
. "$SOURCE_DIR/tests/runtime/common.bash"
cat >m.nn <<'NN'
def squareplus(x: f32[...S], b: float = 4.0) -> f32[...S] { return 0.5 * (x + sqrt(x*x + b)) }
vjp squareplus(x: f32[...S], b: float, dy: f32[...S]) -> f32[...S] {
    return dy * 0.5 * (1 + x / sqrt(x*x + b))
}
def root(x: f32[...S]) -> (y: f32[...S], z: f32[...S]) { return sqrt(x), log(x) }
vjp root(x: f32[...S], dy: f32[...S], dz: f32[...S]) -> f32[...S] { return 0.5 * dy / sqrt(x) + dz / x }
module Right {
    self.fc = nn.Linear(3, 4)
    def forward(self, x: f32[N, 3], i: i64[N]) -> f32[N, 4] where N % 4 == 0 {
        return squareplus(self.fc(x)) + F.embedding(i, self.fc.weight @ self.fc.weight.T)
    }
}
export Right() as right
def roots(x: f32[N]) -> f32[N] {
    y, z = root(x)
    return y * z
}
export roots
train T {
    self.net = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(0.3), nn.Tanh(), nn.Linear(5, 4))
    self.opt = optim.Adam(self.net.parameters())
    def step(self, x: f32[N, 3], y: i64[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(x), y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss
    }
}
NN
cat >w.nn <<'NN'
def wrong(x: f32[...S], y: f32[...S]) -> f32[...S] { return x * y * y }
vjp wrong(x: f32[...S], y: f32[...S], dy: f32[...S]) -> (f32[...S], f32[...S]) { return dy * y * y, dy * x * y }
def hard(x: f32[...S]) -> f32[...S] { return torch.sign(x) }
vjp hard(x: f32[...S], dy: f32[...S]) -> f32[...S] { return dy }
def unit(x: f32[...S]) -> f32[...S] { return 3 * x }
vjp unit(x: f32[...S], dy: f32[...S]) -> f32[...S] { return 0 * x + 3 }
def a(x: f32[N, 3]) -> f32[N, 3] { return wrong(x, x + 1) }
def b(x: f32[N, 3]) -> f32[N, 3] { return hard(x) }
def c(x: f32[N, 3]) -> f32[N, 3] { return unit(x) }
def d(x: f32[N, 3]) -> f32[N, 3] { return x * x.detach() }
export a
export b
export c
export d
NN
expect 0 "gradient of T.step: right in" "$NNC" check --grad m.nn
for line in "vjp of squareplus: right" "gradient of right: right" "vjp of root: right" "gradient of roots: right"; do
    grep -q "$line" output.txt || { cat output.txt; fail "no '$line'"; }
done
expect 0 "vjp of root: right in" "$NNC" check --grad m.nn:root
[ "$(wc -l <output.txt)" = 1 ] || { cat output.txt; fail "more than one function"; }
expect 0 "gradient of T.step" "$NNC" check --grad m.nn:T.step
expect 2 "has no entry \`nothing\`" "$NNC" check --grad m.nn:nothing
expect 1 "w.nn:7: the vjp of wrong is wrong in y: element [" "$NNC" check --grad w.nn
# The upstream gradient is forgotten; a straight-through vjp; a detached factor.
for what in "w.nn:9: the vjp of unit is wrong in x" "w.nn:8: the vjp of hard is wrong in x" "w.nn:14: the gradient of d is wrong in x"; do
    grep -q "$what" output.txt || { cat output.txt; fail "no '$what'"; }
done
! grep -q "vjp of wrong is wrong in x" output.txt || fail "x of wrong is right"
expect 1 "is wrong in y" "$NNC" check --grad w.nn:wrong
expect 0 "gradient of b: not compared, it calls hard" "$NNC" check --grad w.nn --except wrong --except hard --except unit --except d
echo 'export f' >e.nn
expect 1 "NN0301" "$NNC" check --grad e.nn
# An --except that means nothing; nothing to test.
expect 2 "did you mean 'hard'?" "$NNC" check --grad w.nn --except hart
expect 2 "--except other: w.nn has no such entry, and calls no such function" "$NNC" check --grad w.nn --except other
expect 0 "vjp of hard: not compared" "$NNC" check --grad w.nn:hard --except hard --except d
printf 'def next(x: i64[N]) -> i64[N] { return x + 1 }\nexport next\n' >i.nn
expect 0 "gradient of next: nothing to test" "$NNC" check --grad i.nn
grep -q "i.nn: no derivative was tested" output.txt || { cat output.txt; fail "no note"; }
