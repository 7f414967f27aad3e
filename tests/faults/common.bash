# Shared by the scripts of this folder: a scratch folder with a model, data, weights, and C compilers.
# Arguments of a script are counts; without any they are those of a quick run.
set -eu
[ -x "$NNC" ] || { echo "no compiler at $NNC"; exit 77; }
command -v cc >/dev/null || { echo "no C compiler"; exit 77; }
faulty=$BINARY_DIR/tests/nnc_faulty
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
cd "$work"
mkdir cache
fail() { echo "FAIL: $*" >&2; exit 1; }
model=$SOURCE_DIR/tests/runtime/models/small.nn
make_data() { # make_data NAME N SEED
    "$NNC" run "$model:rule" --input u=rand --bind "N=$2" --seed "$3" --output-dir "$1" >/dev/null
}

# A C compiler that copies what the real one made: fast, and the same bytes each time.
make_copier() {
    mkdir made
    "$NNC" "$model" -o made/model.c
    cc -O1 -w -Wno-psabi -shared -fPIC -o made/model.so made/model.c -lm
    cc -O1 -w -Wno-psabi -c -fPIC -o made/model.o made/model.c
    cp made/model.o made/binary
    cat >copier <<'END'
#!/bin/sh
[ "$#" = 1 ] && { echo copier 1; exit 0; }
while [ "$1" != -o ]; do shift; done
exec cp "$(dirname "$0")/made/$(case $2 in *.so) echo model.so ;; *.o) echo model.o ;; *) echo binary ;; esac)" "$2"
END
    chmod +x copier
}

# box NAME: an empty folder with the model, and a cache of its own.
box() {
    mkdir -p "$1/cache"
    cp "$model" "$1/model.nn"
    export XDG_CACHE_HOME=$work/$1/cache
}

# The commands under test, each in a box with old outputs beside its inputs.
make_boxes() {
    make_copier
    box compile
    echo "old" >compile/model.c
    echo "old" >compile/model.h
    box format
    printf '## A comment.\nx = 1 +2\nmodule A {\n  def f(self, x: f32[N]) -> f32[N] { return x*2 }\n}\n' >format/model.nn
    box library
    echo "old" >library/model.a
    box run
    for b in run run_cold; do
        box $b
        "$NNC" run $b/model.nn:rule --input u=rand --bind N=12 --output-dir $b --cc "$work/copier" >/dev/null
        "$NNC" run $b/model.nn:classifier --input x=rand --bind N=1 --save $b/w.safetensors --cc "$work/copier" >/dev/null
        echo "old" >$b/out.safetensors
    done
    rm -r run_cold/cache/nnc
    box executable
    "$NNC" run executable/model.nn:classifier --input x=rand --bind N=1 --save executable/w.safetensors \
        --cc "$work/copier" >/dev/null
    printf 'no\nyes\n' >executable/labels.txt
    box data
    cat >data/model.nn <<'END'
# Dims of their own: what is left out shows in the result.
module Data {
    def forward(self, image: u8[N, 3, 4, 4], label: i64[M], row: f32[K, 2]) -> (a: u8[N, 3, 4, 4], b: i64[M], c: f32[K, 2]) {
        return image, label, row
    }
}

export Data() as data
END
    mkdir -p data/photos/cat/notes/more data/photos/dog
    cp "$SOURCE_DIR/tests/fuzz/corpus/jpeg/rgb420" data/photos/cat/a.jpg
    cp "$SOURCE_DIR/tests/fuzz/corpus/jpeg/rgb444_prog" data/photos/dog/b.JPEG
    cp "$SOURCE_DIR/tests/fuzz/corpus/png/rgb" data/photos/dog/c.png
    echo "no image" >data/photos/notes.txt
    printf 'y,x0,x1\n1,2,3\n4,5,6\n7,8,9\n' >data/t.csv
    box train
    "$NNC" run train/model.nn:rule --input u=rand --bind N=50 --output-dir train --cc "$work/copier" >/dev/null
    train_arguments="--data x=x.npy --data label=label.npy --test x=x.npy --test label=label.npy --batch 16 --threads 2"
    (cd train && "$NNC" train model.nn $train_arguments --epochs 1 --checkpoint old.safetensors --cc "$work/copier" >/dev/null 2>&1)
    cp train/old.safetensors train/c.safetensors
    cp train/old.safetensors train/w.safetensors
}

# each_command KIND DENSE SAMPLES: every fault of that kind in every command.
each_command() {
    one() {
        local name=$1
        shift
        XDG_CACHE_HOME=$work/$name/cache "$faulty" $kind $dense $samples "$work/$name" "$@" || failed=1
    }
    local kind=$1 dense=$2 samples=$3
    one compile compile model.nn -o model.c
    one compile check --shapes model.nn
    one compile summary --parameters model.nn
    one format fmt -w model.nn
    one library compile model.nn --emit=lib -o model.a --cc "$work/copier"
    one run run model.nn:classifier --input x=x.npy --weights w.safetensors --output-dir out \
        --save out.safetensors --checkpoint c.safetensors --threads 2 --cc "$work/copier"
    one run_cold run model.nn:classifier --input x=x.npy --weights w.safetensors --save out.safetensors \
        --cc "$work/copier"
    one executable compile model.nn:classifier --emit=exe --weights w.safetensors --labels labels.txt -o classify \
        --target native --cc "$work/copier"
    one data run model.nn --engine interp --input image=photos:resize=6,crop=4 --input label=photos \
        --input row=t.csv:x0,x1 --output-dir out
    one train train model.nn $train_arguments --epochs 3 --resume old.safetensors --checkpoint c.safetensors \
        --checkpoint-every 2 --save w.safetensors --log log.jsonl --keep-best --cc "$work/copier"
    one train train model.nn $train_arguments --epochs 1 --checkpoint c.safetensors --engine interp
}
failed=0
