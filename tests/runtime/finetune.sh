# Fine-tuning: weights of another head, frozen layers, an average of weights that is saved and evaluated.
. "$SOURCE_DIR/tests/runtime/common.bash"
make_data d 200 1
cat >m.nn <<'NN'
module Body {
    self.fc1 = nn.Linear(8, 16)
    self.fc2 = nn.Linear(16, 16)
    def forward(self, x: f32[N, 8]) -> f32[N, 16] { return F.relu(self.fc2(F.relu(self.fc1(x)))) }
}
module Net(classes: int = 2) {
    self.body = Body()
    self.head = nn.Linear(16, classes)
    def forward(self, x: f32[N, 8]) -> f32[N, classes] { return self.head(self.body(x)) }
}
export Net() as net
train Pretrain {
    self.net = Net(2)
    self.optimizer = optim.Adam(self.net.parameters(), lr=1e-2)
    def step(self, x: f32[N, 8], label: i64[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(x), label)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
train Tune {
    self.net = Net(3)
    self.net.body.requires_grad_(False)
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, x: f32[N, 8], label: i64[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(x), label)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
train Average {
    self.net = Net(2)
    self.average = optim.swa_utils.AveragedModel(self.net, avg_fn=optim.swa_utils.get_ema_avg_fn(0.9))
    self.optimizer = optim.Adam(self.net.parameters(), lr=1e-2)
    def step(self, x: f32[N, 8], label: i64[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(x), label)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update_parameters(self.net)
        return loss
    }
    def eval(self, x: f32[N, 8], label: i64[N]) -> (loss: f32) { return F.cross_entropy(self.average(x), label) }
}
NN
data="--data x=d/x.npy --data label=d/label.npy --batch 50 --seed 3 -q --engine=interp"
train() { "$NNC" train "$@" $data >/dev/null 2>err.txt || { cat err.txt; fail "$*"; }; }
# tensor FILE KEY: the bytes of one tensor, as text.
tensor() {
    python3 - "$1" "$2" <<'PY'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
begin, end = json.loads(data[8:8 + n])[sys.argv[2]]["data_offsets"]
print(data[8 + n + begin:8 + n + end].hex())
PY
}
same() { [ "$(tensor "$1" "$2")" = "$(tensor "$3" "$4")" ]; }
train m.nn:Pretrain --epochs 2 --save pre.st
# Another number of classes: the head is left as it was drawn, and the body is the file's.
expect 3 "net.head.weight is f32[3, 16]" "$NNC" train m.nn:Tune $data --init-weights pre.st
expect 3 "net.head" "$NNC" train m.nn:Tune $data --init-weights pre.st --allow-missing 'net.body.*'
if command -v python3 >/dev/null; then
    python3 - <<'PY'
import json, struct
data = open("pre.st", "rb").read()
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + n])
body, out = b"", {}
for key, t in sorted(header.items()):
    if key.startswith("net.body.") or key == "net.head.weight":
        part = data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
        name = key.replace("net.head", "net.old_head")
        out[name] = dict(t, data_offsets=[len(body), len(body) + len(part)])
        body += part
text = json.dumps(out).encode()
open("body.st", "wb").write(struct.pack("<Q", len(text)) + text + body)
PY
    expect 3 "net.head.weight" "$NNC" train m.nn:Tune $data --init-weights body.st --allow-extra '*old_head*'
    expect 3 "net.old_head.weight" "$NNC" train m.nn:Tune $data --init-weights body.st --allow-missing 'net.head.*'
    train m.nn:Tune --epochs 2 --init-weights body.st --allow-missing 'net.head.*' --allow-extra '*old_head*' --save tuned.st
    train m.nn:Tune --epochs 1 --init-weights body.st --allow-missing 'net.head.*' --allow-extra '*old_head*' --save once.st
    for key in fc1.weight fc1.bias fc2.weight fc2.bias; do
        same pre.st net.body.$key tuned.st net.body.$key || fail "the frozen $key has other bits"
    done
    same tuned.st net.head.weight once.st net.head.weight && fail "the head does not learn"
    # The average is not the model; each is taken by its prefix.
    train m.nn:Average --epochs 2 --save a.st
    same a.st net.head.weight a.st average.module.head.weight && fail "the average is the last model"
    expect 3 "say which with FILE:PREFIX" "$NNC" run --engine=interp m.nn:net --weights a.st --input x=d/x.npy
    expect 3 "after taking 'other.' off" "$NNC" run --engine=interp m.nn:net --weights a.st:other --input x=d/x.npy
    for prefix in net average.module; do
        "$NNC" run --engine=interp m.nn:net --weights a.st:$prefix --input x=d/x.npy --save $prefix.st >/dev/null
        same a.st $prefix.head.weight $prefix.st head.weight || fail "$prefix was not loaded"
    done
fi
# Nothing of a frozen layer's gradient is computed: no product with its input, no cell.
"$NNC" m.nn --entry Tune --emit=ir -o tune.ir
"$NNC" m.nn --entry Pretrain --emit=ir -o pre.ir
! grep -q 'cell.*body.*\.grad' tune.ir || fail "gradients of frozen parameters"
frozen=$(grep -c 'contract' tune.ir) free=$(grep -c 'contract' pre.ir)
[ "$frozen" -lt "$free" ] && [ "$frozen" = 4 ] || fail "$frozen products with a frozen body, $free without"
# A run that stops goes on to the same average.
train m.nn:Average --epochs 2 --save whole.st
train m.nn:Average --epochs 2 --stop-after 3 --checkpoint c.st
train m.nn:Average --epochs 2 --resume c.st --save part.st
cmp whole.st part.st || fail "the average after a resume"
# A copy begins as its original.
"$NNC" run --engine=interp m.nn:Average.eval --input x=d/x.npy --input label=d/label.npy --seed 4 >average.txt
sed 's/self.average(x)/self.net(x)/' m.nn >n.nn
"$NNC" run --engine=interp n.nn:Average.eval --input x=d/x.npy --input label=d/label.npy --seed 4 >net.txt
cmp average.txt net.txt || fail "the copy begins as something else"
