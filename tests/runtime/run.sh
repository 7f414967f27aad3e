# nnc run: results as files, weights in and out, entries of a block, both engines, exit statuses.
. "$SOURCE_DIR/tests/runtime/common.bash"
model=$here/models/small.nn
make_data d 4 3
expect 0 "label i64[4] = [" "$NNC" run $model:classifier --input x=d/x.npy --seed 4 --output-dir out
[ -s out/label.npy ] && [ -s out/probability.npy ] || fail "results were not written"
# A block's step: the state goes on through checkpoints as if it had been one run.
"$NNC" run $model:Learn.step --input x=d/x.npy --input label=d/label.npy --seed 1 --checkpoint a.st --save w.safetensors >/dev/null
"$NNC" run $model:Learn.step --input x=d/x.npy --input label=d/label.npy --resume a.st --checkpoint b.st >/dev/null
"$NNC" run $model:Learn.step --input x=d/x.npy --input label=d/label.npy --seed 1 --repeat 2 --checkpoint c.st >/dev/null 2>&1
cmp b.st c.st || fail "two runs of one step differ from one run of two"
# Weights of the block serve the export: same member paths.
expect 0 "probability" "$NNC" run $model:classifier --weights w.safetensors --input x=d/x.npy --output-dir compiled
expect 0 "probability" "$NNC" run $model:classifier --weights w.safetensors --input x=d/x.npy --output-dir interpreted --engine=interp
cmp compiled/label.npy interpreted/label.npy || fail "the engines disagree"
# The sizes that one object serves.
for n in 0 1 7 64 1000; do
    expect 0 "label i64[$n]" "$NNC" run $model:classifier --weights w.safetensors --input x=rand --bind N=$n
done
# No C compiler: a message that says what to do, and the interpreter still works.
expect 3 "apt install gcc" env PATH=/nonexistent XDG_CACHE_HOME=$work/empty "$NNC" run $model:classifier --input x=d/x.npy
expect 3 "apt install gcc" "$NNC" run $model:classifier --input x=d/x.npy --cc $work/no-such-cc
expect 3 "/bin/false does not compile" "$NNC" run $model:classifier --input x=d/x.npy --cc /bin/false
expect 0 "label" env PATH=/nonexistent "$NNC" run $model:classifier --input x=d/x.npy --engine=interp
# Mistakes.
expect 2 "needs input 'x'" "$NNC" run $model:classifier
expect 2 "has no input" "$NNC" run $model:classifier --input z=d/x.npy
expect 3 "--bind N=" "$NNC" run $model:classifier --input x=rand
expect 2 "'rule' has no dim M" "$NNC" run $model:rule --input u=rand --bind N=2 --bind M=2
expect 2 "--input gives u twice" "$NNC" run $model:rule --input u=rand --bind N=2 --input u=ones
expect 2 "gives N twice" "$NNC" run $model:rule --input u=rand --bind N=2 --bind N=3
expect 3 "it is a device" "$NNC" run $model:classifier --input x=/dev/zero
expect 3 "it is a device" "$NNC" run $model:classifier --input x=d/x.npy --weights /dev/zero
expect 3 "input 'x'" "$NNC" run $model:classifier --input x=d/label.npy
expect 3 "No such file" "$NNC" run $model:classifier --input x=absent.npy
expect 3 "does not fit the model" "$NNC" run $model:rule --weights w.safetensors --input u=rand --bind N=2
expect 2 "is no entry" "$NNC" run $model:nothing --input x=rand
expect 1 "label" "$NNC" run $model:Learn.step --input x=rand --input label=randint:9 --bind N=50

# Names that `where` makes equal are each bound by their own array.
equal=$here/models/equal.nn
expect 0 "total f32[] = 2" "$NNC" run $equal --input x=ones --input y=ones --bind N=3 --bind M=3 --bind T=2 --output-dir three
"$NNC" run $equal --input x=ones --input y=ones --bind N=4 --bind M=4 --bind T=2 --output-dir four >/dev/null
for engine in c interp; do
    expect 0 "total f32[] = 8" "$NNC" run $equal --engine=$engine --input x=three/r.npy --input y=three/r.npy
    expect 3 "input 'y' of equal is f32[M, 2], but the array given is f32[4, 2]; dim 0 must be 3 here" \
        "$NNC" run $equal --engine=$engine --input x=three/r.npy --input y=four/r.npy
done
