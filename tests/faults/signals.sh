# SIGINT and SIGTERM at any moment of train, run and compile: status 130 or 143 (or 0 when all was done), the
# state saved within one step where there is a step, no half file, nothing in the cache but whole models.
# Argument: how many signals (50).
. "$SOURCE_DIR/tests/faults/common.bash"
make_copier
make_data data 300 1
count=${1:-50}
# A C compiler that takes its time, so that signals find it at work.
cat >slow <<END
#!/bin/sh
[ "\$#" = 1 ] && exec "$work/copier" "\$@"
sleep 0.05
exec "$work/copier" "\$@"
END
chmod +x slow
data="--data x=data/x.npy --data label=data/label.npy --test x=data/x.npy --test label=data/label.npy"
train() { "$NNC" train "$model" $data --batch 16 --seed 5 --quiet --cc "$work/slow" "$@"; }
train --epochs 1 --save reference.safetensors >/dev/null 2>&1
saved=0 early=0 finished=0
for i in $(seq 1 "$count"); do
    signal=$([ $((i % 2)) = 0 ] && echo INT || echo TERM)
    expected=$([ $signal = INT ] && echo 130 || echo 143)
    delay=0.$(printf %03d $(((i * 37) % 200)))
    rm -rf c.safetensors w.safetensors log.jsonl out model.c model.h
    [ $((i % 3)) = 0 ] && rm -rf cache/nnc # the compiler is at work, too
    case $((i % 5)) in
    0) # compile, again and again over the old files
        (trap - INT; exec bash -c 'trap "exit 130" INT; trap "exit 143" TERM
            while :; do "$0" "$1" -o model.c || exit $?; "$0" "$1" --emit=lib -o model.a --cc "$2" || exit $?; done' \
            "$NNC" "$model" "$work/slow") >out.txt 2>&1 &
        ;;
    1) # run
        (trap - INT; exec "$NNC" run "$model:classifier" --input x=rand --bind N=500 --repeat 100000 --save w.safetensors \
            --cc "$work/slow") >out.txt 2>&1 &
        ;;
    *) # train: epochs of a few ms, so that steps, eval and saving all meet signals
        (trap - INT; exec "$NNC" train "$model" $data --batch 16 --seed 5 --quiet --epochs 100000 --checkpoint c.safetensors \
            --checkpoint-every 3 --save w.safetensors --log log.jsonl --cc "$work/slow") >out.txt 2>&1 &
        ;;
    esac
    child=$!
    # Three of four runs of train get their signal once they are in their steps, the others at any time from the start.
    if [ $((i % 5)) -ge 2 ] && [ $((i % 4)) -ge 1 ]; then
        for wait in $(seq 200); do [ -e c.safetensors ] || sleep 0.05; done
    fi
    sleep "$delay"
    # The compile loop is a shell with a child: the signal is for the one that works.
    target=$child
    if [ $((i % 5)) = 0 ]; then target=$(pgrep -P $child | head -1 || true); fi
    kill -$signal ${target:-$child} 2>/dev/null || true
    status=0
    [ $((i % 5)) = 0 ] && { sleep 0.1; kill -TERM $child 2>/dev/null || true; }
    wait $child || status=$?
    case $((i % 5)) in
    0)
        [ $status = $expected ] || [ $status = 143 ] || { cat out.txt; fail "status $status of compile after SIG$signal"; }
        for f in model.c model.h; do
            [ ! -e $f ] || cmp -s $f made/$f || fail "$f is half"
        done
        ;;
    *)
        [ $status = $expected ] || { cat out.txt; fail "status $status after SIG$signal ($((i % 5)))"; }
        ;;
    esac
    if [ $((i % 5)) -ge 2 ]; then
        if [ -e c.safetensors ]; then
            saved=$((saved + 1))
            [ -s w.safetensors ] || fail "the weights were not saved"
            steps=$(grep -o 'after step [0-9]*' out.txt | grep -o '[0-9]*')
            train --epochs 100000 --resume c.safetensors --stop-after 1 --checkpoint next.safetensors >resume.txt 2>&1 ||
                { cat resume.txt; fail "the checkpoint does not load"; }
            grep -aq "\"user.step\":\"$((steps + 1))\"" next.safetensors || fail "step $steps was told, another one saved"
        else
            early=$((early + 1)) # before the first step
        fi
    fi
    [ -z "$(ls | grep -E '\.tmp' || true)" ] || fail "temporary files: $(ls)"
    [ -z "$(ls cache/nnc 2>/dev/null | grep -vE '^[0-9a-f]{32}\.so$' || true)" ] ||
        fail "left in the cache: $(ls cache/nnc)"
done
echo "signals: $count sent, $saved states saved and continued, $early before the first step, 0 lost"
