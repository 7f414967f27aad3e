# nnc train: learns, resumes to the same bits at any number of threads, survives signals, refuses nonsense.
. "$SOURCE_DIR/tests/runtime/common.bash"
model=$here/models/small.nn
make_data train 1000 1
make_data test 200 2
data="--data x=train/x.npy --data label=train/label.npy --test x=test/x.npy --test label=test/label.npy"
common="$data --epochs 6 --batch 48 --seed 5 --schedule cosine --warmup 10"

"$NNC" train $model $common --threads 1 --save full.safetensors --log log.jsonl >out.txt 2>err.txt || { cat err.txt; fail "training"; }
grep -q "test accuracy" out.txt || fail "no metrics"
[ "$(wc -l <log.jsonl)" = 6 ] || fail "the log has no line for each epoch"
number='-\?[0-9.]\+\(e-[0-9]*\)\?'
loss="{\"loss\":$number"
line="{\"epoch\":[1-6],\"step\":[0-9]*,\"train\":$loss},\"test\":$loss,\"accuracy\":$number}"
[ "$(grep -c "^$line,\"lr\":{\"optimizer.lr\":$number},\"seconds\":$number}\$" log.jsonl)" = 6 ] || { cat log.jsonl; fail "lines of the log"; }
accuracy=$(tail -1 log.jsonl | sed 's/.*"accuracy":\([0-9.]*\).*/\1/')
awk "BEGIN { exit !($accuracy > 0.85) }" || fail "accuracy $accuracy"

# 1000 samples are 20 batches of 48 and one of 40; 47 and 84 are in the middle and at the end of an epoch.
for threads in 1 2 3; do
    "$NNC" train $model $common --threads $threads --save whole.safetensors >/dev/null 2>&1
    cmp full.safetensors whole.safetensors || fail "$threads threads give other bits"
    for stop in 1 47 84; do
        "$NNC" train $model $common --threads $threads --stop-after $stop --checkpoint c.safetensors >/dev/null 2>&1
        "$NNC" train $model $common --threads $threads --resume c.safetensors --save resumed.safetensors \
            --log resumed.jsonl >/dev/null 2>&1
        cmp full.safetensors resumed.safetensors || fail "resumed after step $stop with $threads threads"
        [ "$(wc -l <resumed.jsonl)" = 6 ] || fail "the resumed log is not whole"
    done
done

# Signals: saved, and the run that continues ends in the same bits.
for signal in INT TERM; do
    "$NNC" train $model $data --epochs 100000 --batch 48 --seed 5 --checkpoint s.safetensors >/dev/null 2>&1 &
    child=$!
    sleep 1.5
    kill -$signal $child
    status=0
    wait $child || status=$?
    [ $status = 130 ] || [ $status = 143 ] || fail "status $status after SIG$signal"
    [ -s s.safetensors ] || fail "nothing saved after SIG$signal"
    expect 0 "weights in" "$NNC" train $model $data --epochs 1 --batch 48 --seed 5 --resume s.safetensors --save s.w
done

# Mistakes.
expect 2 "needs 'label'" "$NNC" train $model --data x=train/x.npy
expect 2 "its inputs are" "$NNC" train $model --data images=train/x.npy
expect 3 "has 200" "$NNC" train $model --data x=train/x.npy --data label=test/label.npy
expect 3 "input 'x'" "$NNC" train $model --data x=train/label.npy --data label=train/label.npy
expect 3 "absent.npy" "$NNC" train $model --data x=absent.npy --data label=train/label.npy
expect 2 "no such run-time learning rate" "$NNC" train $model $common --lr nothing=1
expect 2 "--lr wants a number" "$NNC" train $model $common --lr nan
expect 2 "--lr wants a number" "$NNC" train $model $common --lr optimizer=-inf
expect 2 "not 'rate=1'" "$NNC" train $model $common --arg rate=1
expect 2 "not 'rate'" "$NNC" train $model $common --arg rate
expect 2 "has no dim M" "$NNC" train $model $common --bind M=4
expect 2 "--schedule" "$NNC" train $model $data --schedule upwards
cp c.safetensors good.safetensors
expect 1 "not finite" "$NNC" train $model $data --epochs 2 --lr 1e30 --checkpoint good.safetensors --save full2.safetensors
cmp c.safetensors good.safetensors || fail "a good checkpoint was replaced"
[ ! -e full2.safetensors ] || fail "weights that are not finite were saved"
printf '\x55' | dd of=good.safetensors bs=1 seek=$(($(stat -c %s good.safetensors) - 9)) conv=notrunc 2>/dev/null
expect 3 "damaged" "$NNC" train $model $common --resume good.safetensors
# What could not be written at the end is told before the first step.
for option in save checkpoint log; do
    expect 3 'nofolder/x cannot be written: No such file or directory' "$NNC" train $model $common --$option nofolder/x
    ! "$NNC" train $model $common --$option nofolder/x 2>&1 | grep -q 'steps in' || fail "--$option nofolder/x is told after the training"
done
