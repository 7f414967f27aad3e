# The printed forms of diagnostics, and the exit statuses of check.
. "$SOURCE_DIR/tests/expect.bash"
cat > lenet.nn <<'END'
module Net {
    self.fc1 = nn.Linear(256, 120)

    def forward(self, x: f32[N, 1, 20, 20]) -> f32[N, 120] {
        return F.relu(self.fc1(torch.flatten(x, 1)))
    }
}

export Net() as net
END
expect 1 'error[NN0203]: Linear expects 256 input features but receives 400' "$NNC" check lenet.nn
expect 1 '  --> lenet.nn:5:23' "$NNC" check lenet.nn
expect 1 ' 5 |         return F.relu(self.fc1(torch.flatten(x, 1)))' "$NNC" check lenet.nn
expect 1 '^^^^^' "$NNC" check lenet.nn
expect 1 ' declared here' "$NNC" check lenet.nn
expect 1 '   = shape of x' "$NNC" check lenet.nn
expect 1 'help: change in_features to 400' "$NNC" check lenet.nn
expect 1 'lenet.nn:5:23: error[NN0203]: ' "$NNC" check --diagnostics=short lenet.nn
expect 1 '"code": "NN0203", "severity": "error"' "$NNC" check --diagnostics=json lenet.nn
sed 's/return .*/return x[:, 0, 0, :1] * torch.sqrt(7 \/\/ 2) * self.fc1.weight[:, 0]/' lenet.nn >number.nn
expect 1 'help: of a number it is math.sqrt(...)' "$NNC" check number.nn
if command -v python3 >/dev/null; then
    "$NNC" check --diagnostics=json lenet.nn 2>&1 | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert len(d) == 1 and d[0]["place"]["line"] == 5 and d[0]["help"], d' || failed=1
fi
expect 2 'text|short|json' "$NNC" check --diagnostics=xml lenet.nn
expect 3 'cannot open absent.nn' "$NNC" check absent.nn
expect 1 'no entry or module `Nett`' "$NNC" summary lenet.nn:Nett # NN0805
printf 'def f(x) {\n    y = x\n    return x\n}\nmodule M {\n    def forward(self, x: f32[N]) -> f32[N] { return f(x) }\n}\n' > unused.nn
expect 0 'warning[NN1001]' "$NNC" check unused.nn
expect 1 'error[NN1001]' "$NNC" check -Werror unused.nn
{
    echo 'module M {'
    for i in $(seq 30); do echo "    a$i = unknown$i"; done
    echo '    def forward(self, x: f32[N]) -> f32[N] { return x }'
    echo '}'
} > many.nn
expect 1 'nnc: 10 more errors not shown' "$NNC" check many.nn
[ "$("$NNC" check --diagnostics=short many.nn 2>&1 | wc -l)" -eq 20 ] || { echo "not 20 errors"; failed=1; }
expect 0 'No local, hyperparameter' "$NNC" explain NN0301
{
    printf 'module Wide {\n    def forward(self'
    for i in $(seq 500); do printf ', x%d: f32[2]' "$i"; done
    printf ') -> f32[1000] { return torch.cat(['
    for i in $(seq 500); do printf 'x%d, ' "$i"; done
    printf '], 0) }\n}\nexport Wide() as wide\n'
} > wide.nn
expect 1 'error[NN0807]: an operation on so many tensors' "$NNC" wide.nn -o wide.cu
# The interface for a GPU may stand beside that for processors.
sed 's/256/400/; $aexport Net() as net_cuda' lenet.nn >both.nn
expect 1 '`net_cuda` is a function of the generated interface' "$NNC" check both.nn
sed 's/256/400/; $s/net$/net_cuda/' lenet.nn >one.nn
"$NNC" check one.nn || { echo "net_cuda alone is refused"; failed=1; }
# Of a ring of files each is named once, and none that only leads to it.
echo 'import "ring_1.nn" as r' >ring.nn
echo 'import "ring_2.nn" as r' >ring_1.nn
echo 'import "ring_1.nn" as r' >ring_2.nn
expect 1 'error[NN0902]: the files import each other: ring_1.nn -> ring_2.nn -> ring_1.nn' "$NNC" check ring.nn
expect 2 'there is no code NN9999' "$NNC" explain NN9999
exit $failed
