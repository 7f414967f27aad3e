# What a command writes replaces nothing that it reads, and no file is written twice: refused before anything is done.
. "$SOURCE_DIR/tests/runtime/common.bash"
cat >net.nn <<'END'
module Net {
    self.output = nn.Linear(3, 4)
    self.last = nn.Linear(4, 4)
    def forward(self, x: f32[N, 3]) -> f32[N, 4] { return self.last(self.output(x)) }
}
export Net() as net
train T {
    self.net = Net()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, x: f32[N, 3]) -> (loss: f32) {
        loss = self.net(x).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
END
printf 'from "net.nn" import Net\nexport Net() as imported\n' >imports.nn
printf 'def same(x: f32[N, 3]) -> (x2: f32[N, 3]) { return x }\nexport same\n' >same.nn
ln -s net.nn link.c
touch labels.txt
"$NNC" run same.nn --input x=rand --bind N=4 --output-dir . >/dev/null
"$NNC" run net.nn:net --input x=x2.npy --save w.st --engine=interp >/dev/null
cp x2.npy kept.npy
cp net.nn kept.nn
cp w.st kept.st
ls >before.txt
refuse() { # refuse WORDS ARGUMENTS...
    local words=$1
    shift
    expect 2 "$words" "$NNC" "$@"
    cmp net.nn kept.nn && cmp x2.npy kept.npy && cmp w.st kept.st || fail "a file was lost: $*"
    rm output.txt
    ls | diff before.txt - || fail "something was written: $*"
}
data="--data x=x2.npy --engine=interp --epochs 1"
refuse "--output net.nn would replace the model" net.nn -o net.nn
refuse "--output ../${PWD##*/}/net.nn would replace the model" net.nn:net --emit=ir -o "../${PWD##*/}/net.nn"
refuse "--output link.c would replace the model" net.nn -o link.c
refuse "--output net.nn would replace what the model imports" imports.nn -o net.nn
refuse "--output net.nn would replace the model" graph net.nn:net -o net.nn
refuse "--output w.st would replace the file of --weights" imports.nn --emit=exe --weights w.st -o w.st
refuse "--output labels.txt would replace the file of --labels" imports.nn --emit=exe --labels labels.txt -o labels.txt
refuse "--output and a file that is made would both be model.h" net.nn -o model.h
refuse "--output and a file that is made would both be model.c" net.nn --emit=ir,c -o model.c
refuse "--save x2.npy would replace the file of --input" run net.nn:net --input x=x2.npy --save x2.npy
refuse "--save ./x2.npy would replace the file of --input" run net.nn:net --input x2.npy --save ./x2.npy
refuse "--save and --checkpoint would both be a.st" run net.nn:net --input x=rand --bind N=2 --save a.st --checkpoint ./a.st
refuse "--checkpoint w.st would replace the file of --weights" run net.nn:net --input x=x2.npy --weights w.st --checkpoint w.st
refuse "a file that is made ./x2.npy would replace the file of --input" run same.nn --engine=interp --input x=x2.npy --output-dir .
refuse "--trace net.nn would replace the model" bench net.nn:net --bind N=2 --trace net.nn
refuse "--log net.nn would replace the model" train net.nn $data --log net.nn
refuse "--save x2.npy would replace the file of --data" train net.nn $data --save x2.npy
refuse "--save and --log would both be a.st" train net.nn $data --save a.st --log a.st
# A state may go on where it was; devices hold nothing.
expect 0 "output" "$NNC" run net.nn:net --input x=x2.npy --engine=interp --weights w.st --save w.st
expect 0 "loss" "$NNC" train net.nn $data --checkpoint c.st
expect 0 "loss" "$NNC" train net.nn --data x=x2.npy --engine=interp --epochs 2 --checkpoint c.st --resume c.st --log /dev/null --save /dev/null
# Each kind of text has its place: nothing that was asked for is written over.
"$NNC" net.nn --emit=obj,header -o object.o
cmp -s object.o object.h && fail "the header is where the object was"
[ "$(head -c 4 object.o | tail -c 3)" = ELF ] || fail "no object"
"$NNC" net.nn:net --emit=ast,ir -o both.txt
grep -q '^module Net' both.txt && grep -q '^root net' both.txt || fail "one text replaced the other"
expect 0 "output@1 f32[4, 4]" "$NNC" run net.nn:net --input x=x2.npy --engine=interp --dump '*' --output-dir dumped
for name in output output@1 last; do [ -s "dumped/$name.npy" ] || fail "no $name.npy"; done
cmp -s dumped/output.npy dumped/last.npy || fail "the result is not the last layer's"
