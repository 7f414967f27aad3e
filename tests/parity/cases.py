"""The cases, one row per layer, function, loss and optimizer.

Tensors: `kind: extents`, separated by `;` and named x0, x1, ...  Extents are numbers or the dims N, M, T, C, L, which are
symbolic in the language.  Kinds: nothing is [-2, 2), p [0.1, 2), u [0.05, 0.95), s [-0.5, 0.5), w [-6, 6), i5 ids in
[0, 5), i1..5 ids in [1, 5), b bools; d before a kind: no gradient.
"""

from case import Table

table = Table()
layer, function, optimizer = table.layer, table.function, table.optimizer


def all_cases():
    return table.cases


IN = {"inputs": "N 4 7 6"}

# ---- linear, lookup ----

layer("nn.Linear", "N 5", "5, 3", ("4, 2, bias=False", {"inputs": "2 N 4"}), ("0, 2", {"inputs": "N 0"}), zero="N")
layer("nn.Bilinear", "N 5; N 4", "5, 4, 3", ("2, 3, 4, bias=False", {"inputs": "M N 2; M N 3"}), call="m(x0, x1)", zero="N")
layer("nn.Embedding", "i7: N T", "7, 3", "9, 4, padding_idx=2", "7, 3, padding_idx=-7", "7, 3, 1, 0.5", "7, 3, None, 0.8, 1.0",
      "7, 3, scale_grad_by_freq=True", "9, 3, max_norm=1.0, norm_type=3.0, scale_grad_by_freq=True, padding_idx=3",
      ("7, 3", {"call": "F.embedding(x0, m.weight, max_norm=0.5, norm_type=1.0)"}), zero="N")
function("F.embedding", "i7: N T; 7 3", "x0, x1", "x0, x1, 2", "x0, x1, padding_idx=-3, scale_grad_by_freq=True")
layer("nn.EmbeddingBag", "i7: N T", "7, 3", "7, 3, 0.7, 1.0, mode='sum'", "7, 3, max_norm=0.5, scale_grad_by_freq=True", "9, 4, mode='sum', padding_idx=2", "7, 3, mode='max', padding_idx=-1",
      ("7, 3, mode='sum'", {"inputs": "i7: N T; N T", "call": "m(x0, per_sample_weights=x1)"}),
      ("7, 3", {"inputs": "i7: L", "call": "m(x0, torch.arange(3) * 2)"}),
      ("7, 3, mode='max', padding_idx=1", {"inputs": "i7: L", "call": "m(x0, torch.arange(3) * 2)"}),
      ("7, 3, mode='sum', include_last_offset=True", {"inputs": "i7: 6", "call": "m(x0, torch.arange(4) * 2)"}))
layer("nn.Identity", "N 5", "", "54, 0.1")
layer("nn.Flatten", "N 4 3 2", "", "2", "0, 2", "start_dim=-2, end_dim=-1", zero="N")
layer("nn.Unflatten", "N 12 2", "1, (3, 4)", "1, (2, 2, 3)", ("0, (2, 2)", {"inputs": "4 3"}), zero="N")

# ---- activations ----

for name in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish"):
    layer(f"nn.{name}", "w: N 5", "", "inplace=True", ("", {"inputs": "N 5", "special": True}), zero="N")
# torch's derivative at NaN is NaN in its vectors and the upstream gradient in its scalars, so it depends on the processor.
layer("nn.Hardswish", "w: N 5", "", "inplace=True", ("", {"inputs": "N 5", "special": True, "special_gradients": False}), zero="N")
for name in ("Sigmoid", "Tanh", "Softsign", "Tanhshrink", "LogSigmoid"):
    layer(f"nn.{name}", "w: N 5", "", ("", {"inputs": "N 5", "special": True}), zero="N")
# torch's derivatives of these two use 1/6 and 1/alpha rounded to f32.
layer("nn.Hardsigmoid", "w: N 5", "", "inplace=True", ("", {"inputs": "N 5", "special": True}), rounded=True)
layer("nn.CELU", "w: N 5", "", "0.7, True", ("alpha=2.0", {"inputs": "N 5", "special": True}), rounded=True)
layer("nn.LeakyReLU", "w: N 5", "", "0.2, inplace=True", ("-0.3", {"inputs": "N 5", "special": True}))
layer("nn.ELU", "w: N 5", "", "0.7, True", ("alpha=2.0", {"inputs": "N 5", "special": True}))
layer("nn.GELU", "w: N 5", "", "approximate='tanh'", ("", {"inputs": "N 5", "special": True}))
layer("nn.Softplus", "w: N 5", "", "2.0, 3.0", ("beta=0.5, threshold=1.0", {"inputs": "N 5", "special": True}))
layer("nn.Hardtanh", "w: N 5", "", "-2.0, 0.5", ("0.0, 1.0, inplace=True", {"inputs": "N 5", "special": True}))
layer("nn.Hardshrink", "N 5", "", "1.0", ("0.2", {"special": True}))
layer("nn.Softshrink", "N 5", "", "1.0", ("0.2", {"special": True}))
layer("nn.Threshold", "N 5", "0.1, 20.0", "-0.5, 3.0", ("0.5, -1.0, inplace=True", {"special": True}))
layer("nn.GLU", "N 6 4", "", "1", "dim=-2", zero="N")
layer("nn.PReLU", "N 4 5", "", "4, 0.1", ("num_parameters=4", {"inputs": "N 4"}), ("", {"special": True}))
layer("nn.Softmax", "N 5 4", "1", "dim=-1", "0", zero="M")
layer("nn.LogSoftmax", "N 5 4", "1", "dim=-1", "0")
layer("nn.Softmax2d", "N 4 3 2", "", ("", {"inputs": "4 3 2"}))
layer("nn.RReLU", "N 5", ("", {"train": False}), ("0.2, 0.2, inplace=True", {"special": True}), ("lower=0.1, upper=0.5", {"train": False}))
layer("nn.Softmin", "N 5 4", "1", "dim=-1", "0")

# ---- convolution, pooling ----

layer("nn.Conv1d", "N 4 9", "4, 6, 3", "4, 2, (2,), stride=2, padding=1, dilation=2, groups=2, bias=False",
      "4, 3, 3, padding='same', padding_mode='reflect'", ("2, 3, 2", {"inputs": "2 8"}), "4, 2, 4, padding=2, padding_mode='circular'")
layer("nn.Conv2d", "N 4 7 6", "4, 6, 3", "4, 2, (2, 3), (2, 1), (1, 2), (2, 1), 2, False", "4, 3, 3, padding='same', dilation=2",
      ("2, 3, 2, padding='valid'", {"inputs": "2 8 5"}), "4, 2, 3, padding=(2, 1), padding_mode='replicate'")
layer("nn.Conv3d", "M 2 5 4 6", "2, 4, 3", "2, 2, (2, 3, 1), (2, 1, 1), (1, 0, 2), (2, 1, 1), 2, False",
      ("4, 2, 2, padding=1, padding_mode='circular'", {"inputs": "M 4 3 2 3"}))
for d, extent, window in ((1, "9", "(2,)"), (2, "9 8", "(2, 3)"), (3, "5 6 7", "(2, 3, 2)")):
    unknown = {"inputs": " ".join(["2 2", "T", "C", "L"][: d + 1])}  # lengths that only a call knows
    layer(f"nn.MaxPool{d}d", f"M 3 {extent}", "3", f"{window}, 2, 1", "3, stride=1, dilation=2, padding=1",
          "2, stride=3, padding=1, ceil_mode=True", ("2", {"special": d == 2}), "(2,) * %d, 2, return_indices=True" % d,
          "3, 2, 1, 2, True, True", ("2, return_indices=True", {"inputs": f"3 {extent}"}),
          *((f"{more}, ceil_mode=True", unknown) for more in ("2", "2, 3, 1", "3, 2, 1", "2, return_indices=True")), zero="M" if d == 2 else "")
    layer(f"nn.MaxUnpool{d}d", f"M 3 {extent}", ("2", {"call": f"m(*F.max_pool{d}d(x0, 2, return_indices=True), output_size=x0.shape)"}),
          (f"{window}, 2, 1", {"call": f"m(*F.max_pool{d}d(x0, {window}, 2, 1, return_indices=True), output_size=x0.shape)"}),
          (f"3, stride={(2,) * d}, padding=1", {"inputs": f"3 {extent}", "call": f"m(*F.max_pool{d}d(x0, 3, 2, 1, return_indices=True), output_size={tuple(map(int, extent.split()))})"}))
    function(f"F.max_pool{d}d", f"M 3 {extent}", "x0, 2", f"x0, {window}, 2, 1, 2, True, True", f"x0, 3, stride=1, padding=1, dilation=1, return_indices=True")
    some = ", ".join(["4", "3", "2"][:d])
    place = f"torch.zeros_like(x0, dtype=torch.int64) + torch.arange({(4, 12, 24)[d - 1]}).view({some})"
    function(f"F.max_unpool{d}d", f"M 3 {some.replace(',', '')}", f"x0, {place}, 2", f"x0, {place} * 2, {(2,) * d}, 3, padding=1",
             f"x0, indices={place}, kernel_size=3, stride=3, output_size={(12, 9, 6)[:d]}",
             f"F.max_unpool{d}d(*F.max_pool{d}d(x0, 2, return_indices=True), 2, output_size=x0.shape)", views=False)
    override = [", divisor_override=5"][: d > 1]
    layer(f"nn.AvgPool{d}d", f"M 3 {extent}", "3", f"{window}, 2, 1", "3, stride=2, padding=1, count_include_pad=False",
          "2, stride=3, padding=1, ceil_mode=True", "3, 2, 1, True, False", *("3, 2" + o for o in override),
          *((more, unknown) for more in ("2, 2, 0, True", "2, 3, 1, True", "3, 2, 1, True, False")))

CONV = {1: "9", 2: "5 6", 3: "3 4 3"}
for d, extent in CONV.items():
    k = {1: "(2,)", 2: "(2, 3)", 3: "(2, 3, 1)"}[d]
    layer(f"nn.ConvTranspose{d}d", f"M 4 {extent}", "4, 3, 3", f"4, 6, {k}, 2, 1, 1, 2, False, 2", "4, 2, 2, stride=3, output_padding=2",
          ("2, 3, 2", {"inputs": f"2 {extent}"}), ("4, 3, 3, 3, 1", {"call": f"m(x0, output_size={tuple(3 * int(n) for n in extent.split())})"}),
          ("2, 3, 2, stride=2", {"inputs": f"2 {extent}", "call": f"m(x0, {[2 * int(n) + 1 for n in extent.split()]})"}))
    layer(f"nn.LPPool{d}d", f"p: M 3 {extent}", "2.0, 2", f"3.0, {k if d > 1 else 2}, 1", "1.0, 3, 2, ceil_mode=True")
    # Bins with many phases, of a larger and a smaller result; with few, several periods.
    many = {1: ("M 2 71", "67", "73"), 2: ("M 2 13 11", "(9, 10)", "(17, 12)"), 3: ("M 1 7 6 5", "(6, 5, 4)", "(8, 7, 3)")}[d]
    few = {1: ("M 2 15", "10"), 2: ("M 2 15 6", "(10, 3)"), 3: ("M 1 6 3 4", "(4, 3, 6)")}[d]
    layer(f"nn.AdaptiveMaxPool{d}d", f"M 3 {extent}", "2", "1", f"{tuple(range(2, 2 + d))}", "3, True",
          (f"{tuple(range(2, 2 + d))}, return_indices=True", {"inputs": f"3 {extent}"}), (f"{many[1]}, True", {"inputs": many[0]}),
          (many[2], {"inputs": many[0]}), (f"{few[1]}, True", {"inputs": few[0]}))
    layer(f"nn.AdaptiveAvgPool{d}d", f"M 3 {extent}", "2", "1", f"{tuple(range(2, 2 + d))}", (many[1], {"inputs": many[0]}),
          (many[2], {"inputs": many[0]}), (few[1], {"inputs": few[0]}))
    layer(f"nn.Dropout{d}d", f"M 3 {extent}", "0.0", "p=1.0", "0.0, inplace=True", ("0.5", {"train": False}))
    layer(f"nn.ConstantPad{d}d", f"M 3 {extent}", "1, 0.5", f"{tuple(range(2 * d))}, -2.0", "2, value=3.0")
    for name in ("Zero", "Reflection", "Replication", "Circular"):
        layer(f"nn.{name}Pad{d}d", f"M 3 {extent}", "1", f"{(1, 2, 2, 0, 1, 1)[:2 * d]}", f"{(2, -1, 0, 2, 1, 0)[:2 * d]}")
    layer(f"nn.InstanceNorm{d}d", f"N 4 {extent}", "4", "4, eps=0.01, affine=True", "4, 1e-5, 0.3, True, True",
          ("4, track_running_stats=True, momentum=0.2", {"train": False}), ("2", {"inputs": f"2 {extent}"}), "4, affine=True, bias=False")
for d, extent, size in ((2, "9 8", "(3, 4)"), (3, "5 6 7", "(2, 3, 4)")):
    kept = f"_random_samples=torch.sigmoid(torch.arange({2 * 3 * d}) * 0.37 - 2).view(2, 3, {d})"
    other = kept.replace("- 2", "- 1.3")
    layer(f"nn.FractionalMaxPool{d}d", f"2 3 {extent}", f"2, {size}, {other}", f"{(2, 3, 2)[:d]}, output_size=2, {kept}", f"2, output_ratio=0.5, {kept}",
          f"2, output_ratio={(0.4, 0.6, 0.7)[:d]}, return_indices=True, {kept}", f"2, {(1, 4, 2)[:d]}, None, True, {kept}")
    function(f"F.fractional_max_pool{d}d", f"M 3 {extent}; d: M 3 {d}", f"x0, 2, {size}, _random_samples=1 - torch.sigmoid(x1)", f"x0, {(2, 3, 2)[:d]}, output_size=2, return_indices=True, _random_samples=torch.sigmoid(x1)",
             f"x0, 3, None, {(0.4, 0.5, 0.6)[:d]}, True, _random_samples=torch.sigmoid(x1)", (f"x0, 2, 2, return_indices=True, _random_samples=torch.sigmoid(x1)", {"inputs": f"3 {extent}; d: 1 3 {d}"}), views=False)
layer("nn.LocalResponseNorm", "N 5 4 3", "3", "2, 0.5, 0.6, 2.0", "5, alpha=1.0", zero="N")
layer("nn.AlphaDropout", "N 5", "0.0", "p=0.3, inplace=True", train=False)
layer("nn.FeatureAlphaDropout", "N 5 2", "0.0", "p=0.3, inplace=True", train=False)
layer("nn.PixelShuffle", "N 12 3 2", "2", "1", ("3", {"inputs": "9 3 2"}))
layer("nn.PixelUnshuffle", "N 2 6 12", "2", "1", ("3", {"inputs": "2 9 3"}))
layer("nn.ChannelShuffle", "N 6 3 2", "2", "3")
layer("nn.Unfold", "M 3 5 6", "2", "(2, 3), 2, 1, 2", ("3, dilation=1, padding=(1, 0), stride=(2, 1)", {"inputs": "3 5 6"}))
layer("nn.Fold", "M 12 20", "(5, 6), 2", ("(5, 6), (2, 3), 2, 1, 2", {"inputs": "M 12 6"}), ("4, 2, stride=2", {"inputs": "8 4"}))
layer("nn.CosineSimilarity", "N 5 4; N 5 4", "", "2, 0.1", "dim=0", call="m(x0, x1)")
layer("nn.PairwiseDistance", "N 5; N 5", "", "1.0, 0.1, True", "p=3.0", call="m(x0, x1)")
function("F.pad", "M 3 5 6", "x0, (1, 2)", "x0, (1, 2, 0, 1), 'constant', 2.5", "x0, (-1, 2, 1, -2)", "x0, (1, 2, 2, 0), mode='reflect'",
         "x0, (1, 2, 2, 0), mode='replicate'", "x0, (1, 2, 2, 0), mode='circular'", ("x0, (2, 1), mode='reflect'", {"inputs": "3 5"}))

# ---- normalisation ----

for d, text in ((1, "N 4"), (2, "N 4 3 2"), (3, "N 4 3 2 2")):
    layer(f"nn.BatchNorm{d}d", text, "4", "4, eps=0.01, momentum=0.3", "4, affine=False", "4, track_running_stats=False",
          ("4", {"train": False}), ("4, 0.1, 0.2, True, False", {"train": False}), ("2", {"inputs": text.replace("4", "2", 1)}), "4, bias=False")
layer("nn.LayerNorm", "N 4 6", "6", "(4, 6), eps=0.1", "[6], elementwise_affine=False", "6, bias=False", zero="N")
layer("nn.RMSNorm", "N 4 6", "6, eps=1e-5", "(4, 6), eps=0.1", "[6], 0.5, elementwise_affine=False", zero="N")
layer("nn.GroupNorm", "N 4 6", "2, 4", "4, 4, eps=0.1", ("2, 6, affine=False, eps=0.01", {"inputs": "N 6 5"}),
      ("2, 4, bias=False", {"inputs": "N 4 3 2"}), zero="N")

# ---- dropout: what does not depend on random numbers ----

layer("nn.Dropout", "N 5", "0.0", "p=1.0", "0.0, inplace=True", ("0.5", {"train": False}))

# ---- losses ----

REDUCTIONS = ("reduction='mean'", "reduction='sum'", "reduction='none'")


def loss(row, inputs, *items, call="m(x0, x1)", **options):
    layer(row, inputs, *REDUCTIONS, *items, call=call, **options)


loss("nn.MSELoss", "N 5; N 5", zero="N")
loss("nn.L1Loss", "N 5; N 5", zero="N")
loss("nn.SmoothL1Loss", "N 5; N 5", "beta=0.3", "beta=0.0")
loss("nn.HuberLoss", "N 5; N 5", "delta=0.3")
loss("nn.BCELoss", "u: N 5; u: N 5", "torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2])")
loss("nn.BCEWithLogitsLoss", "w: N 5; u: N 5", "torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2])", "pos_weight=torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2])", "0.5 * torch.ones(5), reduction='none', pos_weight=2 * torch.ones(5)")
loss("nn.KLDivLoss", "N 5; u: N 5", "reduction='batchmean', log_target=True", "reduction='batchmean'")
loss("nn.NLLLoss", "N 5; i5: N", "ignore_index=2", ("", {"inputs": "N 5 4; i5: N 4"}), ("", {"inputs": "5; i5:"}), "torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2])", "weight=torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2]) * 2, reduction='sum'")
loss("nn.CrossEntropyLoss", "N 5; i5: N", "ignore_index=2, label_smoothing=0.1", ("label_smoothing=0.2", {"inputs": "N 5 4; i5: N 4"}),
     "reduction='none', label_smoothing=0.3, ignore_index=1", ("label_smoothing=0.1", {"inputs": "N 5; u: N 5"}),
     ("reduction='sum'", {"inputs": "N 5 4; u: N 5 4"}), ("", {"inputs": "5; i5:"}), "torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2])", ("weight=torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2]), label_smoothing=0.1", {"inputs": "N 5 4; i5: N 4"}))
loss("nn.SoftMarginLoss", "N 5; d: N 5", call="m(x0, torch.sign(x1))")
loss("nn.HingeEmbeddingLoss", "N 5; N 5", "0.3", "margin=2.0, reduction='sum'", call="m(x0, torch.sign(x1))")
loss("nn.CosineEmbeddingLoss", "N 5; N 5; N", "0.3", ("margin=-0.2", {"inputs": "5; 5; 1", "call": "m(x0, x1, torch.sign(x2)[0])"}),
     call="m(x0, x1, torch.sign(x2))")
loss("nn.MarginRankingLoss", "N 5; N 5; N 5", "0.5", "margin=1.0, reduction='none'", call="m(x0, x1, torch.sign(x2))")
loss("nn.TripletMarginLoss", "N 5; N 5; N 5", "0.5, 1.0, 1e-3, True", "p=3.0, margin=2.0", "swap=True, reduction='none'", call="m(x0, x1, x2)")
loss("nn.TripletMarginWithDistanceLoss", "N 5; N 5; N 5", "margin=0.5, swap=True", "distance_function=nn.PairwiseDistance(p=1.0)",
     "distance_function=F.cosine_similarity, margin=0.7", call="m(x0, x1, x2)")
loss("nn.PoissonNLLLoss", "N 5; p: N 5", "full=True", ("False, eps=0.1, full=True", {"inputs": "p: N 5; p: N 5"}), call="m(x0, x1 * 2)")
loss("nn.GaussianNLLLoss", "N 5; N 5; p: N 5", "full=True", "eps=1.0", ("eps=0.5, full=True", {"inputs": "N 5; N 5; p: N 1"}),
     ("reduction='none'", {"inputs": "N 5; N 5; p: N"}), call="m(x0, x1, x2)")
loss("nn.MultiMarginLoss", "N 5; i5: N", "2, 0.5", "p=2, reduction='none'", ("", {"inputs": "5; i5:"}), "weight=torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2])")
loss("nn.MultiLabelMarginLoss", "N 5; i-1..5: N 5", ("", {"inputs": "5; i-1..5: 5"}))
loss("nn.MultiLabelSoftMarginLoss", "N 5; u: N 5", "torch.tensor([0.5, 1.5, 2.0, 0.7, 1.2])")

# Each sample has targets of every cluster: torch gives one without a target no gradient.
layer("nn.AdaptiveLogSoftmaxWithLoss", "N 9", "9, 12, [3, 7], 2.0", ("9, 10, (2, 5, 8), 1.5, True", {"inputs": "10 9", "call": "m(x0, torch.arange(10))"}),
      ("8, 6, cutoffs=[2], head_bias=False", {"inputs": "8", "call": "m(x0, torch.tensor(4))"}),
      ("9, 12, [1, 11]", {"call": "m.log_prob(x0)"}), ("9, 12, [3, 7], 3.0, True", {"inputs": "N 9", "call": "m.predict(x0 * 3)"}),
      call="m(x0, torch.arange(x0.shape[0]) * 4 % 12)")

# Tensors among the options: as functions.
function("F.nll_loss", "N 5; i5: N; dp: 5", "x0, x1, x2", "x0, x1, weight=x2, reduction='sum'", "x0, x1, x2, ignore_index=1",
         "x0, x1, x2, reduction='none'", "x0, x1")
function("F.cross_entropy", "N 5; i5: N; dp: 5", "x0, x1, x2", "x0, x1, weight=x2, reduction='sum', label_smoothing=0.2",
         "x0, x1, x2, ignore_index=1, label_smoothing=0.1", "x0, x1, x2, reduction='none'", "x0, x1",
         ("x0, x1, x2, label_smoothing=0.1", {"inputs": "N 5; u: N 5; dp: 5"}))
function("F.binary_cross_entropy", "u: N 5; u: N 5; dp: N 5", "x0, x1, x2", "x0, x1, reduction='sum'", "x0, x1, x2, reduction='none'",
         ("x0, x1, x2", {"inputs": "u: N 5; u: N 5; dp: 5"}))
function("F.binary_cross_entropy_with_logits", "N 5; u: N 5; dp: 5", "x0, x1, x2", "x0, x1, pos_weight=x2", "x0, x1, x2, reduction='none', pos_weight=x2",
         "x0, x1, reduction='sum'")
function("F.mse_loss", "N 5; N 5; p: N 5", "x0, x1, weight=x2", "x0, x1, reduction='sum', weight=x2", "x0, x1, reduction='none'",
         "x0, x0 * 1")
function("F.l1_loss", "N 5; N 5; p: N 5", "x0, x1, weight=x2", "x0, x1, reduction='sum', weight=x2", "x0, x1, reduction='none'")
function("F.huber_loss", "N 5; N 5; p: N 5", "x0, x1, weight=x2", "x0, x1, reduction='sum', weight=x2, delta=0.5", "x0, x1, reduction='none'")
function("F.multi_margin_loss", "N 5; i5: N; dp: 5", "x0, x1, weight=x2", "x0, x1, 2, 0.5, reduction='sum', weight=x2", "x0, x1, reduction='none'")
function("F.multilabel_soft_margin_loss", "N 5; u: N 5; dp: 5", "x0, x1, weight=x2", "x0, x1, reduction='sum'", "x0, x1, reduction='none', weight=x2")

# Lengths are lists or tensors; targets are padded, or stand one after the other.
layer("nn.CTCLoss", "w: T N 5; i1..5: N 2", "", ("1, 'sum'", {"inputs": "w: T N 5; i2..5: N 2"}), "reduction='none', zero_infinity=True",
      ("blank=4, reduction='none'", {"inputs": "w: T N 5; i4: N 3; i3..6: N; i3: N", "call": "m(torch.log_softmax(x0, 2), x1, x2, x3)"}),
      ("zero_infinity=True", {"inputs": "w: T N 5; i4: N 3; i6: N; i4: N", "call": "m(torch.log_softmax(x0, 2), x1, x2, x3)"}),
      ("reduction='sum', zero_infinity=True", {"inputs": "w: T N 5; i1..5: 6; i3..6: N", "call": "m(torch.log_softmax(x0, 2), x1, x2, torch.tensor([2, 3, 1]))"}),
      ("", {"inputs": "w: T N 5; i1..5: 3", "call": "m(torch.log_softmax(x0, 2), x1, (5, 4, 3), (2, 0, 1))"}),
      ("reduction='none'", {"inputs": "w: T 5; i1..5: 2", "call": "m(x0.log_softmax(1), x1, torch.tensor(5), torch.tensor(2))"}),
      call="m(torch.log_softmax(x0, 2), x1, (5, 4, 4), (2, 1, 0))", condition=4)
function("F.ctc_loss", "w: T N 5; i1..5: N 2", "x0.log_softmax(-1), x1, (5, 4, 4), (2, 1, 1)", "x0.log_softmax(-1), x1, (5, 1, 4), (2, 2, 1), reduction='none'",
         "x0.log_softmax(-1), x1, (4, 4, 4), (2, 0, 1), 0, 'sum', True",
         "x0.log_softmax(-1), x1 - 1, (5, 4, 5), (2, 1, 1), blank=4, reduction='none'", condition=4)

# ---- recurrent ----

for row in ("nn.LSTM", "nn.GRU", "nn.RNN"):
    state = ("T N 4; 1 N 3; 1 N 3", "m(x0, (x1, x2))") if row == "nn.LSTM" else ("T N 4; 1 N 3", "m(x0, x1)")
    own = {"nn.RNN": ("4, 2, 2, 'relu', False, True, 0.0, True", "4, 3, nonlinearity='relu'"), "nn.GRU": ("4, 2, 2, False, True, 0.0, True",),
           "nn.LSTM": ("4, 2, 2, False, True, 0.0, True", "4, 3, proj_size=2, num_layers=2, bidirectional=True")}
    layer(row, "T N 4", "4, 3", *own[row], "4, 3, num_layers=2, bidirectional=True", ("4, 5, batch_first=True", {"inputs": "N T 4"}),
          ("4, 3", {"inputs": state[0], "call": state[1]}), ("4, 3, dropout=0.4, num_layers=2", {"train": False}),
          ("2, 3, bidirectional=True", {"inputs": "T 2"}))
layer("nn.LSTMCell", "N 4", "4, 3", "4, 2, bias=False", ("2, 3", {"inputs": "N 2; N 3; N 3", "call": "m(x0, (x1, x2))"}), zero="N")
layer("nn.GRUCell", "N 4", "4, 3", "4, 2, bias=False", ("2, 3", {"inputs": "N 2; N 3", "call": "m(x0, x1)"}))
layer("nn.RNNCell", "N 4", "4, 3", "4, 2, bias=False, nonlinearity='relu'", ("2, 3", {"inputs": "N 2; N 3", "call": "m(x0, x1)"}))

# ---- attention, resizing ----

layer("nn.MultiheadAttention", "T N 4; T N 4", "4, 2", ("6, 3, 0.0, False, batch_first=True", {"inputs": "N T 6; N 3 6"}),
      ("4, 2, kdim=3, vdim=5", {"inputs": "T N 4; M N 3; M N 5", "call": "m(x0, x1, x2, average_attn_weights=False)"}),
      ("4, 1", {"inputs": "T N 4; M N 4; T M", "call": "m(x0, x1, x1, attn_mask=x2, need_weights=False)[0]"}),
      ("4, 2, batch_first=True", {"inputs": "N T 4; N T 4", "call": "m(x0, x1, x1, key_padding_mask=torch.arange(5) > 3 + 0 * torch.arange(3).unsqueeze(-1))"}),
      ("4, 2", {"inputs": "T 4; M 4"}), ("4, 2, dropout=0.5", {"train": False}), "4, 2, 0.0, True, True, True",
      ("4, 2, add_bias_kv=True", {"inputs": "T N 4; M N 4; T M", "call": "m(x0, x1, x1, attn_mask=x2)"}),
      ("6, 2, add_zero_attn=True, batch_first=True", {"inputs": "N T 6; N T 6", "call": "m(x0, x1, x1, key_padding_mask=torch.arange(5) > 3 + 0 * torch.arange(3).unsqueeze(-1))"}),
      call="m(x0, x1, x1)")
layer("nn.TransformerEncoderLayer", "T N 4", "4, 2, 5, 0.0", "4, 2, 5, 0.0, 'gelu', 0.1, False, True, False",
      ("6, 3, dim_feedforward=7, dropout=0.0, batch_first=True", {"inputs": "N T 6"}), ("4, 1, 5, 0.0, F.silu", {"inputs": "T N 4; T T", "call": "m(x0, x1)"}),
      ("4, 1, 5, 0.0", {"call": "m(x0, nn.Transformer.generate_square_subsequent_mask(5), is_causal=True)"}), ("4, 2, 5, dropout=0.3", {"train": False}))
layer("nn.TransformerDecoderLayer", "T N 4; M N 4", "4, 2, 5, 0.0", "4, 2, 5, 0.0, 'gelu', 0.1, False, True, False",
      ("6, 3, dim_feedforward=7, dropout=0.0, batch_first=True", {"inputs": "N T 6; N M 6"}), ("4, 2, 5, dropout=0.3", {"train": False}), call="m(x0, x1)")
layer("nn.TransformerEncoder", "T N 4", "nn.TransformerEncoderLayer(4, 2, 5, 0.0), 2",
      "nn.TransformerEncoderLayer(4, 1, 3, 0.0, norm_first=True), 1, nn.LayerNorm(4)",
      ("nn.TransformerEncoderLayer(4, 2, 5, 0.0, batch_first=True), 3, norm=None, enable_nested_tensor=False, mask_check=False",
       {"inputs": "N T 4; T T", "call": "m(x0, mask=x1)"}))
layer("nn.TransformerDecoder", "T N 4; M N 4", "nn.TransformerDecoderLayer(4, 2, 5, 0.0), 2",
      ("nn.TransformerDecoderLayer(4, 1, 3, 0.0, norm_first=True), 1, norm=nn.LayerNorm(4)", {"inputs": "T N 4; M N 4; T T; T M", "call": "m(x0, x1, x2, x3)"}),
      call="m(x0, x1)")
layer("nn.Transformer", "T N 4; M N 4", "4, 2, 1, 1, 5, 0.0", "4, 1, 2, 1, 3, 0.0, 'gelu', None, None, 0.1, False, True, False",
      ("6, 3, num_encoder_layers=1, num_decoder_layers=2, dim_feedforward=7, dropout=0.0, batch_first=True",
       {"inputs": "N T 6; N M 6", "call": "m(x0, x1, src_mask=nn.Transformer.generate_square_subsequent_mask(5))"}),
      ("d_model=4, nhead=2, custom_encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 3, 0.0), 1), "
       "custom_decoder=nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 3, 0.0), 1)", {}), call="m(x0, x1)")
function("F.interpolate", "M 3 5 4", "x0, size=(7, 3)", "x0, scale_factor=2.0", "x0, 3, mode='nearest-exact'", "x0, (7, 9), mode='bilinear'",
         "x0, (3, 6), mode='bilinear', align_corners=True", "x0, scale_factor=(1.5, 2.0), mode='bicubic'",
         "x0, (7, 3), None, 'bicubic', True", ("x0, 7, mode='linear'", {"inputs": "M 3 5"}),
         ("x0, scale_factor=2, mode='trilinear'", {"inputs": "M 2 2 3 2"}),
         "x0, (3, 7), mode='bilinear', antialias=True", "x0, (7, 2), mode='bicubic', antialias=True", "x0, (2, 3), None, 'bilinear', True, None, True",
         "x0, (2, 2), mode='bicubic', align_corners=False, antialias=True", "x0, scale_factor=0.7, mode='bilinear', recompute_scale_factor=True",
         # Lengths that only a call knows, multiplied and given by another tensor.
         *((f"x0, scale_factor={more}", {"inputs": "2 2 T L"}) for more in (
             "2", "3, mode='nearest-exact'", "2, mode='bilinear'", "3, mode='bilinear', align_corners=True", "(1.5, 4), mode='bicubic'", "0.5, mode='bicubic', align_corners=True",
             "0.25, mode='nearest'", "1.5, mode='nearest-exact'", "2, mode='area'", "1.25, mode='bilinear', recompute_scale_factor=True")),
         *((f"x0, x1.shape[1:], mode={more}", {"inputs": "2 2 T L; d: 2 C N"}) for more in (
             "'nearest'", "'nearest-exact'", "'bilinear'", "'bilinear', align_corners=True", "'bicubic'", "'bicubic', align_corners=True", "'area'")),
         *((f"x0, x1.shape[2:], mode={more}", {"inputs": "2 2 4 3; d: 1 2 T L"}) for more in ("'bilinear'", "'bicubic', align_corners=True")),
         ("x0, (x0.shape[-1], 7), mode='bilinear'", {"inputs": "2 2 1 L"}), ("x0, (5, 1), mode='bicubic', align_corners=True", {"inputs": "2 2 T L"}),
         ("x0, scale_factor=2, mode='linear'", {"inputs": "2 2 T"}), ("x0, (C, 4, T), mode='trilinear'".replace("C", "x1.shape[0]").replace("T", "x0.shape[2]"), {"inputs": "1 2 T L 3; d: C"}))
layer("nn.Upsample", "M 3 5 4", "(7, 3)", "scale_factor=2, mode='bilinear'", "None, 1.5, 'bilinear', True", "scale_factor=3, mode='bicubic', align_corners=True", "scale_factor=1.7, mode='bilinear', recompute_scale_factor=True",
      *((more, {"inputs": "M 2 T L"}) for more in ("scale_factor=2", "None, 2.0, 'bilinear', True")))

layer("nn.UpsamplingNearest2d", "M 3 5 4", "(7, 3)", "scale_factor=2", "None, (2, 3)")
layer("nn.UpsamplingBilinear2d", "M 3 5 4", "(7, 3)", "scale_factor=2", "None, (2, 3)")

# ---- functions of tensors ----

function("torch.kron", "N 3; M 4", "x0, x1", ("x0, x1", {"inputs": "5; 2"}), ("x0, x0 * 1", {"inputs": "3 2"}))
function("torch.diagonal", "4 5 3", "x0", "x0, 1", "x0, -2, 1, 2", "x0, 0, dim1=-1, dim2=0")
function("torch.diag", "4 5", "x0", "x0, -1", ("x0, 2", {"inputs": "3"}), ("x0", {"inputs": "N"}))
function("torch.trace", "4 5", "x0", ("x0", {"inputs": "3 3"}))
function("torch.heaviside", "d: N 5; d: N 5", "x0, x1", ("x0, x1", {"special": True}), ("x0, x1", {"inputs": "d: N 1; d: 4"}))
function("torch.hypot", "N 5; N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; 4"}))
function("torch.logaddexp", "N 5; N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; 4"}), "x0, x0 * 1")
function("torch.logaddexp2", "N 5; N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; 4"}))
# The largest number is that of the dtype: beside torch in f64 only where it is.
function("torch.nan_to_num", "N 5", "x0, 0.5, 3.0, -4.0", ("x0, nan=1.0, posinf=2.0, neginf=-3.0", {"special": True}),
         ("(torch.isfinite(torch.nan_to_num(x0)), torch.nan_to_num(x0) > 1e38, torch.nan_to_num(x0) < -1e38, torch.nan_to_num(x0, posinf=1.0, neginf=-1.0))", {"special": True, "no_gradient": True}),
         ("x0", {"inputs": "i-9..9: N 5"}))
function("torch.logit", "u: N 5", "x0", "x0, 0.2", "x0, eps=0.1")
function("torch.xlogy", "N 5; p: N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; p: 4"}))
function("torch.sinc", "N 5", "x0", ("x0", {"inputs": "w: N"}))
function("torch.copysign", "N 5; d: N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; d: 4"}), "x0, torch.sign(x1) * -0.0", ("torch.copysign(x0 * 0.0, x1) * 0 + 1 / torch.copysign(x0.detach() * 0.0, x1)", {}), "(torch.copysign(x0, -2), torch.copysign(x0, -0.0), torch.copysign(x0, 3.0))", ("x0, x1", {"inputs": "i-9..9: N 5; i-9..9: N 5"}))
function("torch.signbit", "N 5", "x0", "(torch.signbit(x0 * 0.0), torch.signbit(x0 * -0.0), torch.signbit(x0 / 0))", ("x0", {"inputs": "i-2..2: N 5"}), no_gradient=True)
function("torch.fmod", "N 5; dp: N 5", "x0, x1", ("x0, x1", {"inputs": "w: N 1; dp: 4"}))
function("torch.var", "N 5 4", "x0, 1", "x0, (0, 2), correction=0", "x0, -1, keepdim=True, correction=2", "x0")
function("torch.std", "N 5 4", "x0, 1", "x0, (0, 2), correction=0", "x0, -1, keepdim=True, correction=2", "x0")
function("torch.var_mean", "N 5 4", "x0, 1", "x0, (0, 2), correction=0", "x0, -1, keepdim=True, correction=2")
function("torch.cumsum", "N 5 4", "x0, 1", "x0, -1", "x0, 0", zero="N")
function("torch.cumprod", "N 5 4", "x0, 1", "x0, -1")
function("torch.logcumsumexp", "N 5 4", "x0, 1", "x0, -1")
function("torch.diff", "N 5 4", "x0", "x0, 2, 1", "x0, n=0", ("x0, 1, 2, x1, x1 * 2", {"inputs": "N 5 4; N 5 1"}), ("x0, prepend=x1", {"inputs": "N 4; N 2"}), ("x0, n=3, dim=0, append=x0 * 2", {"inputs": "5 4"}))
function("torch.meshgrid", "N; 4", "x0, x1, indexing='ij'", "x0, x1, indexing='xy'")
function("torch.rot90", "N 5 4", "x0", "x0, 2, (1, 2)", "x0, 3, (0, 2)", "x0, -1, [1, 2]", "x0, 4")
function("torch.roll", "N 5 4", "x0, 2, 1", "x0, -3, 1", "x0, shifts=7, dims=2", "x0, (2, -1), (1, 2)", "x0, 3", "x0, [7, -11], dims=(0, -1)", "x0, (1, 2), (1, 1)", zero="N")
function("torch.movedim", "N 5 4 2", "x0, 1, -1", "x0, (0, 2), (1, 0)", "x0, source=(3, 0, 1), destination=(0, -1, 1)", "x0, [1], [3]", zero="N")
function("torch.gcd", "i-90..90: N 5; i-90..90: N 5", "x0 * 6, x1 * 15", ("x0, x1 * 0", {"inputs": "i-9..9: N 1; i-9..9: 4"}),
         ("(torch.gcd(x0.to(torch.int8), x1.to(torch.int8)), torch.gcd(x0.abs().to(torch.uint8), x1.abs().to(torch.uint8)), torch.gcd(x0.to(torch.int16), x1.to(torch.int16)), torch.gcd(x0 * 102334155, x1 * 165580141))", {}))
function("torch.lcm", "i-90..90: N 5; i-90..90: N 5", "x0, x1", ("x0, x1", {"inputs": "i-3..3: N 1; i-3..3: 4"}))
function("torch.lgamma", "p: N 5", "x0", ("x0 * 2 + 0.9", {"inputs": "p: N"}), ("x0 * 9", {"inputs": "p: N 4"}), ("x0 ** 40 + 5", {"inputs": "p: N 4"}), ("x0 * 1.7 - 3.5", {"inputs": "s: N 5"}), ("x0", {"inputs": "N 5", "special": True, "no_gradient": True}),
         ("x0", {"inputs": "i-3..9: N 5", "no_gradient": True}))
# torch's derivative of digamma is exact to 1e-9 only: tests/prelude/gamma.sh has better numbers.
function("torch.digamma", "p: N 5", "x0", ("x0 * 9", {"inputs": "p: N 4"}), ("x0 ** 40 + 5", {"inputs": "p: N 4"}), ("x0 * 0.8 - 3.5", {"inputs": "s: N 5"}), ("x0 * 1", {"inputs": "i-3..9: N 5", "no_gradient": True}), no_gradient=True)
function("torch.mvlgamma", "p: N 5", "x0 + 2, 3", "x0 + 1, p=1")
function("torch.special.gammaln", "p: N 5", "x0")
function("torch.special.digamma", "p: N 5", "x0", no_gradient=True)
function("torch.special.psi", "p: N 5", "x0", no_gradient=True)
function("torch.special.multigammaln", "p: N 5", "x0 + 2, 3", "x0 + 1, p=2")
function("torch.logspace", "N", "-1.0, 2.0, 5", "0, 3, steps=4, base=2.0", "start=1.0, end=0.0, steps=1")
for name, more in (("bartlett", ""), ("hann", ""), ("hamming", ", 0.6, 0.3"), ("blackman", ""), ("kaiser", ", 7.5")):
    window = f"torch.{name}_window"
    function(window, "N", "9", "8, False", "5, True" + more, f"({window}(1), {window}(2), {window}(window_length=3, periodic=False))")
grids = []
# Places of the nearest element have no derivative by the grid; torch says zeros.
for extent, grid in (("5 4", "2 3 2"), ("3 5 4", "2 1 3 3")):
    for mode in ("bilinear", "nearest", "bicubic")[: 3 if grid == "2 3 2" else 2]:
        for pad in ("zeros", "border", "reflection"):
            grids += [(f"x0, x1, '{mode}', padding_mode='{pad}', align_corners={corners}", {"inputs": f"N 3 {extent}; {'d' * (mode == 'nearest')}: N {grid}"}) for corners in (False, True)]
function("F.grid_sample", "N 3 5 4; N 2 3 2", "x0, x1", *grids, ("x0, x1, align_corners=True", {"inputs": "N 2 1 1; N 4 3 2"}),
         ("x0, x1 * 1.7, mode='bilinear', padding_mode='reflection', align_corners=True", {"inputs": "2 2 1 6; 2 4 3 2"}))
function("F.affine_grid", "2 2 3", "x0, (2, 3, 4, 5), align_corners=False", "x0, [2, 1, 3, 1], True", ("x0, (3, 1, 2, 3, 4), align_corners=False", {"inputs": "3 3 4"}),
         ("theta=x0, size=(3, 1, 2, 1, 4), align_corners=True", {"inputs": "3 3 4"}))
function("torch.autograd.grad", "N 5; N 5", "torch.autograd.grad((x0 ** 3 * x1).sum(), x0, create_graph=True)[0]",
         "torch.autograd.grad(x0 * x1, [x0, x1], x1 * 2, retain_graph=True, create_graph=True, allow_unused=False)",
         "torch.autograd.grad(outputs=[(x0 * x0).sum(), x0 * x1], inputs=(x0, x1), grad_outputs=(None, x0 * 3))",
         "torch.autograd.grad(x0 * x0, [x0, x1], x0, create_graph=True, materialize_grads=True)",
         "torch.autograd.grad((x0 * x0).sum(), (x1, x0), create_graph=True, allow_unused=True)[1]", views=False)
function("torch.logsumexp", "N 5 4", "x0, 1", "x0, (0, 2)", "x0, -1, keepdim=True")
function("torch.deg2rad", "N 5", "x0")
function("torch.rad2deg", "N 5", "x0")

# ---- functions of tensors under other names, and those that few need ----

for name in ("absolute", "negative", "fix", "arctan", "arcsinh", "sgn", "ravel", "fliplr", "flipud", "msort", "isposinf", "isneginf"):
    function(f"torch.{name}", "N 5", "x0", ("x0", {"inputs": "N 5", "special": name != "msort"}), no_gradient=name in ("isposinf", "isneginf", "sgn"))
for name in ("arcsin", "arccos", "arctanh"):
    function(f"torch.{name}", "s: N 5", "x0", ("x0", {"inputs": "s: N"}))
function("torch.arccosh", "p: N 5", "x0 + 1.5")
for name in ("greater", "greater_equal", "less", "less_equal", "not_equal"):
    function(f"torch.{name}", "N 5; N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; 4"}), no_gradient=True)
function("torch.arctan2", "N 5; N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; 4"}))
function("torch.multiply", "N 5; N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; 4"}))
function("torch.true_divide", "N 5; p: N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; p: 4"}))
function("torch.divide", "N 5; dp: N 5", "x0, x1", "x0, x1, rounding_mode='floor'", "x0, x1, rounding_mode='trunc'")
function("torch.subtract", "N 5; N 5", "x0, x1", "x0, x1, alpha=2")
function("torch.rsub", "N 5; N 5", "x0, x1", "x0, x1, alpha=2")
function("torch.clamp_min", "N 5", "x0, 0.5", "x0, -1.0")
function("torch.clamp_max", "N 5", "x0, 0.5", "x0, -1.0")
function("torch.concatenate", "N 5; N 2", "[x0, x1], 1", ("(x0, x1)", {"inputs": "N 5; M 5"}), "[x0, x1], axis=1", "[x1, x0], dim=1")
function("torch.moveaxis", "N 5 4", "x0, 0, 1", "x0, -1, 0", "x0, (0, 1), (1, 2)")
function("torch.swapdims", "N 5 4", "x0, 0, 1", "x0, -1, 0")
function("torch.adjoint", "N 5 4", "x0")
function("torch.ger", "N; 4", "x0, x1")
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    function(f"torch.{name}", "i0..64: N 5; i0..64: N 5", "x0, x1", ("x0, x1", {"inputs": "i-9..9: N 1; i-9..9: 4"}), ("x0, x1", {"inputs": "b: N 5; b: N 5"}))
function("torch.bitwise_not", "i-9..9: N 5", "x0", ("x0", {"inputs": "b: N 5"}))
for side in ("left", "right"):
    shift = f"torch.bitwise_{side}_shift"
    narrow = ", ".join(f"{shift}(x0.to(torch.{dtype}), {by})" for dtype in ("uint8", "int8", "int16", "int32")
                       for by in (f"x1.to(torch.{dtype})", "7", "31"))
    function(shift, "i-900..900: N 5; i-3..70: N 5", "(" + ", ".join(f"{shift}(x0, {by})" for by in ("x1", 62, 63, 64, -1)) + ")",
             (f"({narrow})", {"inputs": "i-900..900: N 5; i-3..35: N 5"}), "x0, 3")
function("torch.isclose", "N 5; N 5", "x0, x0 + 1e-9", "x0, x1, 0.5, 0.1", "x0, x1, rtol=0.0, atol=1.0, equal_nan=True", ("x0, x0 * 1, equal_nan=True", {"special": True}), no_gradient=True)
function("torch.allclose", "N 5; N 5", "torch.tensor(torch.allclose(x0, x0 + 1e-9))", "torch.tensor(torch.allclose(x0, x1, 10.0, 1.0))", ("torch.tensor(torch.allclose(x0, x0 * 1, equal_nan=True))", {"special": True}), no_gradient=True)
function("torch.isin", "i5: N 5; i5: 3", "x0, x1", "x0, x1, invert=True")
function("torch.ldexp", "N 5; i-4..4: N 5", "x0, x1")
function("torch.special.expit", "w: N 5", "x0")
function("torch.special.xlog1py", "N 5; p: N 5", "x0, x1", ("x0, x1", {"inputs": "N 1; p: 4"}))
function("torch.special.entr", "p: N 5", "x0", ("x0", {"inputs": "N 5", "special": True, "no_gradient": True}))
function("torch.special.ndtr", "N 5", "x0")
function("torch.special.ndtri", "u: N 5", "torch.special.ndtri(x0 ** 16)",
         ("torch.special.ndtri(x0 - x0.detach() + (1 - x1 / 1048576))", {"inputs": "u: N 5; i1..900: N 5"}), "x0",
         ("x0", {"inputs": "i-1..3: N 5", "no_gradient": True}))
for name in ("hstack", "vstack", "row_stack", "dstack", "column_stack"):
    function(f"torch.{name}", "N 5; N 5", "[x0, x1]", ("(x0, x1)", {"inputs": "N; N"}))
function("torch.atleast_1d", "N 5", "x0", "x0.sum()")
function("torch.atleast_2d", "N 5", "x0", "x0.sum()", "x0[0]")
function("torch.atleast_3d", "N 5", "x0", "x0.sum()", "x0[0]")
function("torch.broadcast_tensors", "N 1; 4", "x0, x1", "x1, x0")
function("torch.tensor_split", "7 6", "x0, 3", "x0, (1, 4), 1", "x0, 4, dim=1", "x0, [2, 5, 6]")
function("torch.hsplit", "N 6", "x0, 3", "x0, (1, 4)", ("x0, 2", {"inputs": "4"}))
function("torch.vsplit", "6 N", "x0, 3", "x0, (1, 4)")
function("torch.dsplit", "N 2 6", "x0, 3", "x0, (1, 4)")
function("torch.tile", "N 5", "x0, (2, 3)", "x0, (2,)", "x0, (2, 1, 3)")
function("torch.block_diag", "2 3; 4; 1 2", "x0, x1, x2", "x0")
function("torch.cartesian_prod", "3; 2; 4", "x0, x1, x2", "x0, x1", "x0")
function("torch.combinations", "5", "x0", "x0, 3", "x0, r=2, with_replacement=True")
function("torch.tril_indices", "N", "3, 4", "4, 3, offset=-1", "2, 5, 2")
function("torch.triu_indices", "N", "3, 4", "4, 3, offset=-1", "2, 5, 2")
function("torch.vander", "5", "x0", "x0, 3", "x0, N=4, increasing=True", no_gradient=True)
function("torch.kthvalue", "N 5 4", "x0, 2", "x0, 3, 1", "x0, k=1, dim=0, keepdim=True", ("x0, 2", {"inputs": "N 5", "special": True}))
function("torch.median", "N 5 4", "x0", "x0, 1", "x0, -1, True", ("x0, 1", {"special": True}))
function("torch.nanmedian", "N 5 4", "x0", "x0, 1", "x0, -1, True", ("x0, 1", {"special": True, "special_gradients": False}))
function("torch.quantile", "N 5 4", "x0, 0.3", "x0, 0.6, 1", "x0, 0.25, -1, True, interpolation='lower'", "x0, torch.tensor([0.1, 0.5, 1.0]), dim=0, interpolation='nearest'",
         "x0, q=0.7, dim=0, interpolation='higher'", "x0, 0.4, 1, interpolation='midpoint'")
function("torch.nanquantile", "N 5", "x0, 0.3", "x0, 0.6, 1", ("x0, 0.25, 1, True, interpolation='lower'", {"special": True, "special_gradients": False}))
function("torch.mode", "N 5 4", "x0", "x0, 1", "x0, dim=0, keepdim=True", ("(torch.mode(x0, 1)[0], torch.gather(x0, 1, torch.mode(x0, 1)[1].unsqueeze(1)), torch.mode(x0, -1, True)[0])", {"inputs": "i3: N 6"}))
function("torch.cummax", "N 5 4", "x0, 1", "x0, 0", ("x0, 1", {"inputs": "N 5", "special": True}))
function("torch.cummin", "N 5 4", "x0, 1", "x0, 0", ("x0, 1", {"inputs": "N 5", "special": True}))
function("torch.searchsorted", "N 5; N 3", "torch.sort(x0)[0], x1", "torch.searchsorted(torch.sort(x0)[0], x1, right=True)", "torch.searchsorted(torch.sort(x0[0])[0], x1, out_int32=True, side='right')", "torch.searchsorted(x0, x1, sorter=torch.argsort(x0))", no_gradient=True)
function("torch.bucketize", "N 5; 4", "torch.bucketize(x0, torch.sort(x1)[0])", "torch.bucketize(x0, torch.sort(x1)[0], out_int32=True, right=True)", no_gradient=True)
function("torch.bincount", "i5: N; N", "x0, minlength=5", "x0, x1, minlength=7", no_gradient=True)
function("torch.histc", "N 5", "x0, 4, -1, 1", "(torch.histc(x0, 4, 1, 1), torch.histc(x0 * 0 + 2, 5), torch.histc(x0 * 0 + 2, 5, 3, 3))",
         "x0, bins=6, min=-2, max=2", "x0, 5", no_gradient=True)
function("torch.nansum", "N 5", "x0", "x0, 1", ("x0, 0, True", {"special": True, "special_gradients": False}))
function("torch.nanmean", "N 5", "x0", "x0, 1", ("x0, 0, True", {"special": True, "special_gradients": False}))
function("torch.dist", "N 5; N 5", "x0, x1", "x0, x1, 1.0", "x0, x1, p=3.0")
function("torch.cov", "N 5; i1..4: 5; dp: 5", "x0", "x0, correction=0", "x0, fweights=x1", "x0, aweights=x2", "x0, correction=0, fweights=x1, aweights=x2")
function("torch.corrcoef", "N 5", "x0", condition=16)
function("torch.renorm", "N 5 4", "x0, 2, 0, 1.0", "x0, 1, 1, 2.5", "x0, p=3, dim=-1, maxnorm=0.7")
function("torch.trapezoid", "N 5; N 5", "x0", "torch.trapezoid(x0, dx=0.5)", "x0, x1", "torch.trapezoid(x0, dim=0)")
function("torch.cumulative_trapezoid", "N 5; N 5", "x0", "torch.cumulative_trapezoid(x0, dx=0.5)", "x0, x1", "torch.cumulative_trapezoid(x0, dim=0)")
function("torch.inner", "N 5; M 5", "x0, x1", ("x0, x1", {"inputs": "5; 5"}))
function("torch.vdot", "5; 5", "x0, x1")
function("torch.addmv", "N; N 5; 5", "torch.addmv(x0 / 0, x1, x2, beta=0)", "x0, x1, x2, beta=0.5, alpha=2.0", "x0, x1, x2")
function("torch.addmm", "5; N 4; 4 5", "torch.addmm(x0 / 0, x1, x2, beta=0)", "x0, x1, x2, beta=0.5, alpha=2.0", "x0, x1, x2")
function("torch.baddbmm", "M N 5; M N 4; M 4 5", "torch.baddbmm(x0 / 0, x1, x2, beta=0)", "x0, x1, x2, beta=0.5, alpha=2.0", "x0, x1, x2")
function("torch.addr", "N 5; N; 5", "torch.addr(x0 / 0, x1, x2, beta=0)", "x0, x1, x2, beta=0.5, alpha=2.0", "x0, x1, x2")
function("torch.addbmm", "N 4; M N 5; M 5 4", "torch.addbmm(x0 / 0, x1, x2, beta=0)", "x0, x1, x2, beta=0.5, alpha=2.0", "x0, x1, x2")
function("torch.tensordot", "N 4 5; 4 5 M", "x0, x1", "x0, x1, ([1, 2], [0, 1])", ("x0, x1, dims=1", {"inputs": "N 4; 4 M"}), ("x0, x1, 0", {"inputs": "N; 4"}))
function("torch.chain_matmul", "N 4; 4 M; M 5", "x0, x1, x2")
function("torch.matrix_power", "N 3 3", "x0, 1", "x0, 5", "x0, n=6", condition=16)
function("torch.cdist", "N 5; M 5", "x0, x1", "x0, x1, 1.0", "x0, x1, p=3.0", ("x0, x1", {"inputs": "2 N 5; 2 M 5"}))
function("torch.pdist", "5 3", "x0", "x0, 1.0", "x0, p=3.0")
function("torch.cross", "N 3; N 3", "x0, x1, dim=1", ("x0, x1, 0", {"inputs": "3 5; 3 1"}))
# Matrices near 5 I, the rows in an order that elimination has to change.
NEAR, TURNED = "x0 + 5 * torch.eye(3)", "torch.flip(x0 + 5 * torch.eye(3), (1,))"
for name in ("torch.linalg.inv", "torch.linalg.det", "torch.inverse", "torch.det"):
    function(name, "N 3 3", NEAR, TURNED, ("x0[:2] * 2 - 3", {"inputs": "2 2"}), ("x0", {"inputs": "p: N 1 1"}), zero="N", condition=16)
function("torch.linalg.slogdet", "N 3 3", NEAR, TURNED, "-" + TURNED, condition=16)
function("torch.slogdet", "N 3 3", NEAR, TURNED, condition=16)
function("torch.logdet", "N 3 3", NEAR, ("x0 @ x0.mT + torch.eye(4)", {"inputs": "N 4 4"}), condition=16)
function("torch.linalg.solve", "N 3 3; N 3 2", f"{NEAR}, x1", f"{TURNED}, x1", (f"{NEAR}, x1, left=False", {"inputs": "N 3 3; N 2 3"}), (f"{NEAR}, x1", {"inputs": "N 3 3; N 3"}),
         (f"{NEAR}, x1", {"inputs": "3 3; 3"}), (f"{NEAR}, x1", {"inputs": "M 1 3 3; N 3 4"}), (f"A={NEAR}, B=x1, left=True", {"inputs": "3 3; M 3 2"}), zero="N", condition=16)
function("torch.linalg.solve_triangular", "N 3 3; N 3 2", f"{NEAR}, x1, upper=False", f"{NEAR}, x1, upper=True", f"x0, x1, upper=True, unitriangular=True", f"x0, x1, upper=False, unitriangular=True",
         (f"{NEAR}, x1, upper=False, left=False", {"inputs": "N 3 3; N 2 3"}), condition=16)
function("torch.linalg.cholesky", "N 3 3", "x0 @ x0.mT + torch.eye(3)", "x0 @ x0.mT + 2 * torch.eye(3), upper=True", ("x0", {"inputs": "p: N 1 1"}), condition=16)
function("torch.cholesky_solve", "N 3 2; N 3 3", "x0, torch.tril(x1 + 4 * torch.eye(3))", "x0, torch.triu(x1 + 4 * torch.eye(3)), upper=True", condition=16)
function("torch.cholesky_inverse", "N 3 3", "torch.tril(x0 + 4 * torch.eye(3))", "torch.triu(x0 + 4 * torch.eye(3)), upper=True", condition=16)
function("torch.linalg.vector_norm", "N 5 4", "x0", "x0, 1, dim=1", "x0, 3, (0, 2), True")
function("torch.linalg.matrix_norm", "N 5 4", "x0", "x0, 1", "x0, float('inf'), (0, 1), True", "x0, ord=-1, dim=(2, 0)", "x0, float('-inf')")
function("torch.linalg.norm", "N 5 4", "x0", "x0, dim=1", "x0, 1, (0, 2), True", ("x0, float('inf')", {"inputs": "N 5"}))
function("torch.index_add", "N 5; i3: 4; 4 5", "x0, 0, x1, x2", ("x0, 1, x1, x2, alpha=2", {"inputs": "N 5; i5: 4; N 4"}))
function("torch.index_copy", "N 5; 2 5", "x0, 0, torch.tensor([2, 0]), x1", ("x0, 1, torch.tensor([3, 1]), x1", {"inputs": "N 5; N 2"}))
function("torch.index_fill", "N 5; i3: 2", "x0, 0, x1, 2.0", "x0, dim=1, index=x1, value=-1.0")
function("torch.take", "N 5; i15: 4", "x0, x1", ("x0, x1", {"inputs": "N 5; i15: 2 3"}))
INTEGERS = ", ".join(f"torch.scatter_reduce(x0.to(torch.{dtype}), 1, x1, x2.to(torch.{dtype}), '{by}', include_self={own})"
                     for dtype in ("int64", "int8", "uint8") for by in ("amax", "amin", "mean") for own in (True, False))
function("torch.scatter_reduce", "N 5; i5: N 5; N 5", "x0, 1, x1, x2, 'sum'",
         (f"({INTEGERS})", {"inputs": "i-9..9: N 5; i5: N 5; i-9..9: N 5"}), "x0, 1, x1, x2, 'mean', include_self=False", "x0, 1, x1, x2, reduce='amax'",
         "x0, 1, x1, x2, 'amin', include_self=False", "x0, 1, x1, x2, 'prod'", "x0, 1, x1, x2, 'mean'", ("x0, 0, x1, x2, 'amax'", {"inputs": "5 4; i5: 5 4; 5 4"}))
function("torch.select_scatter", "N 5; N", "x0, x1, 1, 2", "x0, x1, 1, index=-1", ("x0, x1, dim=0, index=0", {"inputs": "N 5; 5"}))
function("torch.slice_scatter", "N 5; N 2", "x0, x1, 1, 1, 3",
         ("(torch.slice_scatter(x0, x1, 1, 3, 9), torch.slice_scatter(x0, x1, 1, 0, -1, 3), torch.slice_scatter(x0, x1[:, :0], 1, 4, 2))", {}), "x0, x1, dim=1, start=-2", "x0, x1, 1, 0, 4, 2", ("x0, x1, 0, 1, 3", {"inputs": "6 5; 2 5"}))
function("torch.Tensor.unfold", "N 7 4", "(x0.unfold(1, 3, 2))", "(x0.unfold(-1, 2, 1))")

# ---- functions of F under torch's name ----

for d, extent in ((1, "9"), (2, "7 6"), (3, "5 6 5")):
    function(f"torch.conv{d}d", f"N 4 {extent}; 6 2 {' '.join(['3'] * d)}; 6", "x0, x1, None, 2, 1, 1, 2", "x0, x1, x2, dilation=2, groups=2", ("x0, x1", {"inputs": f"N 4 {extent}; 6 4 {' '.join(['3'] * d)}"}))
for d, extent in ((1, "9"), (2, "5 6")):
    function(f"torch.conv_transpose{d}d", f"N 4 {extent}; 4 3 {' '.join(['3'] * d)}; 6", "x0, x1, x2, 2, 1, 1, 2, 2", f"x0, x1, groups=2", f"x0, x1, bias=x2, stride=3, padding=1, output_padding=2, groups=1 + 1")
    function(f"torch.max_pool{d}d", f"N 4 {extent}", "x0, 2", "x0, 3, 2, 1, 2, True")
function("torch.avg_pool1d", "N 4 9", "x0, 2", "x0, 3, 2, 1, True, False")
function("torch.adaptive_avg_pool1d", "N 4 9", "x0, 2", "x0, output_size=3")
function("torch.layer_norm", "N 4 5; 5", "x0, [5]", "x0, (5,), x1, x1 * 2, 0.1")
function("torch.group_norm", "N 4 5; 4", "x0, 2", "x0, 4, x1, x1 * 2, 0.1")
function("torch.rms_norm", "N 4 5; 5", "x0, [5], None, 1e-5", "x0, (5,), x1, 0.1")
function("torch.dropout", "N 5", "x0, 0.0, True", "x0, 0.5, False")
function("torch.bilinear", "N 5; N 4; 3 5 4; 3", "x0, x1, x2", "x0, x1, x2, x3")
function("torch.cosine_similarity", "N 5 4; N 5 4", "x0, x1", "x0, x1, 2, 0.1")
function("torch.pairwise_distance", "N 5; N 5", "x0, x1", "x0, x1, 1.0, 0.1, True")
function("torch.pixel_shuffle", "N 12 3 2", "x0, 2", "x0, 1")
function("torch.pixel_unshuffle", "N 2 6 12", "x0, 2", "x0, 3")
function("torch.channel_shuffle", "N 6 3 2", "x0, 2", "x0, 3")
function("torch.prelu", "N 4 5; 4", "x0, x1", ("x0, x1", {"inputs": "N 5; 1"}))
function("torch.selu", "w: N 5", "x0")
function("torch.celu", "w: N 5", "x0", "x0, 0.7", rounded=True)
function("torch.threshold", "N 5", "x0, 0.1, 20.0", "x0, threshold=-0.5, value=3.0")
function("torch.hardshrink", "N 5", "x0", "x0, 1.0")

# ---- optimizers ----

optimizer("optim.SGD", "lr=0.1", "lr=0.1, momentum=0.9", "0.2, 0.5, 0.3, 0.1", "lr=0.1, momentum=0.9, nesterov=True",
          "lr=0.05, weight_decay=0.1, maximize=True")
ADAM = ("", "lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1", "amsgrad=True, lr=0.1", "lr=0.1, maximize=True, fused=False, foreach=False, differentiable=False, capturable=False")
optimizer("optim.Adam", *ADAM, "0.1, weight_decay=0.1, decoupled_weight_decay=True, foreach=True")
optimizer("optim.AdamW", *ADAM)
optimizer("optim.RMSprop", "", "0.1, 0.9, 1e-3, 0.1, 0.5, True", "lr=0.1, maximize=True", "lr=0.1, centered=True")
optimizer("optim.Adagrad", "", "0.1, 0.1, 0.1, 0.2, 1e-3", "lr=0.1, maximize=True")
optimizer("optim.Adadelta", "", "0.5, 0.8, 1e-3, 0.1", "maximize=True")
optimizer("optim.Adamax", "", "0.1, (0.8, 0.9), 1e-3, 0.1", "lr=0.1, maximize=True")
optimizer("optim.NAdam", "", "0.1, (0.8, 0.9), 1e-3, 0.1, 1e-2", "lr=0.1, maximize=True", "weight_decay=0.1, decoupled_weight_decay=True")
optimizer("optim.RAdam", "", "0.1, (0.8, 0.9), 1e-3, 0.1", "lr=0.1, maximize=True", "weight_decay=0.1, decoupled_weight_decay=True")
optimizer("optim.Rprop", "", "0.1, (0.4, 1.3), (0.05, 0.12)", "maximize=True")
optimizer("optim.ASGD", "", "0.1, 0.1, 0.5, 2.0, 0.1", "lr=0.1, maximize=True")
optimizer("optim.Adafactor", "", "0.1, -0.7, (1e-3, 0.1), 2.0, 0.1", "lr=0.1, maximize=True")
