# --emit=exe: a binary with its weights inside that needs libc and libm alone.
. "$SOURCE_DIR/tests/runtime/common.bash"
model=$here/models/small.nn
make_data train 600 1
make_data test 100 2
"$NNC" train $model --data x=train/x.npy --data label=train/label.npy --epochs 8 --seed 5 --save w.safetensors >/dev/null 2>&1
printf 'negative\npositive\n' >labels.txt
"$NNC" $model:classifier --emit=exe --weights w.safetensors --labels labels.txt -o classify || fail "no binary"
# A build with sanitizers links theirs.
ldd ./classify | grep -vE 'lib(asan|ubsan|gcc_s|stdc\+\+|dl|rt|pthread)\.so' >needs.txt
ldd "$NNC" | grep -q libasan || ldd ./classify >needs.txt
! grep -vE 'linux-vdso|libc\.so|libm\.so|ld-linux' needs.txt || { cat needs.txt; fail "shared libraries"; }
mkdir elsewhere
mv w.safetensors labels.txt elsewhere
expect 0 "1 positive" ./classify --describe
expect 0 "right:" ./classify --expect test/label.npy test/x.npy
percent=$(sed -n 's/.*right: \([0-9.]*\) %/\1/p' output.txt)
awk "BEGIN { exit !($percent > 80) }" || fail "$percent % right"
[ "$(grep -c '^x.npy\[' output.txt)" = 100 ] || fail "not a line for each sample"
# The same answers as nnc run.
"$NNC" run $model:classifier --weights elsewhere/w.safetensors --input x=test/x.npy --output-dir out >/dev/null
./classify --expect out/label.npy test/x.npy | grep -q "100 of 100 right" || fail "other answers than nnc run"
expect 2 "Usage" ./classify
expect 3 "No such file" ./classify absent.npy
expect 3 "the model reads f32[N, 8]" ./classify test/label.npy
expect 2 "give their values with --weights" "$NNC" $model:classifier --emit=exe -o other
printf 'a\nb\nc\n' >three.txt
expect 3 "has 3 names" "$NNC" $model:classifier --emit=exe --weights elsewhere/w.safetensors --labels three.txt -o other
printf 'a\nb\0c\n' >nul.txt
expect 3 "byte 3 is 0" "$NNC" $model:classifier --emit=exe --weights elsewhere/w.safetensors --labels nul.txt -o other
printf 'module M {\n    state h: f32[N, 2] = 0\n    def forward(self, x: f32[N, 2]) -> f32[N, 2] { self.h = self.h + x; return self.h }\n}\nexport M() as m\n' >state.nn
expect 1 "the state of 'm' has dim N" "$NNC" state.nn --emit=exe -o other
[ ! -e other ] || fail "a binary after a mistake"
# A device is written to and keeps its mode.
mode=$(stat -c %a /dev/null)
"$NNC" $model:classifier --emit=exe --target=native --weights elsewhere/w.safetensors -o /dev/null || fail "no binary in a device"
[ "$(stat -c %a /dev/null)" = "$mode" ] || { chmod "$mode" /dev/null; fail "/dev/null has another mode"; }
# Names as an editor of another system writes them.
printf '\xef\xbb\xbfnegative\r\npositive\r\n' >marked.txt
"$NNC" $model:classifier --emit=exe --target=native --weights elsewhere/w.safetensors --labels marked.txt -o marked || fail "no binary"
expect 0 "0 negative" ./marked --describe
expect 0 "1 positive" ./marked --describe
