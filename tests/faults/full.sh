# A full disk for real: standard output is /dev/full, files are limited by ulimit -f.  A message, status 3, old files.
. "$SOURCE_DIR/tests/faults/common.bash"
make_copier
make_data data 50 1
refuses() { # refuses COMMAND...: status 3, and words on stderr
    local status
    # through a pipe: a limit on files must not cut the message
    { "$@" 2>&1 >&3 | cat >err.txt; status=${PIPESTATUS[0]}; } 3>&1
    [ $status = 3 ] || { cat err.txt; fail "status $status, not 3: $*"; }
    grep -q "nnc: cannot write" err.txt || { cat err.txt; fail "no message: $*"; }
}
for command in "$model -o -" "check --shapes $model" "summary $model" "fmt $model" "help" "manual" "explain NN0203" \
    "graph $model:classifier" "$model --emit=ir" "completion bash"; do
    refuses "$NNC" $command >/dev/full
done
refuses "$NNC" run "$model:classifier" --input x=rand --bind N=2 --cc "$work/copier" >/dev/full
refuses "$NNC" train "$model" --data x=data/x.npy --data label=data/label.npy --epochs 1 --quiet --cc "$work/copier" >/dev/full
refuses "$NNC" "$model" -o /dev/full
[ -c /dev/full ] || fail "/dev/full is no device any more"

# limited BLOCKS COMMAND...: no file may grow beyond that many blocks of 1024 bytes.
limited() {
    local blocks=$1
    shift
    (trap '' XFSZ; ulimit -f "$blocks"; exec "$@")
}
train="$NNC train $model --data x=data/x.npy --data label=data/label.npy --epochs 1 --quiet --cc $work/copier"
$train --checkpoint c.safetensors --save w.safetensors >/dev/null
echo "old" >model.c
echo "old" >model.h
cp c.safetensors c.old
cp w.safetensors w.old
ls >before.txt
for blocks in 0 1; do
    refuses limited $blocks "$NNC" "$model" -o model.c
    refuses limited $blocks $train --checkpoint c.safetensors >/dev/null
    refuses limited $blocks $train --save w.safetensors >/dev/null
    cmp c.safetensors c.old && cmp w.safetensors w.old || fail "a file was replaced by a cut one"
    [ "$(cat model.c)" = old ] || fail "model.c was replaced by a cut one"
done
rm err.txt
ls >after.txt
[ "$(grep -c tmp after.txt)" = 0 ] || fail "temporary files: $(cat after.txt)"
echo "full: all refused"
