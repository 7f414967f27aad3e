#!/usr/bin/env python3
"""PyTorch's answers for the programs in tests/programs/agree, in double precision.

Parameters and inputs come from a formula that the C test uses too (splitmix64 of a name's hash), so a
fixture holds results only: losses, sampled entries, norms.

  torch_oracle.py            writes tests/programs/fixtures/*.txt
  torch_oracle.py --check    computes them again and compares with the committed files (1e-11 relative, or STEPS_BOUND)
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from oracle_networks import *  # noqa: F403 (their classes)
from oracle_numbers import *  # noqa: F403

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
HERE = os.path.dirname(os.path.abspath(__file__))


def images(name):
    return integers(name, (BATCH, 28, 28), 256) / 255


def fashion_batch(k):
    return images("image%d" % k), integers("label%d" % k, (BATCH,), 10)


def lenet_batch(k):
    return reals("input%d" % k, (BATCH, 1, 32, 32)), reals("target%d" % k, (BATCH, 10))


def custom_batch(k):
    return reals("x%d" % k, (BATCH, 16)), 3 * reals("y%d" % k, (BATCH, 1))


def fashion():
    out = Writer()
    x, y = fashion_batch(0)
    model = NeuralNetwork()
    holder = nn.Module()
    holder.model = model
    fill(holder)
    out.put("infer.output", model(x).detach().reshape(-1).tolist())
    gradients(out, "model", NeuralNetwork(), x, y, F.cross_entropy)
    o = torch.optim
    for name, make in [("Sgd", lambda p: o.SGD(p, lr=1e-1)), ("Momentum", lambda p: o.SGD(p, lr=1e-1, momentum=0.9)),
                       ("Adam", lambda p: o.Adam(p, lr=1e-3)), ("AdamW", lambda p: o.AdamW(p, lr=1e-3))]:
        trajectory(out, name, "model", NeuralNetwork(), fashion_batch, F.cross_entropy, stepper(make))
    return out


def lenet():
    out = Writer()
    x, y = lenet_batch(0)
    model = fill(LeNet())
    out.put("infer.output", model(reals("x0", x.shape)).detach().reshape(-1).tolist())
    gradients(out, "net", LeNet(), x, y, F.mse_loss)

    def plain(model):
        for p in model.parameters():
            p.data.sub_(p.grad.data * 0.05)
        model.zero_grad()
    trajectory(out, "Plain", "net", LeNet(), lenet_batch, F.mse_loss, plain)
    o = torch.optim
    trajectory(out, "Accumulated", "net", LeNet(), lenet_batch, F.mse_loss,
               stepper(lambda p: o.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01)), every=2)
    for name, make in [("Nesterov", lambda p: o.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
                       ("Adam", lambda p: o.Adam(p, lr=1e-3, weight_decay=0.01)),
                       ("RMSprop", lambda p: o.RMSprop(p, lr=1e-3, momentum=0.9, centered=True)),
                       ("Adagrad", lambda p: o.Adagrad(p, lr=1e-2, lr_decay=0.1))]:
        trajectory(out, name, "net", LeNet(), lenet_batch, F.mse_loss, stepper(make))
    return out


def custom():
    out = Writer()
    x, y = custom_batch(0)
    model = fill(Custom())
    out.put("infer.output", model(x).detach().reshape(-1).tolist())
    gradients(out, "net", Custom(), x, y, F.smooth_l1_loss)
    model = Custom()
    holder = nn.Module()
    holder.net = model
    fill(holder)
    x = x.clone().requires_grad_()
    g, = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    penalty = (g * g).sum()
    second, = torch.autograd.grad(penalty, model.fc.weight)
    out.tensor("Gradients.x_grad", g)
    out.put("Gradients.penalty", [penalty.item()])
    out.tensor("Gradients.penalty_fc_w", second)
    trajectory(out, "Lions", "net", Custom(), custom_batch, F.smooth_l1_loss, stepper(lambda p: Lion(p, lr=3e-3)))

    adamw = stepper(lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.8, 0.95), weight_decay=0.1, amsgrad=True))

    def clipped(model):
        nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        adamw(model)
    trajectory(out, "AdamW", "net", Custom(), custom_batch, F.smooth_l1_loss, clipped)
    return out


def library():
    out = Writer()
    m = nn.Module()
    m.conv = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=1, groups=2)
    m.dilated = nn.Conv2d(4, 3, 2, padding="same", dilation=2, bias=False)
    m.line = nn.Conv1d(4, 5, 3, stride=2)
    m.bn = nn.BatchNorm2d(4)
    m.still = nn.BatchNorm2d(4)
    m.ln = nn.LayerNorm([9, 8])
    m.gn = nn.GroupNorm(2, 4)
    m.rms = nn.RMSNorm(8)
    m.embed = nn.Embedding(10, 7)
    m.lstm = nn.LSTM(4, 3, num_layers=2, bidirectional=True)
    m.first = nn.LSTM(4, 3, batch_first=True)
    m.cell = nn.LSTMCell(4, 3)
    m.prelu = nn.PReLU(4)
    fill(m)

    def real(name, *shape):
        return reals(name + "0", shape).requires_grad_()
    x = real("x", 3, 4, 9, 8)

    def entry(name, results):
        for k, r in enumerate(results):
            out.tensor("%s.%d" % (name, k), r.double())

    entry("convolutions", probe([m.conv(x), m.dilated(x)], [x, m.conv.weight, m.conv.bias, m.dilated.weight]))
    z = real("z", 3, 4, 9)
    entry("lines", probe([m.line(z), F.max_pool1d(z, 2), F.avg_pool1d(z, 3, stride=1)], [z, m.line.weight, m.line.bias]))
    entry("pools", probe([F.max_pool2d(x, 3, stride=2, padding=1), nn.MaxPool2d((2, 3))(x), F.avg_pool2d(x, 3, 2, 1),
                          F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), nn.AdaptiveAvgPool2d((1, 1))(x),
                          F.adaptive_avg_pool2d(x, (4, 3)), F.max_pool2d(x.round(), 2)], [x]))
    entry("batch_norm", probe([m.bn(x)], [x, m.bn.weight, m.bn.bias])
          + [m.bn.running_mean, m.bn.running_var, m.bn.num_batches_tracked])
    m.still.eval()
    entry("batch_norm_eval", probe([m.still(x)], [x, m.still.weight, m.still.bias]))
    entry("norms", probe([m.ln(x), m.gn(x), m.rms(x)],
                         [x, m.ln.weight, m.ln.bias, m.gn.weight, m.gn.bias, m.rms.weight]))
    ids = integers("ids0", (3, 5), 10)
    entry("embedding", probe([m.embed(ids)], [m.embed.weight]))
    s = real("s", 5, 3, 4)
    o, (h, c) = m.lstm(s)
    o2, (h2, c2) = m.first(s)
    h3, c3 = m.cell(s[0], m.cell(s[1]))
    entry("recurrent", probe([o, h, c, o2, h2, c2, h3, c3],
                             [s, m.lstm.weight_hh_l0, m.lstm.weight_ih_l1_reverse, m.lstm.bias_hh_l0_reverse,
                              m.first.weight_ih_l0, m.cell.weight_hh]))
    v = 4 * x
    entry("activations", probe(
        [F.relu(v), F.gelu(v), nn.GELU(approximate="tanh")(v), F.silu(v), F.elu(v, 0.7), F.selu(v), F.celu(v, 2.0),
         F.leaky_relu(v, 0.2), F.softplus(v), F.softplus(30 * v), F.mish(v), F.hardswish(v), F.hardsigmoid(v.detach()),
         F.hardtanh(v), F.relu6(v), F.logsigmoid(v), F.softsign(v), F.tanhshrink(v), F.softshrink(v),
         F.hardshrink(v), F.glu(v, dim=1), m.prelu(v), torch.sigmoid(v), torch.tanh(v), F.threshold(v, 0.5, 2.0),
         F.normalize(v, dim=1)], [x, m.prelu.weight]))
    v = 5 * x
    entry("softmaxes", probe([F.softmax(v, dim=1), nn.LogSoftmax(dim=-1)(v), nn.Softmin(dim=2)(v),
                              torch.logsumexp(v, 1), v.softmax(0)], [x]))
    logits, target, label = real("logits", 6, 10), real("target", 6, 10), integers("label0", (6,), 10)
    w = torch.arange(10) * 0.1 + 0.5
    q = target.abs()
    p = q / q.sum(1, keepdim=True)
    g = torch.sigmoid(logits)
    ce = F.cross_entropy
    entry("losses", probe(
        [ce(logits, label), ce(logits, label, reduction="sum"), ce(logits, label, reduction="none"),
         ce(logits, label, weight=w), ce(logits, label, ignore_index=3, weight=w, label_smoothing=0.2),
         ce(logits, label, label_smoothing=0.1), ce(logits, p), ce(logits, p, label_smoothing=0.3),
         F.nll_loss(F.log_softmax(logits, dim=1), label), nn.MSELoss()(logits, target), nn.L1Loss()(logits, target),
         F.smooth_l1_loss(logits, target, beta=0.5), F.huber_loss(logits, target, delta=0.3),
         F.binary_cross_entropy(g, q), F.binary_cross_entropy_with_logits(logits, q),
         F.binary_cross_entropy_with_logits(logits, q, pos_weight=w),
         F.kl_div(F.log_softmax(logits, 1), p, reduction="batchmean"),
         nn.CrossEntropyLoss(reduction="sum")(logits.view(2, 3, 10).transpose(1, 2), label.view(2, 3))],
        [logits, target]))
    near = (torch.arange(9).unsqueeze(1) - torch.arange(9)).abs() < 3
    q, k, v = 2 * x, x.flip(2), x * x
    sdpa = F.scaled_dot_product_attention
    entry("attention", probe([sdpa(q, k, v), sdpa(q, k, v, is_causal=True), sdpa(q, k, v, attn_mask=near, scale=0.4)], [x]))
    biggest, where_ = x.max(dim=2)
    smallest, _ = torch.min(x, dim=-1, keepdim=True)
    entry("reductions", probe(
        [x.sum(), x.sum(dim=(1, 3)), x.mean(-1, keepdim=True), x.std(), x.var(dim=1), x.var(dim=1, unbiased=False),
         x.std(dim=(0, 2)), x.amax(dim=(1, 2)), x.amin(0), x.max(), x.min(), biggest, smallest, x.norm(), x.norm(dim=1),
         x.norm(p=1, dim=2), x.norm(3, dim=1), x.prod(dim=3), x.cumsum(1), x.cumprod(3), (x > 0).double().mean(0),
         x.round().amax(3), where_.double(), x.argmax().double(), x.argmin(dim=1).double()], [x]))
    values, order = x.sort(dim=2, descending=True)
    top, at = torch.topk(x, 3, dim=1)
    i3 = torch.arange(4) % 3
    a, b = x.chunk(2, dim=1)
    c, d, e = x.split([2, 3, 4], dim=2)
    entry("indexing", probe(
        [x[1], x[:, 1:3], x[..., -1], x[:, :, ::2, 1::3], x[:, None, 2, ..., 3:], x[i3], x[:, i3, 2], values, top,
         order.double(), at.double(), torch.gather(x, 1, at), x.index_select(1, i3), torch.cat([a, b * 2], 0),
         torch.stack([a, b], dim=1), c, d, e, x.tril(), x.triu(1), x.flip(1, 3), x.roll(2, 2),
         x[:, :1].expand(-1, 5, -1, -1), x[0, 0].repeat(2, 3), x[0, 0].repeat_interleave(2, 1),
         F.pad(x, (1, 2, 0, 3), value=0.5), F.pad(x, (-1, 2)), x.permute(3, 0, 2, 1), x.transpose(1, 2),
         x.movedim(1, -1), x.unsqueeze(1).squeeze(1), x.view(3, -1, 4), x.flatten(1, 2), x.unbind(1)[2],
         torch.where(x > 0, x, x * 3)], [x]))
    p, n, t = x.abs() + 0.1, x.roll(1, 3), torch
    entry("elementwise", probe(
        [t.exp(x), t.log(p), t.sqrt(p), t.rsqrt(p), x**2, p**1.7, 2**x, p**n, x / p, x.detach() // 0.3, x % 0.3, t.sin(x),
         t.cos(x), t.tan(x), t.asin(x), t.acos(x * 0.9), t.atan(x), t.sinh(x), t.cosh(x), t.asinh(x), t.acosh(p + 1),
         t.atanh(x * 0.9), t.erf(x), t.erfc(x), t.erfinv(x * 0.9), t.expm1(x), t.log1p(p), t.log2(p), t.log10(p),
         t.exp2(x), x.abs(), t.sign(x), x.floor(), x.ceil(), x.round(), x.trunc(), x.frac(), t.clamp(x, -0.5, 0.3),
         x.clamp(min=0.1), t.maximum(x, n), t.minimum(x, n), t.atan2(x, n), t.lerp(x, n, 0.3), x.reciprocal(),
         t.addcmul(x, p, n, value=0.5), x % n, -x, +x, t.square(x), t.sigmoid(x), x.masked_fill(x > 0.5, 0.0)], [x]))
    a, b, u, mm = real("a", 3, 4, 9, 8), real("b", 4, 8, 5), real("u", 8), real("m", 9, 8)
    entry("products", probe(
        [a @ b, a @ u, mm @ u, u @ mm.T, u @ u, t.einsum("nchw,cwk->nk", a, b), t.einsum("...w,hw->...h", a, mm),
         t.bmm(a[0], b), t.outer(u, u), F.linear(a, mm), F.bilinear(u, u, mm.T.reshape(1, 8, 9)[:, :, :8]), t.dot(u, u),
         mm.T @ mm, t.einsum("hw->wh", mm), t.einsum("hw->w", mm)], [a, b, u, mm]))
    i = integers("i0", (3, 4), 10).to(t.int32)
    j, k = integers("j0", (3, 4), 10).to(t.uint8), integers("k0", (4,), 10)
    b = j > 4
    entry("integers", [t.cat([v.double().flatten() for v in [
        i + j, i - k, i * j, i / (j + 1), i // 3, i % 3, -i // 2, i**2, i & 6, i | j, i ^ k, ~i, b + b, b * b, b & ~b,
        b ^ (i > 5), i == j, i < k, i.sum(), b.sum(), i.double().mean(), b.double().mean(0), i.max(), i.argmax(1),
        i.cumsum(0), i.sort(1)[0], i.prod(1), b.any(1), b.all(0), k, F.one_hot(k, 10), i + 0.5, j / 2, i * True,
        t.zeros_like(i), t.full((2,), 7), t.arange(3, 9, 2), t.eye(3), t.linspace(0, 1, 5), j - 1]])])
    return out


def modules():
    """print(model) of the module in agree/modules.nn, whose lines are Python up to `self.`."""
    class Modules(nn.Module):
        pass
    m = Modules()
    with open(os.path.join(HERE, "agree", "modules.nn")) as f:
        for line in f:
            if line.strip().startswith("self."):
                name, value = line.strip()[len("self."):].split(" = ", 1)
                setattr(m, name, eval(value))
    out = Writer()
    out.lines = str(m).splitlines()
    return out


def models():
    out = Writer()

    def state(name, m):
        for key, p in m.state_dict(keep_vars=True).items():
            if key != "model.lm_head.weight":
                out.tensor(name + "." + key, p.double())

    def run(name, m, step):
        losses = [step(k) for k in range(STEPS)]
        for r, values in enumerate(zip(*losses)):
            out.put("%s.%d" % (name, r) if r else name + ".loss", values)
        state(name, m)

    m = nn.Module()
    m.model = GPT(2, 2, 8, 16, 20)
    fill(m)
    p = list(m.parameters())
    o = torch.optim.AdamW([{"params": [q for q in p if q.dim() >= 2], "weight_decay": 0.1},
                           {"params": [q for q in p if q.dim() < 2], "weight_decay": 0.0, "lr": 5e-3}],
                          lr=1e-2, betas=(0.9, 0.95))

    def gpt(k):
        idx, targets = integers("idx%d" % k, (BATCH, BATCH), 10), integers("targets%d" % k, (BATCH, BATCH), 10)
        loss = F.cross_entropy(m.model(idx).view(-1, 20), targets.view(-1))
        o.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        o.step()
        return loss.item(), norm.item()
    run("Gpt", m, gpt)
    out.tensor("Gpt.eval.0", m.model(integers("idx0", (BATCH, BATCH), 10)))

    r = nn.Module()
    r.block, r.same, r.head = BasicBlock(3, 4, 2), BasicBlock(4, 4), nn.Linear(4, 2)
    fill(r)
    ro = torch.optim.SGD(r.parameters(), lr=0.05, momentum=0.9, dampening=0.3)

    def forward(image):
        return r.head(F.adaptive_avg_pool2d(r.same(r.block(image)), 1).flatten(1))

    def residual(k):
        ro.param_groups[0]["lr"] = 0.05 * uniform("lr%d" % k, 1)[0]
        loss = F.huber_loss(forward(reals("image%d" % k, (BATCH, 3, 8, 8))), 3 * reals("y%d" % k, (BATCH, 2)))
        ro.zero_grad()
        loss.backward()
        ro.step()
        return (loss.item(),)
    run("Residual", r, residual)
    r.eval()
    out.tensor("Residual.eval.0", forward(reals("image0", (BATCH, 3, 8, 8))))

    c = nn.Module()
    c.model = CharModel(12, 4, 5, 2)
    fill(c)
    co = torch.optim.Adam(c.parameters(), lr=1e-2)

    def recurrent(k):
        text, after = integers("text%d" % k, (BATCH, BATCH), 10), integers("next%d" % k, (BATCH, BATCH), 10)
        loss = F.cross_entropy(c.model(text).view(BATCH * BATCH, -1), after.view(-1))
        co.zero_grad()
        loss.backward()
        co.step()
        return (loss.item(),)
    run("Recurrent", c, recurrent)

    w = nn.Module()
    w.G, w.D = Net(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), Net(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1))
    fill(w)
    og = torch.optim.Adam(w.G.parameters(), lr=1e-2, betas=(0.5, 0.9))
    od = torch.optim.Adam(w.D.parameters(), lr=1e-2, betas=(0.5, 0.9))

    def critic(x):
        return w.D(x).squeeze(-1)

    def wgan(k):
        real, noise = reals("real%d" % k, (BATCH, 2)), reals("noise%d" % k, (BATCH, 4))
        eps, noise2 = reals("eps%d" % k, (BATCH, 1)), reals("noise2%d" % k, (BATCH, 4))
        fake = w.G(noise).detach()
        x_hat = (eps * real + (1 - eps) * fake).requires_grad_()
        g, = torch.autograd.grad(critic(x_hat).sum(), x_hat, create_graph=True)
        gp = ((g.norm(dim=1) - 1) ** 2).mean()
        d_loss = critic(fake).mean() - critic(real).mean() + 10.0 * gp
        od.zero_grad()
        d_loss.backward()
        od.step()
        g_loss = -critic(w.G(noise2)).mean()
        og.zero_grad()
        g_loss.backward()
        og.step()
        return d_loss.item(), g_loss.item()
    run("Wgan", w, wgan)

    f = nn.Module()
    f.body, f.top, f.unused = nn.Linear(16, 6), nn.Linear(6, 1), nn.Linear(2, 2)
    f.body.requires_grad_(False)
    fill(f)
    fo = torch.optim.SGD([q for q in f.parameters() if q.requires_grad], lr=0.1, momentum=0.5, weight_decay=0.01)

    def frozen(k):
        x, y = custom_batch(k)
        loss = F.mse_loss(f.top(torch.tanh(f.body(x))), y)
        fo.zero_grad()
        loss.backward(retain_graph=True)
        loss.backward()
        nn.utils.clip_grad_value_(f.top.parameters(), 0.7)
        for q in f.top.parameters():
            q.grad.mul_(0.5)
        fo.step()
        with torch.no_grad():
            f.top.weight.clamp_(-0.4, 0.4)
        return (loss.item(),)
    run("Frozen", f, frozen)
    return out


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x * 4).round() / 4

    @staticmethod
    def backward(ctx, dy):
        return dy


def language():
    """agree/language.nn in PyTorch's own words."""
    out = Writer()
    N = T = BATCH

    def real(name, *shape):
        return reals(name + "0", shape).requires_grad_()

    def flat(rs):
        return torch.cat([r.flatten() for r in rs])

    def entry(name, results):
        for k, r in enumerate(results):
            out.tensor("%s.%d" % (name, k), r.double())

    def derivative(rs, xs):
        return torch.autograd.grad(sum(weigh(r) for r in rs), xs, create_graph=True)

    x, n = real("x", N, T, 4), T // 2
    rs = [x[:, 1:], x[:, -2:], x[:, :-1, None, ..., -1], x[:, n:], x[:, :n, ::2], x[..., 1:3], x[-1], x[:, -1, 2],
          x[:, 1:-1:2], x[..., None], x[0, ..., None, 0], torch.roll(x, 2, dims=1), x.flip(1), x.roll(-1, 1),
          x.transpose(0, 1)[1:], x[..., 0].view(N, -1, 2).amax(-1), x.unfold(1, 3, 1), x.narrow(1, 1, 2), x[:, 1:n + 1],
          x.diff(dim=1), F.pad(x, (0, 0, 1, 2)), x.unfold(-1, 2, 2),
          torch.arange(0.5, 2.3, 0.25), torch.arange(3.0)]
    entry("slices", [flat(rs)] + list(derivative(rs, [x])))

    i, k = integers("i0", (N,), 10), integers("j0", (BATCH,), 10) % 6
    j, m = integers("j0", (BATCH,), 10), integers("m0", (N, T), 10) != 0
    rs = [x[k], x[:, k], x[k, k], x[:, :, i % 4], x[torch.arange(N), i % 6], x[k, :, 1], x[:, k, None], x.index_select(1, k),
          x.gather(1, (i % 6).view(-1, 1, 1).expand(-1, 2, 4)), torch.where(m.unsqueeze(-1), x, -x),
          x.masked_fill(m[..., None], 0.5), x.take_along_dim((i % 6).view(-1, 1, 1), dim=1), torch.where(x > 0, x, 2), x[i % 6 - 6],
          x[k, :, j % 4], x[:, None, k], x[k, None, k, 0], x[[0, -1], 1:, [1, 2]]]
    entry("gathered", [flat(rs)] + list(derivative(rs, [x])))

    x = real("x", N, 4)
    y = (x**4).sum() + (torch.sin(x).prod(1) * torch.exp(0.5 * x[:, 0])).sum() + torch.tanh(x @ x.T).sum()
    a, = torch.autograd.grad(y, x, create_graph=True)
    b, = torch.autograd.grad((a * a).sum(), x, create_graph=True)
    c, = torch.autograd.grad(b.sum(), x)
    entry("third", [y.reshape(1), a, b, c])

    a, b = real("a", N, BATCH), real("b", BATCH)
    s = Straight.apply(a)
    y = ((s * b * b)**2).sum() + weigh((s * b * b).sum(1))
    da, db = torch.autograd.grad(y, [a, b], create_graph=True)
    entry("own", [y.reshape(1), da, db, torch.autograd.grad((db * db).sum(), b)[0]])

    g = nn.Module()
    g.gates, g.named = nn.ModuleList([nn.Module() for _ in range(3)]), nn.ModuleDict({"one": nn.Module()})
    for gate in list(g.gates) + [g.named["one"]]:
        gate.fc = nn.Linear(4, 4)
    g.gates[2].fc.weight = g.gates[0].fc.weight
    fill(g)

    def gated(gate, x):
        return x * torch.sigmoid(gate.fc(x))
    x = real("x", N, T, 4)
    y = x
    for k, gate in enumerate(g.gates):
        y = gated(gate, y) + (y if k % 2 else -y)
    y = torch.tanh(gated(g.named["one"], y))
    y = torch.cat([y[..., 2:], y[..., :2]], -1)
    entry("modules", [y] + list(derivative([y], [x, g.gates[0].fc.weight])))

    m = integers("m0", (T, N), 10) != 0
    h, s, b, outs, back = torch.zeros(N, 4), 0.0, x[0, :, 0], [], []
    for t in range(T):
        h = torch.where(m[t].unsqueeze(1), torch.tanh(0.5 * h + gated(g.gates[1], x[t])), h)
        s = s + (h * h).sum()
        outs.append(h)
    for k, t in enumerate(reversed(range(T))):
        b = b * 0.5 + x[t, :, 1] * k
        back.append(b)
    rs = [torch.stack(outs), h, s.view(1), torch.stack(back), torch.stack(back).sum(1), b]
    dx, = derivative(rs, [x])
    entry("time", [flat(rs), dx, torch.autograd.grad((dx * dx).sum(), x)[0]])

    x = real("x", N, T)
    entry("numbers", [x / np.sqrt(T) + np.sqrt(N) * np.log(T) - np.exp(-0.5) / N + T**2])

    x = real("x", N, 4)
    none = x[:, 2:2]
    rs = [torch.cat([none, x], 1), none.sum(1), x @ torch.zeros(4, 0) @ torch.zeros(0, 3) + 1, x[0:0].sum(0), none.prod(1)]
    entry("empty", [flat(rs)] + list(derivative(rs, [x])))
    return out


def resnet():
    """The whole of ResNet, one block a stage, on four images of 16 x 16."""
    out = Writer()
    r = nn.Module()
    r.model = ResNet(5)
    fill(r)
    o = torch.optim.SGD(r.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    losses = []
    for k in range(STEPS):
        image, y = reals("image%d" % k, (4, 3, 16, 16)), 3 * reals("y%d" % k, (4, 5))
        loss = F.cross_entropy(r.model(image), F.softmax(y, dim=1))
        o.zero_grad()
        loss.backward()
        o.step()
        losses.append(loss.item())
    out.put("Resnet.loss", losses)
    for key, p in r.state_dict().items():
        out.tensor("Resnet." + key, p.double())
    r.eval()
    out.tensor("Resnet.eval.0", r.model(reals("image0", (4, 3, 16, 16))))
    return out


def recurrent():
    """nn.LSTM for the cell of char_lstm.nn, whose one bias is the input's here."""
    def lstm():
        m = nn.Module()
        m.cell = nn.Module()
        m.cell.weight_ih, m.cell.weight_hh = nn.Parameter(torch.zeros(20, 4)), nn.Parameter(torch.zeros(20, 5))
        m.cell.bias = nn.Parameter(torch.zeros(20))
        fill(m)
        torch_cell = nn.LSTM(4, 5)
        with torch.no_grad():
            torch_cell.weight_ih_l0.copy_(m.cell.weight_ih)
            torch_cell.weight_hh_l0.copy_(m.cell.weight_hh)
            torch_cell.bias_ih_l0.copy_(m.cell.bias)
            torch_cell.bias_hh_l0.zero_().requires_grad_(False)
        return torch_cell, [torch_cell.weight_ih_l0, torch_cell.weight_hh_l0, torch_cell.bias_ih_l0]

    out = Writer()
    cell, parameters = lstm()
    x = reals("x0", (BATCH, BATCH, 4)).requires_grad_()
    y, (h, c) = cell(x)
    loss = (y * torch.cos(torch.arange(y.numel()) * 0.7).view(y.shape)).sum() + (h * h).sum() + (c * c * c).sum()
    results = [loss.reshape(1), y, h[0], c[0]] + list(torch.autograd.grad(loss, [x] + parameters))
    for k, t in enumerate(results):
        out.tensor("step.%d" % k, t)

    cell, parameters = lstm()
    o = torch.optim.Adam(parameters, lr=1e-2)
    losses = []
    for k in range(STEPS):
        _, (h, _) = cell(reals("x%d" % k, (BATCH, BATCH, 4)))
        loss = F.mse_loss(h[0], 3 * reals("y%d" % k, (BATCH, 5)))
        o.zero_grad()
        loss.backward()
        o.step()
        losses.append(loss.item())
    out.put("CellAdam.loss", losses)
    for key, p in zip(["weight_ih", "weight_hh", "bias"], parameters):
        out.tensor("CellAdam.cell." + key, p)
    return out


def philox(seed, site, step, blocks):
    """Philox4x32-10: four words for each counter (block, 0, site, step)."""
    mask = np.uint64(0xFFFFFFFF)
    c = [np.arange(blocks, dtype=np.uint64), np.zeros(blocks, np.uint64),
         np.full(blocks, site, np.uint64), np.full(blocks, step, np.uint64)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & mask,
             (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=1)


def draw(place, step, shape):
    """The doubles that `prim.random` gives in call number `step` with seed 1: 53 bits of two words."""
    count = int(np.prod(shape))
    words = philox(1, fnv1a(place), step, (count + 1) // 2).reshape(-1, 2)[:count]
    high, low = (words[:, 0] >> np.uint64(5)).astype(np.float64), (words[:, 1] >> np.uint64(6)).astype(np.float64)
    return torch.from_numpy((high * 2.0**26 + low) * 2.0**-53).reshape(shape)


def wgan_gp():
    """200 steps of examples/wgan_gp.nn as it stands, with the very numbers that its randn and rand draw."""
    out = Writer()
    w = nn.Module()
    w.G = Net(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 2))
    w.D = Net(nn.Linear(2, 128), nn.SiLU(), nn.Linear(128, 1))
    fill(w)
    og = torch.optim.Adam(w.G.parameters(), lr=1e-4, betas=(0.5, 0.9))
    od = torch.optim.Adam(w.D.parameters(), lr=1e-4, betas=(0.5, 0.9))

    def critic(x):
        return w.D(x).squeeze(-1)

    def normal(first, step, shape):
        radius = torch.sqrt(-2 * torch.log(1 - draw("#%d" % first, step, shape)))
        return radius * torch.cos(2 * np.pi * draw("#%d" % (first + 1), step, shape))

    losses = []
    for k in range(200):
        real = reals("real%d" % k, (BATCH, 2))
        fake = w.G(normal(0, k, (BATCH, 32))).detach()
        eps = draw("#2", k, (BATCH, 1))
        x_hat = (eps * real + (1 - eps) * fake).requires_grad_()
        g, = torch.autograd.grad(critic(x_hat).sum(), x_hat, create_graph=True)
        d_loss = critic(fake).mean() - critic(real).mean() + 10.0 * ((g.norm(dim=1) - 1) ** 2).mean()
        od.zero_grad()
        d_loss.backward()
        od.step()
        g_loss = -critic(w.G(normal(3, k, (BATCH, 32)))).mean()
        og.zero_grad()
        g_loss.backward()
        og.step()
        losses.append((d_loss.item(), g_loss.item()))
    out.put("WganGp.loss", [d for d, _ in losses])
    out.put("WganGp.1", [g for _, g in losses])
    for key, p in w.named_parameters():
        out.tensor("WganGp." + key, p)
    return out


def updates():
    """One update of a matrix in f32, from gradients that are given: every element, and the loss."""
    out = Writer()
    o = torch.optim
    for name, make in [("Sgd", lambda p: o.SGD(p, lr=0.1)), ("Momentum", lambda p: o.SGD(p, lr=0.1, momentum=0.9)),
                       ("Adam", lambda p: o.Adam(p, lr=0.1)), ("AdamW", lambda p: o.AdamW(p, lr=0.1, weight_decay=0.1)),
                       ("Lions", lambda p: Lion(p, lr=0.1, weight_decay=0.1)), ("Plain", lambda p: o.SGD(p, lr=0.1))]:
        holder = nn.Module()
        holder.layer = nn.Linear(7, 5, bias=False)
        fill(holder).float()
        w, update = holder.layer.weight, make(holder.parameters())
        for k in range(2):
            loss = (w * reals("g%d" % k, (5, 7)).float()).sum()
            update.zero_grad()
            loss.backward()
            update.step()
            out.put("%s.loss%d" % (name, k), [loss.item()])
            out.put("%s.weight%d" % (name, k), w.detach().reshape(-1).tolist())
    return out


def empty():
    """Losses and norms of gradients for a batch without rows."""
    out = Writer()
    for name, model, x, y, loss_fn in [
            ("fashion_mnist", NeuralNetwork(), torch.zeros(0, 28, 28), torch.zeros(0, dtype=torch.int64), F.cross_entropy),
            ("lenet", LeNet(), torch.zeros(0, 1, 32, 32), torch.zeros(0, 10), F.mse_loss)]:
        loss = loss_fn(fill(model)(x.clone()), y)
        loss.backward()
        out.put(name + ".loss", [loss.item()])
        out.put(name + ".gradients", [p.grad.norm().item() for p in model.parameters()])
    return out


# torch's sums are of other vectors on another processor; ten steps through normalisations carry one rounding of 1.1e-16
# to 1.5e-11 of a weight (AVX2 beside AVX-512), a hundredth of what the C test allows.
STEPS_BOUND = {"resnet": 1e-10}


def compare(name, lines, path):
    with open(path) as f:
        committed = f.read().splitlines()
    if len(lines) != len(committed):
        return "%s: %d lines, %d committed" % (name, len(lines), len(committed))
    for a, b in zip(lines, committed):
        if a == b:
            continue
        if name == "modules":
            return "modules: %s, committed %s" % (a, b)
        ka, *va = a.split()
        kb, *vb = b.split()
        if ka != kb or len(va) != len(vb):
            return "%s: %s is not %s" % (name, ka, kb)
        for x, y in zip(map(float, va), map(float, vb)):
            if abs(x - y) > STEPS_BOUND.get(name, 1e-11) * max(1.0, abs(y)) or (x != x) != (y != y):
                return "%s: %s is %r, committed %r" % (name, ka, x, y)
    return None


def main():
    check = "--check" in sys.argv[1:]
    failed = False
    for name, make in [("fashion_mnist", fashion), ("lenet", lenet), ("custom", custom), ("library", library),
                       ("models", models),
                       ("language", language), ("recurrent", recurrent), ("resnet", resnet), ("wgan_gp", wgan_gp), ("updates", updates), ("empty", empty), ("modules", modules)]:
        lines = make().lines
        path = os.path.join(HERE, "fixtures", name + ".txt")
        if check:
            problem = compare(name, lines, path)
            print(problem or name + ": agrees")
            failed |= problem is not None
        else:
            with open(path, "w") as f:
                f.write("\n".join(lines) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
