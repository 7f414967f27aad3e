# Models of many parts: dims of the state, dims of an entry, arguments, entries of a block.  Nothing has room for so many
# and no more, but for the interpreter's entries, which says so.
. "$SOURCE_DIR/tests/runtime/common.bash"
# each COUNT TEXT: the text for 0, 1, ..., with @ for the number.
each() { awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) { t = text; gsub(/@/, i, t); printf "%s", t } }'; }
list() { each "$1" "$2, " | sed 's/, $//'; }
{
    echo "module Many {"
    each 50 '    state s@: f32[N@] = @
'
    echo "    def forward(self, $(list 50 'x@: f32[N@]')) -> (first: f32[N0], last: f32[N49]) {"
    each 50 '        self.s@ = self.s@ + x@
'
    echo "        return self.s0, self.s49 } }"
    echo "export Many() as many"
} >states.nn
echo "def f($(list 260 'x@: f32[N, M@]')) -> (y259: f32[N, M259]) { return x259 + 1 }
export f" >dims.nn
{
    echo "train T {
    self.net = nn.Linear(3, 2)
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, $(list 260 'x@: f32[N, 3]')) -> (loss: f32) {
        loss = self.net($(list 260 'x@' | sed 's/, / + /g')).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }"
    each 34 '    def other@(self, x: f32[N, 3]) -> f32 { return (self.net(x) * 0).sum() + @ }
'
    echo "}"
} >block.nn
{ cat block.nn | sed '$d'; each 260 '    def more@(self, x: f32[N, 3]) -> f32 { return x.sum() }
'; echo "}"; } >blocks.nn
echo "def a(x: f32[N, 3]) -> f32[N, 3] { return x }
export a" >ones.nn
"$NNC" run ones.nn --input x=ones --bind N=4 --output-dir . >/dev/null
# shellcheck disable=SC2046
for engine in c interp; do
    expect 0 "last f32[3] = [50, 50, 50]" "$NNC" run states.nn --engine=$engine --checkpoint c.st \
        $(each 50 '--input x@=ones ') $(each 49 '--bind N@=2 ') --bind N49=3
    expect 3 "made for N49 = 3, this one for 4" "$NNC" run states.nn --engine=$engine --resume c.st \
        $(each 50 '--input x@=ones ') $(each 49 '--bind N@=2 ') --bind N49=4
    expect 0 "y259 f32[2, 1]" "$NNC" run dims.nn --engine=$engine --bind N=2 $(each 260 '--input x@=ones --bind M@=1 ')
    expect 0 "1 steps" "$NNC" train block.nn --engine=$engine --epochs 1 $(each 260 '--data x@=output.npy ')
    expect 0 "output f32[] = 33" "$NNC" run block.nn:T.other33 --engine=$engine --input x=ones --bind N=2
done
expect 1 "at most 256 entries of a train block, T has more" "$NNC" run blocks.nn:T.more259 --engine=interp --input x=ones --bind N=2
# What a call refuses has one name on both engines.
cat >refuse.nn <<'END'
def f(w: f32[V, 2], i: i64[N]) -> f32[N, 2] where N <= 4 { return F.embedding(i, w) }
export f
END
for engine in c interp; do
    expect 1 "f: an id is out of range: i: " "$NNC" run refuse.nn --engine=$engine --input w=ones --input i=ones --bind V=1 --bind N=2
    expect 1 "f: the dims do not satisfy the entry's conditions: " \
        "$NNC" run refuse.nn --engine=$engine --input w=ones --input i=ones --bind V=2 --bind N=5
done
