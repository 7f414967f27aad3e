#!/usr/bin/env python3
"""PyTorch's answers for the programs in tests/programs/agree, in double precision.

Parameters and inputs come from a formula that the C test uses too (splitmix64 of a name's hash), so a
fixture holds results only: losses, sampled entries, norms.

  torch_oracle.py            writes tests/programs/fixtures/*.txt
  torch_oracle.py --check    computes them again and compares with the committed files (1e-11 relative)
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, BATCH = 10, 6


def fnv1a(text):
    h = 2166136261
    for b in text.encode():
        h = ((h ^ b) * 16777619) & 0xFFFFFFFF
    return h


def uniform(name, count):
    """Doubles in [0, 1): splitmix64 of (hash(name) << 32) + index."""
    with np.errstate(over="ignore"):
        z = (np.uint64(fnv1a(name)) << np.uint64(32)) + np.arange(count, dtype=np.uint64)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def fill(model):
    """Every parameter: uniform in +-1/sqrt(fan in), or +-1/2 for vectors; the name is the key's."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale = 1.0 / np.sqrt(p[0].numel()) if p.dim() > 1 else 0.5
            u = uniform(name, p.numel())
            p.copy_(torch.from_numpy((2 * u - 1) * scale).reshape(p.shape))
    return model


def reals(name, shape):
    return torch.from_numpy(2 * uniform(name, int(np.prod(shape))) - 1).reshape(shape)


def integers(name, shape, n):
    return torch.from_numpy(np.floor(uniform(name, int(np.prod(shape))) * n).astype(np.int64)).reshape(shape)


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))

    def forward(self, x):
        return self.linear_relu_stack(self.flatten(x))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3)
        self.conv2 = nn.Conv2d(6, 16, 3)
        self.fc1 = nn.Linear(16 * 6 * 6, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(16))

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * self.weight


class Custom(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = Norm()
        self.fc = nn.Linear(16, 1)

    def forward(self, x):
        x = self.norm(x)
        return self.fc(0.5 * (x + torch.sqrt(x * x + 4.0)))


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (b1, b2), lr, wd = group["betas"], group["lr"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                direction = torch.sign(b1 * m + (1 - b1) * p.grad)
                m.copy_(b2 * m + (1 - b2) * p.grad)
                p.copy_(p - lr * (direction + wd * p))


class Writer:
    def __init__(self):
        self.lines = []

    def put(self, key, values):
        self.lines.append(key + " " + " ".join(repr(float(v)) for v in values))

    def tensor(self, key, t):
        """Norm, sum and three entries: the first, the middle, the last."""
        v = t.detach().reshape(-1)
        self.put(key, [v.norm(), v.sum(), v[0], v[v.numel() // 2], v[-1]])


def images(name):
    return integers(name, (BATCH, 28, 28), 256) / 255


def fashion_batch(k):
    return images("image%d" % k), integers("label%d" % k, (BATCH,), 10)


def lenet_batch(k):
    return reals("input%d" % k, (BATCH, 1, 32, 32)), reals("target%d" % k, (BATCH, 10))


def custom_batch(k):
    return reals("x%d" % k, (BATCH, 16)), 3 * reals("y%d" % k, (BATCH, 1))


def trajectory(out, name, root, model, batch, loss_fn, update, every=1):
    """Ten calls; `root` is the member that holds the model, the prefix of its keys."""
    class Holder(nn.Module):
        pass
    holder = Holder()
    setattr(holder, root, model)
    fill(holder)
    losses = []
    for k in range(STEPS):
        x, y = batch(k)
        loss = loss_fn(model(x), y)
        loss.backward()
        losses.append(loss.item())
        if (k + 1) % every == 0:
            update(model)
    out.put(name + ".loss", losses)
    for key, p in holder.named_parameters():
        out.tensor(name + "." + key, p)


def stepper(make):
    state = {}

    def update(model):
        if "o" not in state:
            state["o"] = make(model.parameters())
        state["o"].step()
        state["o"].zero_grad()
    return update


def gradients(out, root, model, x, y, loss_fn):
    class Holder(nn.Module):
        pass
    holder = Holder()
    setattr(holder, root, model)
    fill(holder)
    loss = loss_fn(model(x), y)
    loss.backward()
    out.put("Gradients.loss", [loss.item()])
    for key, p in holder.named_parameters():
        out.tensor("grad." + key, p.grad)


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
    out.put("infer.output", model(x).detach().reshape(-1).tolist())
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


def compare(name, lines, path):
    with open(path) as f:
        committed = f.read().splitlines()
    if len(lines) != len(committed):
        return "%s: %d lines, %d committed" % (name, len(lines), len(committed))
    for a, b in zip(lines, committed):
        ka, *va = a.split()
        kb, *vb = b.split()
        if ka != kb or len(va) != len(vb):
            return "%s: %s is not %s" % (name, ka, kb)
        for x, y in zip(map(float, va), map(float, vb)):
            if abs(x - y) > 1e-11 * max(1.0, abs(y)):
                return "%s: %s is %r, committed %r" % (name, ka, x, y)
    return None


def main():
    check = "--check" in sys.argv[1:]
    failed = False
    for name, make in [("fashion_mnist", fashion), ("lenet", lenet), ("custom", custom)]:
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
