# dtype= of layers: every parameter and buffer has it, and so has what is computed; a layer of another dtype refuses its input.
. "$SOURCE_DIR/tests/expect.bash"
layers='nn.Linear(4,4 nn.Bilinear(4,4,4 nn.Embedding(4,4 nn.EmbeddingBag(4,4 nn.PReLU(4,0.5 nn.Conv1d(4,4,3 nn.Conv2d(4,4,3 nn.Conv3d(4,4,3
    nn.ConvTranspose1d(4,4,3 nn.ConvTranspose2d(4,4,3 nn.ConvTranspose3d(4,4,3 nn.BatchNorm1d(4 nn.BatchNorm2d(4 nn.BatchNorm3d(4
    nn.InstanceNorm1d(4,affine=True nn.InstanceNorm2d(4,affine=True nn.InstanceNorm3d(4,affine=True,track_running_stats=True
    nn.LayerNorm(4 nn.GroupNorm(2,4 nn.RMSNorm(4 nn.RNN(4,4 nn.GRU(4,4 nn.LSTM(4,4,proj_size=2 nn.RNNCell(4,4 nn.GRUCell(4,4
    nn.LSTMCell(4,4 nn.MultiheadAttention(4,2,kdim=3,add_bias_kv=True nn.MultiheadAttention(4,2 nn.TransformerEncoderLayer(4,2,3
    nn.TransformerDecoderLayer(4,2,3 nn.Transformer(4,2,1,1,3 nn.AdaptiveLogSoftmaxWithLoss(4,4,[2],head_bias=True'
{
    echo 'module All {'
    i=0
    for layer in $layers; do
        i=$((i + 1))
        echo "    self.m$i = $layer, dtype=torch.bfloat16)"
    done
    printf '    def forward(self, x: f32[N]) -> f32[N] { return x }\n}\n\nexport All() as all\n'
} >all.nn
"$NNC" summary --parameters all.nn >said 2>&1 || { cat said; failed=1; }
i=0
for layer in $layers; do
    i=$((i + 1))
    grep -q "^m$i\..* bf16\[" said || { echo "$layer has no parameter of bf16"; failed=1; }
done
grep -E '^m[0-9]+\.' said | grep -v ' bf16\[' | grep -v 'num_batches_tracked  *i64' && failed=1

cat >net.nn <<'END'
module Net(D: dtype = torch.bfloat16) {
    self.fc = nn.Linear(4, 4, dtype=D)
    self.rnn = nn.GRUCell(4, 4, dtype=D)
    self.conv = nn.Conv1d(4, 4, 3, padding=1, dtype=D)
    self.norm = nn.BatchNorm1d(4, dtype=D)

    def forward(self, x: D[T, N, 4]) -> D[N, 4, T] {
        return self.norm(self.conv(self.rnn(self.fc(x)).permute(1, 2, 0)))
    }
}

export Net() as narrow
export Net(torch.float64) as wide

train Fit {
    self.net = Net()
    self.optimizer = optim.AdamW(self.net.parameters(), lr=0.01)

    def step(self, x: bf16[T, N, 4]) -> (loss: bf16, fc: bf16[4, 4]) {
        loss = (self.net(x) - 1).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss, self.net.fc.weight
    }
}
END
expect 0 'output bf16[2, 4, 3]' "$NNC" run net.nn:narrow --engine=interp --input x=randn --bind N=2 --bind T=3
expect 0 'output f64[2, 4, 3]' "$NNC" run net.nn:wide --engine=interp --input x=randn --bind N=2 --bind T=3
for engine in interp c; do
    expect 0 'fc bf16[4, 4]' "$NNC" run net.nn:Fit.step --engine=$engine --input x=randn --bind N=2 --bind T=3
done
# torch's defaults of both, None, say nothing.
{
    echo 'module Plain {'
    i=0
    for layer in $layers; do
        i=$((i + 1))
        echo "    self.m$i = $layer, dtype=None, device=None)"
    done
    echo '    def forward(self, x: f32[N]) -> f32[N] { return x + torch.zeros(1, dtype=None, device=None) }'
    printf '}\n\nexport Plain() as plain\n'
} >plain.nn
"$NNC" summary --parameters plain.nn >said 2>&1 || { cat said; failed=1; }
grep -E '^m[0-9]+\.' said | grep -v ' f32\[' | grep -v 'num_batches_tracked  *i64' && failed=1
[ "$(grep -cE '^m[0-9]+\.' said)" -gt 60 ] || { echo 'layers without dtype have no parameters'; failed=1; }
printf 'module Net {\n    self.fc = nn.Linear(4, 4, dtype=torch.float64)\n\n    def forward(self, x: f32[N, 4]) -> f64[N, 4] { return self.fc(x) }\n}\n\nexport Net() as net\n' >bad.nn
printf 'module Net {\n    self.fc = nn.Linear(4, 4).half()\n\n    def forward(self, x: f32[N, 4]) -> f32[N, 4] { return self.fc(x) }\n}\n\nexport Net() as net\n' >half.nn
expect 1 'a layer takes its dtype where it is made' "$NNC" check half.nn
expect 1 'Linear takes `x: f64[...S, in_features]` but receives f32[N, 4]; convert it' "$NNC" check bad.nn
exit $failed
