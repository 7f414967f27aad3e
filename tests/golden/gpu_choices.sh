# What the estimates of cost choose for a GPU: the shape of every kernel of products, scatters, sums, prefixes, sorts
# and transposed copies of many sizes.  After a change that is meant: gpu_choices.sh write.
set -u
expected=$SOURCE_DIR/tests/golden/gpu_choices.txt
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
number=0
# entry EXPRESSION ARGUMENTS RESULT
entry() {
    number=$((number + 1))
    printf 'module M%d {\n    def forward(self, %s) -> %s { return %s }\n}\n\nexport M%d() as e%d\n\n' \
        "$number" "$2" "$3" "$1" "$number" "$number"
}
products() {
    for rows in 1 6 8 12 16 24 40 64 100 200 512 1024 4096; do
        for columns in 8 10 16 24 32 64 120 256 600 1024 4096; do
            for depth in 16 64 300 2000; do entry "a @ b" "a: f32[$rows, $depth], b: f32[$depth, $columns]" "f32[$rows, $columns]"; done
        done
    done
    entry "a @ b" "a: f32[64, 128, 64], b: f32[64, 64, 128]" "f32[64, 128, 128]"
    entry "a @ b" "a: f32[512, 16, 64], b: f32[512, 64, 16]" "f32[512, 16, 16]"
    entry "F.conv2d(x, w)" "x: f32[64, 1, 32, 32], w: f32[6, 1, 3, 3]" "f32[64, 6, 30, 30]"
    entry "F.conv2d(x, w, padding=1)" "x: f32[16, 64, 28, 28], w: f32[128, 64, 3, 3]" "f32[16, 128, 28, 28]"
}
others() {
    for rows in 1 10 300 1000 100000; do
        for columns in 1 7 64 200 1000; do
            for updates in 200 2000 60000; do
                entry "grad((F.embedding(i, w) * x).sum(), w)" "w: f32[$rows, $columns], i: i64[$updates], x: f32[$updates, $columns]" \
                    "f32[$rows, $columns]"
            done
            entry "x.sum(0)" "x: f32[$rows, $columns]" "f32[$columns]"
            entry "x.sum(1)" "x: f32[$rows, $columns]" "f32[$rows]"
            entry "torch.cumsum(x, 1)" "x: f32[$rows, $columns]" "f32[$rows, $columns]"
            entry "torch.cumsum(x, 0)" "x: f32[$rows, $columns]" "f32[$rows, $columns]"
            entry "torch.argsort(x, 1)" "x: f32[$rows, $columns]" "i64[$rows, $columns]"
            entry "x.T + y" "x: f32[$rows, $columns], y: f32[$columns, $rows]" "f32[$columns, $rows]"
        done
    done
    entry "x.sum()" "x: f32[3000000]" f32
    entry "torch.sort(x)[0]" "x: f32[1000000]" "f32[1000000]"
    entry "torch.cumsum(x, 0)" "x: f32[1000000]" "f32[1000000]"
}
choices() { # of every kernel what it writes, its shared memory and its blocks
    "$NNC" "$1" --target=cuda --emit=kernels "${@:2}" -o - | grep '^kernel(' |
        sed -E "s/^kernel\((read [^;]*, )?(write|update) p[0-9]*: //; s/, thread's [^;)]*//; s/shared [a-z]*[0-9]*: f32//g; s/ threads 256$//" || echo "nnc fails: $*"
}
products >"$work/products.nn"
others >"$work/others.nn"
{
    echo "# products"
    choices "$work/products.nn"
    echo "# products, --precision=tf32"
    choices "$work/products.nn" --precision=tf32
    echo "# others"
    choices "$work/others.nn"
} >"$work/now.txt"
if [ "${1:-}" = write ]; then
    cp "$work/now.txt" "$expected"
    exit
fi
diff "$expected" "$work/now.txt"
