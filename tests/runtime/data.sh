# Data from CSV files and folders of images, --split, --early-stop.
. "$SOURCE_DIR/tests/runtime/common.bash"
cat >m.nn <<'NN'
def rows(x: f32[N, C]) -> f32[N, C] { return x }
export rows
def ids(x: i64[N]) -> i64[N] { return x }
export ids
def half(x: f16[N, C]) -> f16[N, C] { return x }
export half
def pixels(x: u8[N, 2, 2]) -> u8[N, 2, 2] { return x }
export pixels
def gray(x: u8[N, H, W]) -> u8[N, H, W] { return x }
export gray
def color(x: u8[N, 3, 2, 2]) -> u8[N, 3, 2, 2] { return x }
export color
train T {
    self.net = nn.Linear(2, 3)
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, x: f32[N, 2], y: i64[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
    def eval(self, x: f32[N, 2], y: i64[N]) -> (loss: f32, first: f32) {
        return F.cross_entropy(self.net(x), y), x[:, 0].mean()
    }
}
train Images {
    self.net = nn.Linear(4, 2)
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, image: u8[N, 2, 2], label: u8[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(torch.flatten(image / 255, 1)), label)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
NN
run() { # run STATUS WORDS ENTRY SPEC
    expect "$1" "$2" "$NNC" run --engine=interp "m.nn:$3" --input "x=$4"
}
# ---- CSV ----
printf 'a,b,"the label"\n1,2.5,0\n-3,4e-1,2\n\n5, 6 ,1' >t.csv
run 0 "f32[3, 3] =" rows t.csv
run 0 "[[1, 2.5]," rows t.csv:a,b
run 0 "[[2.5, 0]," rows t.csv:b..
run 0 "[5, 6]]" rows t.csv:0..1
run 0 "[2, -3]," rows t.csv:2,0
run 0 "i64[3] = [0, 2, 1]" ids "t.csv:the label"
printf '\xef\xbb\xbf1\t2\r\n3\t4\r\n' >t.tsv
run 0 "[3, 4]]" rows t.tsv
printf '1,2,3,4\n5,6,7,255\n' >p.csv
run 0 "[7, 255]]]" pixels p.csv
run 3 "t.csv: there is no column 'c'; the first are a, b, the label" rows t.csv:c
run 3 "there is no column '7'; the file has 3, counted from 0" rows t.csv:7
run 3 "there is no column 'a'; the file has no header" rows p.csv:a
run 3 "run backwards" rows t.csv:b..a
run 3 "are more than the file has" rows t.csv:a,b,a,b
run 3 "line 2, column 1 (b): '2.5' is not a number of type i64" ids t.csv:b
run 3 "takes 1 column, not 2" ids t.csv:2,2
run 3 "takes 4 columns, not 3" pixels p.csv:0..2
# A first line with a number in it is data, and a number is a position.
printf '5.1,3.5,Iris\n4,3,Iris\n' >i.csv
run 0 "[[5.1, 3.5]," rows i.csv:0,1
run 3 "line 1, column 2: 'Iris' is not a number; other fields of the line are" rows i.csv
run 3 "choose columns of numbers by position" rows i.csv:1..
run 3 "no header (some fields of its first line are numbers; if they are names" rows i.csv:Iris
printf '1,nan\n3,4\n' >i.csv
run 3 "line 1, column 1: 'nan' is not a number" rows i.csv
run 0 "[1, 3]" ids i.csv:0
printf 'a,1\n2,3\n' >i.csv
run 0 "i64[2] = [1, 3]" ids i.csv:1
# An index column without a name, as pandas writes it.
# A quoted name is one, though it is a number, and says that the first line has names.
printf 'id,1990,1991\n7,1,2\n8,3,4\n' >i.csv
run 0 "[[1, 2]," rows 'i.csv:"1990","1991"'
run 0 "[[7, 1, 2]," rows 'i.csv:"id"..1991'
run 0 "i64[2] = [2, 4]" ids 'i.csv:"1991"'
run 3 'if numbers are names here, one by its name (FILE.csv:"NAME")' rows i.csv
run 3 'if they are names, choose one as FILE.csv:"NAME")' rows i.csv:id
run 3 "there is no column '1992'" rows 'i.csv:"1992"'
run 3 "line 1, column 0: 'id' is not a number" rows 'i.csv:0..'
printf '0,1\n5,6\n' >i.csv
run 0 "i64[2] = [1, 6]" ids i.csv:1
run 0 "i64[1] = [6]" ids 'i.csv:"1"'
printf '"a,b",c..d,e\n1,2,3\n' >i.csv
run 0 "[[1, 2]]" rows 'i.csv:"a,b","c..d"'
run 0 "[[2, 3]]" rows 'i.csv:"c..d"..e'
printf ',a,b\n0,1,2\n' >i.csv
run 0 "[[1, 2]]" rows i.csv:a,b
run 3 "line 1, column 0: the line has names, but none here" rows i.csv
# Integers are exact, and floats are in the range of their type.
printf '9007199254740993\n-9223372036854775808\n+12e2\n' >i.csv
run 0 "[9007199254740993, -9223372036854775808, 1200]" ids i.csv
for number in 9223372036854775808 9007199254740992.0 1e300 1.5; do
    printf '7\n%s\n' $number >i.csv
    run 3 "line 2, column 0: '$number' is not a number of type i64" ids i.csv
done
printf '7\n1e300\n' >i.csv
run 3 "line 2, column 0: '1e300' is out of the range of f32" rows i.csv
printf '7\n65520\n' >i.csv
run 3 "line 2, column 0: '65520' is out of the range of f16" half i.csv
run 0 "[7, 65520]" ids i.csv
# A long text matters where it is chosen; control bytes do not reach the terminal.
{ printf 'a,%0300d-,b\n' 0; echo 1,2,3; } >i.csv
run 0 "[[1, 3]]" rows i.csv:a,b
{ printf 'a,b\n1,'; printf '%0300d' 0; echo; } >i.csv
run 0 "[1]" ids i.csv:a
run 3 "line 2, column 1 (b): '000000" rows i.csv
printf 'a\033[2J,b\n1,\302\233x\n' >i.csv
run 3 'column 1 (b): '"'"'\xc2\x9bx'"'"' is not a number' rows i.csv
run 3 'the first are a\x1b[2J, b' rows i.csv:c
bad() { printf "$2" >q.csv; run 3 "q.csv: $1" rows q.csv; }
bad "line 2, column 1: 'x' is not a number" '1,2\n3,x\n'
bad "line 2, column 0: 'nan' is not a number" '1,2\nnan,1\n'
bad "line 2, column 1: '0x1' is not a number" '1,2\n3,0x1\n'
bad "line 4, column 1: there is no value" '1,2\n\n3,4\n5,\n'
bad "line 2 has 1 column, not 2" '1,2\n3\n'
bad "line 2 has more than 2 columns" '1,2\n3,4,5\n'
bad "line 1: a quote is not closed" '1,"2\n3,4\n'
bad "the file has no rows" ''
printf '1,256,0,0\n' >q.csv
run 3 "'256' is not a number of type u8" pixels q.csv

# ---- pipes: one with a name would wait for its other end; one that is open is read ----
mkfifo pipe.csv
run 3 "cannot read 'pipe.csv': it is not a regular file" rows pipe.csv
expect 3 "not a regular file" "$NNC" train --engine=interp m.nn:T --data x=pipe.csv --data y=pipe.csv
"$NNC" run --engine=interp m.nn:gray --save w.st --input x=zeros --bind N=1 --bind H=2 --bind W=2 --output-dir o >/dev/null
run 0 "u8[1, 2, 2] =" gray <(sleep 0.2; cat o/output.npy)
mkfifo slow
sleep 60 >slow &
sleeper=$!
"$NNC" train --engine=interp m.nn:Images --data image=/dev/stdin --data label=p.csv:0 <slow >output.txt 2>&1 &
train=$!
for i in $(seq 100); do grep -q poll /proc/$train/wchan 2>/dev/null && break; sleep 0.05; done
kill -TERM $train
status=0; wait $train || status=$?
kill $sleeper
[ $status = 143 ] || { cat output.txt; fail "status $status, not 143, from a run that waits for a pipe"; }

# ---- folders of images ----
if command -v python3 >/dev/null; then
    python3 - <<'PY'
import os, struct, zlib
def png(path, rows, color=False):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    width = len(rows[0]) // (3 if color else 1)
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 2 if color else 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(r) for r in rows))
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
for name, level in (("cat", 10), ("bird", 200)):
    os.makedirs(f"set/{name}")
    for i in range(3):
        png(f"set/{name}/{i}.png", [[level + i, 1], [2, 3]])
open("set/notes.txt", "w").write("not a class")
open("set/bird/notes.txt", "w").write("not an image")
os.makedirs("rgb/a")
png("rgb/a/0.png", [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]], True)
os.makedirs("odd/a")
png("odd/a/0.png", [[1, 2], [3, 4]])
os.makedirs("deep/a/more/most"); os.makedirs("deep/a/notes")
png("deep/a/0.png", [[1, 2], [3, 4]])
png("deep/a/more/most/1.png", [[1, 2], [3, 4]])
png("odd/a/1.PNG", [[1, 2, 3], [4, 5, 6]])
os.makedirs("gif/a"); open("gif/a/x.gif", "w").write("x")
os.makedirs("jpg/a"); open("jpg/a/x.jpg", "w").write("x")
os.makedirs("fit/a"); os.makedirs("fit/b")
png("fit/a/0.png", [[(x * 37 + y * 91 + x * y * 13) % 256 for x in range(9)] for y in range(7)])
png("fit/b/0.png", [[7] * 5 for y in range(40)])
os.makedirs("none/a")
os.makedirs("empty")
os.makedirs("bad/a"); open("bad/a/x.png", "w").write("x")
PY
    run 0 "u8[6, 2, 2] =" pixels set
    run 0 "[[[200, 1]," pixels set
    run 0 "[0, 0, 0, 1, 1, 1]" ids set
    run 0 "[8, 11]]," color rgb
    run 0 "u8[6, 3, 2, 2]" color set
    run 3 "odd/a/1.PNG: the image has 2 x 3 pixels (rows x columns), not 2 x 2" gray odd
    run 3 "gif/a/x.gif: only PNG and JPEG images are read" gray gif
    run 3 "jpg/a/x.jpg: neither a PNG nor a JPEG picture" gray jpg
    rm jpg/a/x.jpg
    cp "$SOURCE_DIR/tests/fuzz/corpus/jpeg/rgb420" jpg/a/0.jpg
    cp "$SOURCE_DIR/tests/fuzz/corpus/jpeg/gray" jpg/a/1.JPEG
    run 0 "u8[2, 13, 19]" gray jpg
    run 0 "u8[2, 3, 2, 2]" color jpg:resize=2x2
    run 3 "none/a: the class has no PNG or JPEG image" gray none
    run 3 "empty: there is no folder with PNG or JPEG images" gray empty
    # What Pillow 11 makes of it (Image.BILINEAR).
    run 0 "[116, 128, 143, 129]]" gray fit:resize=4,crop=3x4
    run 0 "[119, 144, 136]]" gray fit:resize=2x3
    run 0 "[178, 128]]" gray fit:resize=8x11,crop=2
    run 0 "[0, 1]" ids fit:resize=4,crop=3
    run 3 "has 40 x 5 pixels (rows x columns), not 7 x 9; FOLDER:resize=N,crop=N brings all to one size" gray fit
    run 3 "fit/b/0.png: crop=6x6 of an image with 40 x 5 pixels" gray fit:crop=6
    for wrong in resize=0 resize=4,crop=2x crop=-1 resize=4,size=2 resize=99999 resize=4, crop=2x2x2; do
        run 3 "of 1 to 65536 pixels each; not '$wrong'" gray fit:$wrong
    done
    run 3 "'crop=2,resize=4,crop=3' gives crop= twice" gray fit:crop=2,resize=4,crop=3
    run 3 "'resize=2,resize=3x4' gives resize= twice" gray fit:resize=2,resize=3x4
    run 3 "p.csv is no folder of images: 'resize=3' does not go with it" ids p.csv:resize=3
    run 3 "bad/a/x.png: " pixels bad
    run 3 "deep/a/more/most/1.png: images lie in the class folder 'deep/a' itself, not deeper" pixels deep
    rm deep/a/more/most/1.png
    run 0 "u8[1, 2, 2] =" pixels deep
    mkfifo deep/a/2.png
    run 3 "cannot read 'deep/a/2.png': it is not a regular file" pixels deep
    run 3 "set is a folder: images are u8" rows set
    expect 0 "weights in" "$NNC" train --engine=interp m.nn:Images --data image=set --data label=set --batch 2 --epochs 2 -q --save w.st
fi

# ---- --split and --early-stop ----
awk 'BEGIN { print "x0,x1,y"; for (i = 0; i < 100; i++) printf "%d,%g,%d\n", i, i % 7 - 3, i % 3 }' >s.csv
train="$NNC train --engine=interp m.nn:T --data x=s.csv:x0,x1 --data y=s.csv:y --batch 10 --lr 0 -q"
first() { sed 's/.*"first":\([0-9.]*\).*/\1/' "$1"; }
$train --split 0.2 --epochs 2 --seed 7 --log a.jsonl >/dev/null 2>err.txt || { cat err.txt; fail "--split"; }
$train --split 0.2 --epochs 2 --seed 7 --log b.jsonl >/dev/null 2>&1
$train --split 0.2 --epochs 2 --seed 8 --log c.jsonl >/dev/null 2>&1
[ "$(first a.jsonl)" = "$(first b.jsonl)" ] || fail "another split with the same seed"
[ "$(first a.jsonl)" != "$(first c.jsonl)" ] || fail "the same split with another seed"
[ "$(first a.jsonl | uniq | wc -l)" = 1 ] || fail "another split in the second epoch"
# Nothing is in both: 80 samples of 10 make 8 steps, and the means of both parts give the whole's.
grep -q '"step":8,' a.jsonl || fail "not 80 samples to train on"
sed '/^train T/,/^}/{ s/y: i64\[N\]) -> (loss: f32)/y: i64[N]) -> (loss: f32, first: f32)/; s/^        return loss$/        return loss, x[:, 0].mean()/ }' m.nn >n.nn
${train/m.nn/n.nn} --split 0.2 --epochs 1 --seed 7 --log d.jsonl >/dev/null 2>err.txt || { cat err.txt; fail "both means"; }
! command -v python3 >/dev/null || python3 - <<'PY' || fail "the parts are not one whole"
import json
d = json.loads(open("d.jsonl").readline())
assert abs(0.8 * d["train"]["first"] + 0.2 * d["test"]["first"] - 49.5) < 1e-3, d
PY
expect 2 "--data gives x twice" $train --data x=s.csv:x1
expect 2 "leave out --test" $train --split 0.2 --test x=s.csv:x0,x1 --test y=s.csv:y
expect 2 "between 0 and 1" $train --split 1.5
expect 3 "leaves a part without any" $train --split 0.001
expect 2 "needs an entry \`eval\`" "$NNC" train --engine=interp m.nn:Images --data image=p.csv --data label=p.csv:0 --split 0.5
# The loss stays as it is with a rate of 0: two epochs after the first.
expect 0 "ended early: 2 epochs without a smaller loss" $train --split 0.2 --epochs 50 --early-stop 2 --log e.jsonl --checkpoint c.st --save w.st
[ "$(wc -l <e.jsonl)" = 3 ] || fail "$(wc -l <e.jsonl) epochs, not 3"
expect 0 "ended early" $train --split 0.2 --epochs 50 --early-stop 2 --resume c.st
# --limit comes before the split: 45 samples of 60.
expect 0 "25 steps" $train --split 0.25 --epochs 5 --early-stop 50 --limit 60
expect 2 "--early-stop" $train --early-stop 0
# What goes by a loss needs one.
sed '/^train T/,/^}/ s/def eval.*/def eval(self, x: f32[N, 2], y: i64[N]) -> (sum: i64) {/; /^train T/,/^}/ s/return F.cross_entropy.*/return y.sum()/' m.nn >n.nn
for option in "--early-stop 2" "--keep-best --save k.st"; do
    expect 2 "${option%% *} goes by a loss, but no result of eval is a float of rank 0" ${train/m.nn/n.nn} --split 0.2 $option
done
expect 2 "ReduceLROnPlateau goes by a loss" ${train/m.nn/n.nn} --split 0.2 --schedule ReduceLROnPlateau
expect 0 "10 steps" ${train/m.nn/n.nn} --limit 100 --epochs 1 --early-stop 2
