# What is not finite stops training: the step and the tensor are named, no good file is replaced, and --check-finite
# takes the step back.  NaN and infinity come from the data, a gradient from a square root at 0.
. "$SOURCE_DIR/tests/faults/common.bash"
python=$(command -v python3) || { echo "no python3"; exit 77; }
make_data good 40 1
"$python" - <<'END'
# Sample 21 of 40 holds a NaN, an infinity, or the 0 at which the derivative of sqrt is infinite.
import struct
def change(name, value):
    data = bytearray(open("good/x.npy", "rb").read())
    start = len(data) - 40 * 8 * 4
    data[start + 20 * 32: start + 20 * 32 + 4] = struct.pack("<f", value)
    open(name, "wb").write(data)
change("nan.npy", float("nan"))
change("inf.npy", float("-inf"))
data = bytearray(open("good/x.npy", "rb").read())
start = len(data) - 40 * 8 * 4
for i in range(40):
    struct.pack_into("<f", data, start + i * 32, 0.0 if i == 20 else 1.0)
open("zero.npy", "wb").write(data)
END
cat >root.nn <<'END'
module Net {
    self.fc = nn.Linear(8, 2)
    param scale: f32[8] = init.ones()
    def forward(self, x: f32[N, 8]) -> f32[N, 2] { return self.fc(torch.sqrt(self.scale * x)) }
}
train Learn {
    self.net = Net()
    self.loss_fn = nn.CrossEntropyLoss()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.01)
    def step(self, x: f32[N, 8], label: i64[N]) -> (loss: f32) {
        loss = self.loss_fn(self.net(x.abs()), label)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
END
# stops MODEL DATA WORDS ARGUMENTS...: batches of 8 in the file's order, so that step 3 is the bad one.
stops() {
    local file=$1 data=$2 words=$3 status=0
    shift 3
    "$NNC" train "$file" --data "x=$data" --data label=good/label.npy --batch 8 --no-shuffle --epochs 3 \
        --seed 3 "$@" >out.txt 2>&1 || status=$?
    [ $status = 1 ] || { cat out.txt; fail "status $status with $data $*"; }
    grep -q "$words" out.txt || { cat out.txt; fail "no '$words' with $data $*"; }
}
train_two() { "$NNC" train "$1" --data "x=$2" --data label=good/label.npy --batch 8 --no-shuffle --epochs 3 \
    --seed 3 --stop-after 2 --checkpoint "$3" --save "$3.weights" >/dev/null 2>&1; }
same_state() { # the same weights and optimizer state; the times of day differ
    "$NNC" train "$1" --data x=good/x.npy --data label=good/label.npy --batch 8 --no-shuffle --epochs 1 --seed 3 \
        --resume "$2" --save "$2.next" >/dev/null 2>&1
}
for engine in c interp; do
    for data in nan.npy inf.npy; do
        train_two "$model" $data two.safetensors
        cp two.safetensors kept.safetensors
        stops "$model" $data "loss is not finite at step 3 (epoch 1)" --engine $engine \
            --checkpoint kept.safetensors --save new.weights
        cmp two.safetensors kept.safetensors || fail "a good checkpoint was replaced"
        [ ! -e new.weights ] || fail "weights were saved"
        stops "$model" $data "loss is not finite at step 3 (epoch 1)" --engine $engine --check-finite \
            --checkpoint checked.safetensors
        grep -q "taken back" out.txt || fail "not taken back"
        if [ $engine = c ]; then
            same_state "$model" two.safetensors
            same_state "$model" checked.safetensors
            cmp two.safetensors.next checked.safetensors.next || fail "the step was not taken back whole"
        fi
    done
    # The loss is finite, the gradient is not.
    stops root.nn zero.npy "scale.*is not finite at step 3" --engine $engine --check-finite --checkpoint root.safetensors
done
# In the test data: after the epoch's last step, before anything is saved.
stops "$model" good/x.npy "test loss is not finite at step 5" --test x=nan.npy --test label=good/label.npy \
    --checkpoint absent.safetensors --save absent.weights
[ ! -e absent.safetensors ] && [ ! -e absent.weights ] || fail "a state with a test loss that is not finite was saved"
echo "finite: all stops as stated"
