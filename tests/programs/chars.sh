# examples/char_lstm.nn on a text: held-out bits per character within 2 % of PyTorch's after the same steps in the same
# order from the same initial values.  CI: Debian's GPL-3, 30 steps, PyTorch's figure from fixtures/chars.txt.
# chars.sh EPOCHS: the licenses of Debian that are ASCII, GPL-2 held out, with PyTorch running beside it.
set -eu
fixture=$SOURCE_DIR/tests/programs/fixtures/chars.txt
folder=/usr/share/common-licenses
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python=
epochs=${1:-2}
if [ $# -gt 0 ]; then
    for candidate in "${NNC_TORCH_PYTHON:-}" "$HOME/.cache/nnc-bench/bin/python" python3; do
        [ -z "$python" ] && [ -n "$candidate" ] && "$candidate" -c "import torch, numpy" 2>/dev/null && python=$candidate
    done
    [ -n "$python" ] || { echo "PyTorch is not installed (set NNC_TORCH_PYTHON)"; exit 77; }
    for license in $(find $folder -type f ! -name GPL-2 | sort); do
        LC_ALL=C grep -q '[^ -~[:space:]]' "$license" || cat "$license" >>text.txt
    done
    cp $folder/GPL-2 held.txt
else
    read -r _ sum want _ <"$fixture"
    [ -r $folder/GPL-3 ] && [ "$(cksum <$folder/GPL-3 | tr ' ' -)" = "$sum" ] ||
        { echo "the text of the fixture, $folder/GPL-3, is not here"; exit 77; }
    head -c 33000 $folder/GPL-3 >text.txt
    tail -c +33001 $folder/GPL-3 >held.txt
fi

train() {
    "$NNC" train "$SOURCE_DIR/examples/char_lstm.nn" --data text=text.txt --data next=text.txt:+1 --bind T=64 --batch 32 \
        --threads 1 --quiet "$@" || { echo "training failed"; exit 1; }
}
# A rate of 0 leaves the values that the seed gave.
train --seed 1 --lr 0 --epochs 1 --limit 32 --save init.safetensors
train --init-weights init.safetensors --epochs "$epochs" --save w.safetensors
have=$("$NNC" run "$SOURCE_DIR/tests/programs/held_out.nn" --weights w.safetensors --input text=held.txt | sed 's/.*= //')
if [ -n "$python" ]; then
    said=$("$python" "$SOURCE_DIR/tests/programs/chars.py" text.txt held.txt init.safetensors "$epochs" 32 64)
    want=${said##* }
    echo "$(wc -c <text.txt) characters, ${said%%,*}"
fi
echo "bits per character: $have, PyTorch $want"
awk -v a="$have" -v b="$want" 'BEGIN { exit !(a > 0.98 * b && a < 1.02 * b && a < 6) }'
