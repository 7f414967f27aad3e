# Mistakes in calls of the library: what is said has both extents, the axis, and where the shapes came from.  What
# an assert says of dims that are not known becomes a check of the entry.
. "$SOURCE_DIR/tests/expect.bash"
# net MEMBER ARGUMENTS EXPRESSION RESULT
net() {
    printf 'module Net {\n    self.m = %s\n\n    def forward(self, %s) -> %s {\n        h = x\n        return %s\n    }\n}\n\nexport Net() as net\n' \
        "$1" "$2" "$4" "$3" >net.nn
}
net 'nn.LSTM(5, 3)' 'x: f32[T, N, 4]' 'self.m(h)[0]' 'f32[T, N, 3]'
expect 1 'a recurrent layer expects 5 input features but receives 4: (T, N, 4)' "$NNC" check net.nn
expect 1 '= shape of input: x f32[T, N, 4] :4' "$NNC" check net.nn
net 'nn.GRU(4, 3)' 'x: f32[T, N, 4], s: f32[2, N, 3]' 'self.m(h, s)[0]' 'f32[T, N, 3]'
expect 1 'expects a state for 1 layers and directions but receives 2: (2, N, 3)' "$NNC" check net.nn
expect 1 '= shape of hx: s f32[2, N, 3] :4' "$NNC" check net.nn
net 'nn.GRU(4, 3)' 'x: f32[T, N, 4], s: f32[1, N, 2]' 'self.m(h, s)[0]' 'f32[T, N, 3]'
expect 1 'expects a state of 3 features but receives 2: (1, N, 2)' "$NNC" check net.nn
net 'nn.GRUCell(4, 3)' 'x: f32[N, 5]' 'self.m(h)' 'f32[N, 3]'
expect 1 'a recurrent layer expects 4 input features but receives 5: (N, 5)' "$NNC" check net.nn
net 'nn.Conv2d(3, 6, 3)' 'x: f32[N, 4, 8, 8]' 'self.m(h)' 'f32[N, 6, 6, 6]'
expect 1 'conv2d expects 3 input channels but receives 4' "$NNC" check net.nn
expect 1 '= shape of x: x f32[N, 4, 8, 8] :4' "$NNC" check net.nn
net 'nn.MultiheadAttention(8, 2)' 'x: f32[T, N, 4]' 'self.m(h, h, h)[0]' 'f32[T, N, 8]'
expect 1 'linear expects 8 input features but receives 4: (N, T, 4)' "$NNC" check net.nn
expect 1 '= shape of value: x f32[T, N, 4] :4' "$NNC" check net.nn
net 'nn.GLU()' 'x: f32[N, 5]' 'self.m(h)' 'f32[N, 2]'
expect 1 'glu halves axis -1, which has 5 elements: (N, 5)' "$NNC" check net.nn
net None 'x: f32[N, 4]' 'torch.topk(h, 5)[0]' 'f32[N, 5]'
expect 1 'topk: k=5 is more than the 4 elements of axis -1: (N, 4)' "$NNC" check net.nn
net None 'x: f32[N, 10], y: f32[M]' 'F.cross_entropy(h, y)' f32
expect 1 'class probabilities have shape (M,) but the input has shape (N, 10)' "$NNC" check net.nn
net None 'x: f32[N, 4], y: f32[5, 3]' 'h @ y' 'f32[N, 3]'
expect 1 'f32[N, 4] and f32[5, 3] do not multiply: axis 1 of the first has 4, axis 0 of the second 5' "$NNC" check net.nn
expect 1 '= shape of the second operand: y f32[5, 3] :4' "$NNC" check net.nn
net None 'x: f32[N, 10]' 'h.view(N, 3, 4)' 'f32[N, 3, 4]'
expect 1 'f32[N, 10] does not reshape to [N, 3, 4]: 10*N elements are not 12*N' "$NNC" check net.nn
net None 'x: f32[N, 6], y: f32[N, 3]' 'torch.slice_scatter(h, y, 1, 1, 3)' 'f32[N, 6]'
expect 1 'slice_scatter: src has 3 elements along axis 1, the slice has 2: (N, 3) and (N, 6)' "$NNC" check net.nn
net None 'x: f32[N, 6], y: f32[5, 1]' 'torch.slice_scatter(h, y, 0, -5)' 'f32[N, 6]'
expect 1 'slice_scatter: src has 1 elements along axis 1, the slice has 6: (5, 1) and (N, 6)' "$NNC" check net.nn
net None 'x: f32[N, 6], y: f32[N]' 'torch.select_scatter(h, y, 1, 6)' 'f32[N, 6]'
expect 1 'select_scatter: index 6 is out of range for the 6 elements of axis 1: (N, 6)' "$NNC" check net.nn
net None 'x: f32[N, 6], y: f32[N]' 'torch.select_scatter(h, y, 1, -7)' 'f32[N, 6]'
expect 1 'select_scatter: index -7 is out of range for the 6 elements of axis 1: (N, 6)' "$NNC" check net.nn
net None 'x: f32[N, 6], y: f32[5]' 'torch.select_scatter(h, y, 0, 3)' 'f32[N, 6]'
expect 1 'select_scatter: src has 5 elements along axis 1, the slice has 6: (1, 5) and (N, 6)' "$NNC" check net.nn
net None 'x: f32[N, 6]' 'torch.histc(h, 4, 2, 1)' 'f32[4]'
expect 1 'histc: max=1 is below min=2' "$NNC" check net.nn
net None 'x: f32[N, 6]' 'torch.quantile(h, 1.5)' f32
expect 1 'quantile: q=1.5 is not between 0 and 1' "$NNC" check net.nn
net None 'x: f32[N, 6]' 'torch.nanquantile(h, [0.5, -0.1])' 'f32[2]'
expect 1 'quantile: q=-0.1 is not between 0 and 1' "$NNC" check net.nn
# What would have a shape that depends on values says so, and what to write instead.
refused() { # EXPRESSION TEXT ALTERNATIVE
    net None 'x: i64[N, 4]' "$1" i64
    expect 1 "would depend on $2" "$NNC" check net.nn
    expect 1 "$3" "$NNC" check net.nn
}
refused 'torch.masked_select(h, h > 0).sum()' "the mask's values" 'use where(mask, x, 0)'
refused 'h.masked_select(h > 0).sum()' "the mask's values" 'x.masked_fill(~mask, 0)'
refused 'torch.nonzero(h).sum()' values 'torch.count_nonzero(x) for their number'
refused 'h.nonzero(as_tuple=True)[0].sum()' values 'use the mask x != 0'
refused 'torch.argwhere(h).sum()' values 'torch.topk of the mask'
refused 'torch.where(h > 0)[0].sum()' values 'give both values, where(c, a, b)'
refused 'torch.unique(h).sum()' values 'use torch.sort(x)'
refused 'h.unique(return_counts=True)[1].sum()' values 'torch.bincount(x, minlength=n)'
refused 'torch.unique_consecutive(h).sum()' values 'the mask of elements unlike the one before'
refused 'h[h > 0].sum()' values '(x * mask).sum() for a sum'
net None 'x: f32[N, 4]' 'torch.autograd.grad(h * h, x)[0]' 'f32[N, 4]'
expect 1 'autograd.grad needs grad_outputs: the output is no scalar: (N, 4)' "$NNC" check net.nn
net None 'x: f32[N, 4], y: f32[3]' 'torch.autograd.grad(h.sum(), (x, y))[0]' 'f32[N, 4]'
expect 1 'grad(): the value does not depend on f32[3]' "$NNC" check net.nn
net None 'x: f32[N, 4], y: f32[3]' 'torch.autograd.grad(h.sum(), (x, y), allow_unused=True)[1]' 'f32[3]'
expect 1 'declares a result but returns nothing' "$NNC" check net.nn
net None 'x: f32[N, 4]' 'torch.autograd.grad(h.sum(), x, allow_unused=False, materialize_grads=True)[0]' 'f32[N, 4]'
expect 1 'materialize_grads=True allows unused inputs' "$NNC" check net.nn
net None 'x: f32[N, 4]' 'torch.autograd.grad(h, x, h, is_grads_batched=True)[0]' 'f32[N, 4]'
expect 1 'is_grads_batched is not supported: call it for each of the grad_outputs' "$NNC" check net.nn
net None 'x: f32[N, 3, 4]' 'F.grid_sample(h, h)' 'f32[N, 3, 4]'
expect 1 'grid_sample expects an input of 4 or 5 dimensions, not 3: (N, 3, 4)' "$NNC" check net.nn
net None 'x: f32[N, 3, 4, 3]' 'F.grid_sample(h, h)' 'f32[N, 3, 4, 4]'
expect 1 'grid_sample: the grid has 3 coordinates for 2 axes: (N, 3, 4, 3)' "$NNC" check net.nn
net None 'x: f32[N, 3, 4]' 'F.affine_grid(h, (5, 1, 2, 2))' 'f32[5, 2, 2, 2]'
expect 1 'affine_grid expects matrices [N, 2, 3], not (N, 3, 4)' "$NNC" check net.nn
net None 'x: f32[N, 3, 4]' 'torch.movedim(h, (0, 0), (1, 2))' 'f32[3, 4, N]'
expect 1 'movedim: source has an axis twice: (0, 0)' "$NNC" check net.nn
net None 'x: f32[N, 3, 4]' 'torch.roll(h, (1, 2), 1)' 'f32[N, 3, 4]'
expect 1 'roll: 2 shifts do not go with 1 dims' "$NNC" check net.nn
net None 'x: f32[N, 4]' 'torch.multinomial(h, 5)' 'i64[N, 5]'
expect 1 'multinomial: 5 different places are more than the 4 of a row' "$NNC" check net.nn
net None 'x: f32[N, 3, 4]' 'torch.linalg.inv(h)' 'f32[N, 3, 4]'
expect 1 'inv expects square matrices, not (N, 3, 4)' "$NNC" check net.nn
net None 'x: f32[N, 4, 4], y: f32[4]' 'torch.linalg.solve(h, y, left=False)' 'f32[N, 4]'
expect 1 'solve: left=False needs matrices on the right, not (4,)' "$NNC" check net.nn
says() { # EXPRESSION TEXT: of images x, a grid g of integers and matrices a
    net None 'x: f32[N, 2, 3, 4], g: i64[N, 3, 4, 2], a: f32[N, 4, 4]' "$1" f32
    expect 1 "$2" "$NNC" check net.nn
    expect 1 ':6:16: error' "$NNC" check --diagnostics=short net.nn
}
says 'F.grid_sample(h, g).sum()' 'grid_sample expects input and grid in one floating-point dtype, not f32 and i64'
says "F.grid_sample(h, g.float(), align_corners='yes').sum()" "grid_sample: align_corners is True or False, not 'yes'"
says "F.interpolate(h, 4, mode='bilinear', align_corners=1).sum()" "interpolate: align_corners is True or False, not '1'"
says "F.affine_grid(a[:, :2, :3], (5, 1, 2, 2), 'no').sum()" "affine_grid: align_corners is True or False, not 'no'"
says 'torch.cdist(a, a, p=-1).sum()' 'cdist: p=-1 is below 0'
says 'torch.pdist(a[0], p=-0.5).sum()' 'pdist: p=-0.5 is below 0'
says 'torch.einsum("nij,njk->niz", a, a).sum()' 'einsum: `z` of the result is in no operand'
says 'torch.einsum("nij,njk->nii", a, a).sum()' 'einsum: `i` stands twice in the result'
says 'torch.einsum("......ij->i", a).sum()' 'einsum: `...` stands twice in an operand'
says 'torch.einsum("nij,njk->nik", a).sum()' 'einsum: the equation has 2 operands, not 1'
says 'torch.einsum("nij,n%k->nik", a, a).sum()' 'einsum: the equation cannot be read'
says 'torch.linalg.solve(a, h[:, 0]).sum()' 'solve: the right side has 3 rows but the matrix 4: (N, 3, 4) and (N, 4, 4)'
says 'torch.linalg.solve(a, h[:, 0, :, :3], left=False).sum()' 'solve: the right side has 3 columns but the matrix 4: (N, 3, 3) and (N, 4, 4)'
says 'torch.linalg.solve(a, a.double()).sum()' 'solve expects both sides in one dtype, not f32 and f64'
says 'torch.linalg.solve_triangular(a, h[:, 0], upper=True).sum()' 'solve_triangular: the right side has 3 rows'
says 'torch.cholesky_solve(h[:, 0], a).sum()' 'cholesky_solve: the right side has 3 rows'
says 'torch.linalg.solve(torch.ones(2, 4, 4), torch.ones(3, 4, 1)).sum()' 'solve: batches of 2 and 3 do not go together: (2, 4, 4) and (3, 4, 1)'
layer() { # LAYER TEXT COLUMN
    net "$1" 'x: f32[N, 4]' h 'f32[N, 4]'
    expect 1 "$2" "$NNC" check net.nn
    expect 1 "net.nn:2:$3: " "$NNC" check --diagnostics=short net.nn
}
layer 'nn.AdaptiveLogSoftmaxWithLoss(4, 4, 5)' 'AdaptiveLogSoftmaxWithLoss takes cutoffs: list | tuple, not 5' 50
layer 'nn.AdaptiveLogSoftmaxWithLoss(4, 4, [2], div_value=-1)' 'div_value=-1 must be above 0' 14
layer 'nn.LayerNorm(nn.ReLU())' 'LayerNorm takes normalized_shape: int | tuple | list, not ReLU(...)' 27
layer 'nn.RMSNorm(4.5)' 'RMSNorm takes normalized_shape: int | tuple | list, not 4.5' 25
layer 'nn.Conv2d(3, 4, nn.ReLU())' 'expected one number or 2, not ReLU(...)' 14
layer 'nn.LazyLinear(4, device=None)' 'LazyLinear: parameters have their shapes before any call: write the size, nn.Linear(in_features, out_features)' 14
layer 'nn.LazyConvTranspose2d(4, kernel_size=3)' 'write the size, nn.ConvTranspose2d(in_channels, out_channels, kernel_size)' 14
layer 'nn.FractionalMaxPool2d(2)' 'FractionalMaxPool2d takes output_size or output_ratio, one of them' 14
layer 'nn.FractionalMaxPool3d(2, output_ratio=1.5)' 'FractionalMaxPool3d: output_ratio is between 0 and 1, not 1.5' 14
says 'F.fractional_max_pool2d(h, 3, output_size=2).sum()' 'fractional_max_pool2d: 2 different windows of 3 are more than the 3 places of axis 2'
# What is trained has a floating-point dtype; the line is that of the layer.
for list in 'nn.Linear(4, 4' 'nn.LayerNorm(4' 'nn.PReLU(4' 'nn.GRUCell(4, 4' 'nn.BatchNorm1d(4'; do
    layer "$list, dtype=torch.int64)" 'would be i64, and only floating-point parameters have a derivative' 14
done
layer 'nn.Linear(4, 4, dtype=torch.bool)' '`weight` would be bool, and only floating-point parameters' 14
layer 'nn.Linear(4, 4, dtype=bool)' 'a dtype is torch.float32, torch.bfloat16, torch.int64, torch.bool' 36
layer 'nn.Parameter(torch.arange(4))' '`nn.Parameter` would be i64' 14
layer 'nn.Linear(4, 4, device="cuda")' '`device=...` has no meaning here' 37
layer 'nn.ReLU(device=None)' '`device=...` has no meaning here' 29
# causal MEMBER CALL MODULE: a hint that nothing masks by is refused, by the attention in MODULE.
causal() {
    net "$1" 'x: f32[T, N, 6]' "self.m($2)" 'f32[T, N, 6]'
    expect 1 'is_causal is a hint about attn_mask, which is missing' "$NNC" check net.nn
    expect 1 "= in module $3" "$NNC" check net.nn
}
encoder='nn.TransformerEncoderLayer(6, 2, 5)' decoder='nn.TransformerDecoderLayer(6, 2, 5)'
causal "$encoder" 'h, is_causal=True' m.self_attn
causal "nn.TransformerEncoder($encoder, 1)" 'h, is_causal=True' m.layers.0.self_attn
for list in "$decoder=m" "nn.TransformerDecoder($decoder, 1)=m.layers.0"; do
    causal "${list%=*}" 'h, h, tgt_is_causal=True' "${list##*=}.self_attn"
    causal "${list%=*}" 'h, h, memory_is_causal=True' "${list##*=}.multihead_attn"
done
causal 'nn.Transformer(6, 2, 1, 1, 5)' 'h, h, src_is_causal=True' m.encoder.layers.0.self_attn
causal 'nn.Transformer(6, 2, 1, 1, 5)' 'h, h, tgt_is_causal=True' m.decoder.layers.0.self_attn
for schedule in linear cosine onecycle step; do
    cat >net.nn <<END
train T {
    self.m = nn.Linear(3, 2)
    self.o = optim.SGD(self.m.parameters(), lr=0.1)
    self.s = optim.lr_scheduler.$schedule(self.o, total_steps=0)
    def run(self, x: f32[N, 3]) -> (loss: f32) {
        loss = self.m(x).sum()
        self.o.zero_grad()
        loss.backward()
        self.o.step()
        self.s.step()
        return loss
    }
}
END
    expect 1 'total_steps=0 must be positive' "$NNC" check net.nn
done

net 'nn.BatchNorm1d(3)' 'x: f32[N, C]' 'self.m(h)' 'f32[N, C]'
"$NNC" check --Werror net.nn || failed=1
expect 0 'output f32[2, 3]' "$NNC" run net.nn --engine=interp --input x=ones --bind N=2 --bind C=3
expect 1 'expects 3 channels but receives C (C == 3)' "$NNC" run net.nn --engine=interp --input x=ones --bind N=2 --bind C=4
cat >net.nn <<'END'
def pairs(x: f32[...S]) -> f32[...S] {
    assert x.shape[0] < 4, "at most 3 rows"
    assert x.shape[1] % 2 == 0, "pairs of columns"
    return x
}

module Net {
    def forward(self, x: f32[N, C]) -> f32[N, C] { return pairs(x) }
}

export Net() as net
END
expect 0 'output f32[3, 2]' "$NNC" run net.nn --engine=interp --input x=ones --bind N=3 --bind C=2
expect 1 'at most 3 rows (N + 1 <= 4)' "$NNC" run net.nn --engine=interp --input x=ones --bind N=4 --bind C=2
expect 1 'pairs of columns (C - 2*(C//2) == 0)' "$NNC" run net.nn --engine=interp --input x=ones --bind N=3 --bind C=3

cat >net.nn <<'END'
module Part {
    self.n = 1

    def forward(self, x: f32[N]) -> f32[N] { return x }
}

module Net {
    self.part = Part()
    self.part.up = self

    def forward(self, x: f32[N]) -> f32[N] { return x }
}

export Net() as net
END
expect 1 'a module cannot contain itself' "$NNC" check net.nn
cat >net.nn <<'END'
module Holder {
    self.fc = nn.Linear(4, 4)
    self.optimizer = optim.SGD(self.fc.parameters(), lr=0.1)

    def forward(self, x: f32[N, 4]) -> f32[N, 4] { return self.fc(x) }
}

module Net {
    self.a = Holder()
    self.b = torch.deepcopy(self.a)

    def forward(self, x: f32[N, 4]) -> f32[N, 4] { return self.b(x) }
}

export Net() as net
END
expect 1 'SGD, which the module holds, cannot be copied' "$NNC" check net.nn
# A clamp of a narrowed copy proves nothing of an index.
cat >net.nn <<'END'
module Net {
    def forward(self, t: f32[10], x: i64[N]) -> f32[N] {
        y = where(x.to(torch.int8) < 0, 0, x)
        z = where(y.to(torch.int8) > 9, 9, y)
        return torch.index_select(t, 0, z)
    }
}

export Net() as net
END
"$NNC" net.nn --emit=ir -o - | grep -q 'range' || { echo "no check of the ids"; failed=1; }
sed -i 's/\.to(torch.int8)//' net.nn
"$NNC" net.nn --emit=ir -o - | grep -q 'range' && { echo "clamped ids are checked"; failed=1; }
exit $failed
