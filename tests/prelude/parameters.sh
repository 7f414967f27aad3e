# Parameters and buffers made as in torch: shapes and initial values are those of expressions, names are the members'.
. "$SOURCE_DIR/tests/expect.bash"
cat >net.nn <<'END'
module Tokens(C: int = 4) {
    self.cls = nn.Parameter(torch.zeros(1, 1, C))
    self.pos = nn.Parameter(data=torch.arange(3 * C).reshape(1, 3, C) * 0.5)
    self.fixed = nn.Parameter(torch.ones(C), requires_grad=False)
    self.lengths = nn.ParameterList([nn.Parameter(torch.full((i + 1,), i + 1.0)) for i in range(2)])
    self.named = nn.ParameterDict({"a": nn.Parameter(torch.eye(C))})
    self.register_buffer("mask", torch.tril(torch.ones(3, 3)).view(1, 3, 3))
    self.register_parameter("none", None)
    self.register_parameter("scale", nn.Parameter(torch.full((C,), 2.0)))
    self.twice = nn.Parameter(torch.zeros(7))
    self.twice = nn.Parameter(torch.ones(1))

    def forward(self, x: f32[N, 2, C]) -> f32[N, 3, C] {
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos + self.fixed
        for w in self.lengths { x = x * w.sum() }
        return self.mask @ (x @ self.named["a"]) * self.scale * self.lengths[0] * self.twice
    }
}

export Tokens() as tokens

train Fit {
    self.net = Tokens()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.5)

    def step(self, x: f32[N, 2, 4]) -> (loss: f32, cls: f32[4], fixed: f32[4]) {
        loss = self.net(x).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss, self.net.cls.flatten(), self.net.fixed
    }
}
END
summary=$("$NNC" summary --parameters net.nn:tokens) || failed=1
for line in 'cls *f32\[1, 1, 4\] *\[0.0000, 0.0000' 'pos *f32\[1, 3, 4\] *\[0.0000, 0.5000, 1.0000' 'fixed *f32\[4\] *\[1.0000' \
    'lengths.0 *f32\[1\] *\[1.0000\]' 'lengths.1 *f32\[2\] *\[2.0000, 2.0000\]' 'named.a *f32\[4, 4\] *\[1.0000, 0.0000' \
    'scale *f32\[4\] *\[2.0000' 'twice *f32\[1\] *\[1.0000\]' 'mask *f32\[1, 3, 3\] *\[1.0000, 0.0000, 0.0000, 1.0000.*(buffer)'; do
    printf '%s\n' "$summary" | grep -q "^$line" || { echo "no line $line in"; echo "$summary"; failed=1; }
done
printf '%s\n' "$summary" | grep -q '^none' && failed=1
# The first row is ((0 + 0 .. 1.5) + 1) * 1 * 4 * 2, the second adds (1 + 2 .. 3.5 + 1) * 8.
for engine in interp c; do
    expect 0 '  [88, 100, 112, 124]]]' "$NNC" run net.nn:tokens --engine=$engine --input x=ones --bind N=1
done
# d loss / d cls is 3 rows of 8; fixed has no gradient.
expect 0 'cls f32[4] = [-12, -12, -12, -12]' "$NNC" run net.nn:Fit.step --engine=interp --input x=ones --bind N=1
expect 0 'fixed f32[4] = [1, 1, 1, 1]' "$NNC" run net.nn:Fit.step --engine=interp --input x=ones --bind N=1

refused() { # TEXT BODY EXPRESSION
    printf 'module Net {\n    %s\n\n    def forward(self, x: f32[N, 4]) -> f32[N, 4] { return %s }\n}\n\nexport Net() as net\n' "$2" "$3" >bad.nn
    expect 1 "$1" "$NNC" check bad.nn
}
# A tensor given to a module's header: the body makes a buffer or parameter of it, hands it on, or has one that is a member.
cat >given.nn <<'END'
module Own(mask: Tensor, scale: Tensor | None = None) {
    self.register_buffer("mask", mask / mask.sum())
    self.scale = nn.Parameter(torch.ones(3) if scale is None else scale + 1)
    def forward(self, x: f32[N, 3]) -> f32[N, 3] { return x * self.mask * self.scale }
}

module Net(weight: Tensor) {
    self.register_buffer("shared", torch.ones(3) * 2)
    self.register_buffer("nothing", None)
    self.a = Own(torch.arange(3) * 1.0)
    self.b = Own(mask=torch.ones(3), scale=torch.ones(3) * 2)
    self.c = Own(self.shared)
    self.d = nn.CrossEntropyLoss(weight)
    self.e = nn.NLLLoss(self.shared)
    self.f = nn.NLLLoss(None if self.a is not None else torch.ones(3))
    self.g = nn.NLLLoss(weight if self.a is not None else None)

    def forward(self, x: f32[N, 3], t: i64[N]) -> (y: f32[N, 3], first: f32, second: f32) {
        assert self.nothing is None
        return self.c(self.b(self.a(x))), self.d(x, t), self.e(x, t) + nn.NLLLoss(self.shared * 2)(x, t)
    }
}

export Net(torch.full((3,), 4.0)) as given
END
summary=$("$NNC" summary --parameters given.nn) || failed=1
for line in 'shared *f32\[3\] *\[2.0000' 'a.mask *f32\[3\] *\[0.0000, 0.3333, 0.6667\] *(buffer)' 'a.scale *f32\[3\] *\[1.0000' \
    'b.mask *f32\[3\] *\[0.3333' 'b.scale *f32\[3\] *\[3.0000' 'c.mask *f32\[3\] *\[0.3333' 'd.weight *f32\[3\] *\[4.0000.*(buffer)' 'g.weight *f32\[3\] *\[4.0000'; do
    printf '%s\n' "$summary" | grep -q "^$line" || { echo "no line $line in"; echo "$summary"; failed=1; }
done
printf '%s\n' "$summary" | grep -q '^[ef].weight' && failed=1
for engine in interp c; do
    for line in '[[0, 0.111111, 0.222222]]' 'first f32[] = 1.0986' 'second f32[] = -2'; do
        expect 0 "$line" "$NNC" run given.nn --engine=$engine --input x=ones --input t=zeros --bind N=1
    done
done
# persistent=False: it has its value, and files of weights do not have it.
cat >transient.nn <<'END'
module Net {
    self.w = nn.Parameter(torch.ones(3))
    self.register_buffer("table", torch.arange(3) * 2.0, persistent=False)
    def forward(self, x: f32[N, 3]) -> f32[N, 3] { return x * self.w + self.table }
}
export Net() as net
END
for engine in interp c; do
    expect 0 '[[1, 3, 5]]' "$NNC" run transient.nn --engine=$engine --input x=ones --bind N=1 --save transient.st
    expect 0 '[[1, 3, 5]]' "$NNC" run transient.nn --engine=$engine --input x=ones --bind N=1 --weights transient.st
    grep -q '"w"' transient.st && ! grep -q '"table"' transient.st || { echo "weights of transient.nn with $engine"; failed=1; }
done
"$NNC" summary --parameters transient.nn | grep -q '^table .*[(]buffer, not saved[)]' || { echo "summary of transient.nn"; failed=1; }
# So does a copy of its module.
cat >averaged.nn <<'END'
from "transient.nn" import Net
train Fit {
    self.net = Net()
    self.average = optim.swa_utils.AveragedModel(self.net)
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, x: f32[N, 3]) -> (loss: f32) {
        loss = self.net(x).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update_parameters(self.net)
        return loss
    }
}
END
[ "$("$NNC" summary --parameters averaged.nn | grep -c 'table .*[(]buffer, not saved[)]')" = 2 ] || { "$NNC" summary --parameters averaged.nn; failed=1; }
"$NNC" transient.nn --emit=ir -o transient.ir && "$NNC" transient.ir --emit=ir -o again.ir || failed=1
for text in transient.ir again.ir; do grep -q "cell table: f32.3. buffer unsaved$" $text || { cat $text; failed=1; }; done

cat >bad.nn <<'END'
module Bad(mask: Tensor) {
    def forward(self, x: f32[N, 3]) -> f32[N, 3] { return x * mask }
}

export Bad(torch.ones(3)) as bad
END
expect 1 'self.register_buffer("name", name)' "$NNC" check bad.nn
printf 'module Net {\n    self.loss = nn.NLLLoss(3)\n\n    def forward(self, x: f32[N]) -> f32[N] { return x }\n}\n\nexport Net() as net\n' >bad.nn
expect 1 'expected a tensor, found an int' "$NNC" check bad.nn

refused 'a parameter that is no member of a module' 'w = nn.Parameter(torch.ones(4))' 'x * w'
refused 'made inside a tensor function' 'self.a = 1' 'x * nn.Parameter(torch.ones(4))'
refused 'f32[4, 3] and f32[4] do not multiply' 'self.w = nn.Parameter(torch.ones(4, 3) @ torch.ones(4))' 'x'
refused 'self.register_buffer("name", ...)' 'mask = torch.ones(4) * 2' 'x'
# A tensor that the body makes is named where it is made, and nothing else of it.
cat >schedule.nn <<'END'
def schedule(T: int) { return torch.linspace(0.1, 0.2, T) }
module Net(T: int = 5) {
    betas = schedule(T)
    self.register_buffer("betas", betas)
    self.register_buffer("kept", schedule(T))
    def forward(self, x: f32[N, T]) -> f32[N, T] { return x * self.betas + self.kept }
}
export Net() as net
END
expect 1 'error[NN0606]: there is no tensor computation here' "$NNC" check schedule.nn
expect 1 ' 3 |     betas = schedule(T)' "$NNC" check schedule.nn
[ "$("$NNC" check schedule.nn 2>&1 | grep -c 'error\[')" = 1 ] || { "$NNC" check schedule.nn; failed=1; }
refused 'register_buffer takes a name, a tensor or None, and a bool' 'self.register_buffer("b", torch.ones(4), persistent=2)' 'x'
refused 'register_parameter takes a name and a parameter or None' 'self.register_parameter("b", 3)' 'x'
refused 'the argument `data` is missing' 'self.w = nn.Parameter()' 'x'
exit $failed
