# run and train execute compiled C: a compiler whose interpreter is broken still does both.
. "$SOURCE_DIR/tests/runtime/common.bash"
model=$here/models/small.nn
make_data train 300 1
broken="$BINARY_DIR/tests/nnc_broken_interpreter"
[ -x "$broken" ] || fail "no $broken"
expect 99 "the interpreter is broken" "$broken" run $model:rule --input u=rand --bind N=4 --engine=interp
expect 0 "x" "$broken" run $model:rule --input u=rand --bind N=4
data="--data x=train/x.npy --data label=train/label.npy"
expect 0 "weights in" "$broken" train $model $data --epochs 2 --batch 48 --seed 5 --save broken.safetensors
"$NNC" train $model $data --epochs 2 --batch 48 --seed 5 --save whole.safetensors >/dev/null 2>&1
cmp broken.safetensors whole.safetensors || fail "the engines differ"
