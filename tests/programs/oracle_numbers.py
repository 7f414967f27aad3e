"""What the programs of torch_oracle.py are made of: numbers by name, lines of a fixture, ten calls of a model."""
import numpy as np
import torch
import torch.nn as nn

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


class Writer:
    def __init__(self):
        self.lines = []

    def put(self, key, values):
        self.lines.append(key + " " + " ".join(repr(float(v)) for v in values))

    def tensor(self, key, t):
        """Norm, sum and three entries: the first, the middle, the last."""
        v = t.detach().reshape(-1)
        self.put(key, [v.norm(), v.sum(), v[0], v[v.numel() // 2], v[-1]])


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


def weigh(y):
    return (y * torch.cos(torch.arange(y.numel()) * 0.7).reshape(y.shape)).sum()


def probe(ys, xs):
    total = sum(weigh(y) for y in ys)
    grads = torch.autograd.grad(total, xs)
    return [torch.cat([y.flatten() for y in ys])] + [g.flatten() for g in grads]
