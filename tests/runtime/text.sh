# nnc train on a text: batches are windows of as many contiguous streams, in order; what is left over is not read.
. "$SOURCE_DIR/tests/runtime/common.bash"
model=$here/models/order.nn
printf abcdefghijklmnopqrstuvwxyz0123 >f.txt
common="--data text=f.txt --data next=f.txt:+1 --bind T=3 --bind N=2 --batch 2 --lr 1e-6"

# 29 characters have one after them: 9 windows of 3, two streams of 4; a..l and m..x, by their first characters.
seen() {
    "$NNC" run $model:Order.show --resume c.safetensors --bind N=2 --input x=zeros | tr -d ' \n'
}
want='seeni64[4,2]=[[97,109],[100,112],[103,115],[106,118]]afteri64[4,2]=[[100,112],[103,115],[106,118],[109,121]]'
for epochs in 1 2; do
    expect 0 "$((4 * epochs)) steps" "$NNC" train $model $common --epochs $epochs --checkpoint c.safetensors
    [ "$(seen)" = "$want" ] || { seen; fail "the order of windows in epoch $epochs"; }
done
# Stopped in the middle of an epoch, the streams go on where they were.
expect 0 "" "$NNC" train $model $common --epochs 2 --stop-after 6 --checkpoint c.safetensors
expect 0 "" "$NNC" train $model $common --epochs 2 --resume c.safetensors --checkpoint c.safetensors
[ "$(seen)" = "$want" ] || { seen; fail "the order of windows after --resume"; }

# --split holds back the last window of each stream: j..l and v..x.
sed 's/^    def show/    def eval(self, text: u8[T, N], next: u8[T, N]) -> (loss: f32, first: f32, last: f32) {\n        return self.scale(text.float().mean().view(1, 1)).sum(), text[0, 0].float(), text[2, 1].float()\n    }\n&/' $model >split.nn
expect 0 "3 steps" "$NNC" train split.nn $common --epochs 1 --split 0.25 --checkpoint c.safetensors --log s.jsonl
grep -q '"first":106,"last":120' s.jsonl || { cat s.jsonl; fail "other windows are held back"; }
"$NNC" run split.nn:Order.show --resume c.safetensors --bind N=2 --input x=zeros | tr -d ' \n' |
    grep -qF 'seeni64[4,2]=[[0,0],[97,109],[100,112],[103,115]]' || fail "the rest of the streams is not in order"
expect 3 "leaves a part without any" "$NNC" train split.nn $common --epochs 1 --split 0.01

# Fewer windows than streams: each is a stream; no window is an error.
printf abcdefgh >short.txt
expect 0 "1 steps" "$NNC" train $model --data text=short.txt --data next=short.txt:+1 --bind T=3 --bind N=2 --batch 5 --epochs 1
printf abc >none.txt
expect 3 "no samples" "$NNC" train $model --data text=none.txt --data next=none.txt:+1 --bind T=3 --bind N=2 --epochs 1
expect 3 "give the length of a sample with --bind T=NUMBER" "$NNC" train $model --data text=f.txt --data next=f.txt:+1 --bind N=2
