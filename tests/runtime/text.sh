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

# Fewer windows than streams: each is a stream; no window is an error.
printf abcdefgh >short.txt
expect 0 "1 steps" "$NNC" train $model --data text=short.txt --data next=short.txt:+1 --bind T=3 --bind N=2 --batch 5 --epochs 1
printf abc >none.txt
expect 3 "no samples" "$NNC" train $model --data text=none.txt --data next=none.txt:+1 --bind T=3 --bind N=2 --epochs 1
expect 3 "give the length of a sample with --bind T=NUMBER" "$NNC" train $model --data text=f.txt --data next=f.txt:+1 --bind N=2
