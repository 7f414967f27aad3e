# Resuming is bit-exact: the weights after a stop (or kill -9) at any step are those of the run that was never stopped,
# at any number of threads.  Arguments: how many steps to stop at (10), the steps of the run (60).
. "$SOURCE_DIR/tests/faults/common.bash"
make_data data 200 1
stops=${1:-10} steps=${2:-60}
# 200 samples in batches of 32 are 7 steps an epoch: most stops lie in the middle of one.
epochs=$(((steps + 6) / 7))
total=$((epochs * 7))
options="--data x=data/x.npy --data label=data/label.npy --test x=data/x.npy --test label=data/label.npy --batch 32
    --seed 9 --warmup 5 --quiet"
train() { "$NNC" train "$model" $options --schedule cosine --epochs $epochs "$@"; }
endless() { "$NNC" train "$model" $options --epochs 100000 "$@"; }
train --threads 1 --save whole.safetensors >/dev/null
killed=0
for i in $(seq 1 "$stops"); do
    stop=$((i * (total - 1) / stops))
    [ $stop -ge 1 ] || stop=1
    rm -f c.safetensors resumed.safetensors
    if [ $((i % 2)) = 0 ]; then
        # kill -9 some time after the step, with a checkpoint after every one
        (exec "$NNC" train "$model" $options --epochs 100000 --threads $((i % 3 + 1)) --checkpoint k.safetensors \
            --checkpoint-every 1) >/dev/null 2>&1 &
        child=$!
        for wait in $(seq 200); do [ -e k.safetensors ] || sleep 0.05; done
        sleep 0.$(printf %03d $((i * 29 % 300 + 20)))
        kill -9 $child
        wait $child 2>/dev/null || true
        if [ -e k.safetensors ]; then
            at=$(grep -ao '"user.step":"[0-9]*"' k.safetensors | grep -o '[0-9]*')
            # The state after step `at`: one more step ends in the bits of a run of at + 1 steps.
            endless --resume k.safetensors --stop-after 1 --save one.safetensors >/dev/null
            endless --stop-after $((at + 1)) --save two.safetensors >/dev/null
            cmp one.safetensors two.safetensors || fail "killed after step $at: other bits"
            killed=$((killed + 1))
            rm k.safetensors
        fi
    fi
    train --threads $((i % 3 + 1)) --stop-after $stop --checkpoint c.safetensors >/dev/null
    train --threads $(((i + 1) % 3 + 1)) --resume c.safetensors --save resumed.safetensors >/dev/null
    cmp whole.safetensors resumed.safetensors || fail "stopped after step $stop of $total: other bits"
done
echo "resume: $stops stops of a run of $total steps, $killed of kill -9, all bit-exact at 1, 2 and 3 threads"
