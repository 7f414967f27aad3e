"""Loops of training beside PyTorch, in f64: gradients that add up over several backward(), clipping, averages of weights,
frozen layers.

    loops.py --write FILE   torch's results, one line of JSON a case (needs torch)
    loops.py --check FILE   the same cases in the interpreter, without torch

The lines of a case are Python and the language, but for the blocks around them; a case without `all` has braces of one
loop.  NNC is the compiler.
"""

import json
import random
import struct

import runs

STEPS = 6
# A result is a sum of fewer than 512 rounded terms, through 6 steps and functions that are exact to 4 ulp.
BOUND = 4096 * 2.0**-53
SGD = "optim.SGD(self.m.parameters(), lr=0.2, momentum=0.9)"
CLIP = "torch.nn.utils.clip_grad_norm_(self.m.parameters(), {})"
AVERAGE = "optim.swa_utils.AveragedModel(self.m{})"
EMA = "optim.swa_utils.get_ema_{}avg_fn(0.8)"


def case(members, *lines, accumulate=1):
    return {"members": members, "lines": lines, "accumulate": accumulate}


CASES = {
    "plain": case([("optimizer", SGD)]),
    "accumulate 2": case([("optimizer", SGD)], accumulate=2),
    "accumulate 3": case([("optimizer", "optim.AdamW([self.m[3].weight, self.m[3].bias], lr=0.01)")], accumulate=3),
    "clip_grad_norm_": case([("optimizer", SGD)], CLIP.format("0.5")),
    "clip_grad_norm_ inf": case([("optimizer", SGD)], CLIP.format("0.1, norm_type=float('inf')")),
    "clip_grad_norm_ 1": case([("optimizer", SGD)], CLIP.format("max_norm=0.3, norm_type=1.0"), accumulate=2),
    "clip_grad_value_": case([("optimizer", SGD)], "torch.nn.utils.clip_grad_value_(self.m.parameters(), 0.05)"),
    "mean of weights": case([("optimizer", SGD), ("average", AVERAGE.format(""))], "self.average.update_parameters(self.m)"),
    "ema": case([("optimizer", SGD), ("average", AVERAGE.format(", avg_fn=" + EMA.format("")))], "self.average.update_parameters(self.m)"),
    "ema of lists": case([("optimizer", SGD), ("average", AVERAGE.format(", multi_avg_fn=" + EMA.format("multi_")))],
                         "self.average.update_parameters(self.m)", accumulate=2),
    "ema of buffers": case([("optimizer", SGD), ("average", AVERAGE.format(", avg_fn=" + EMA.format("") + ", use_buffers=True"))],
                           "self.average.update_parameters(self.m)"),
    "frozen": case([("frozen", "self.m[0].requires_grad_(False)"), ("optimizer", "optim.SGD([p for p in self.m.parameters() if p.requires_grad], lr=0.2)")]),
    "frozen bias": case([("frozen", "self.m[3].bias.requires_grad_(False)"), ("optimizer", SGD)], accumulate=2),
}  # fmt: skip
SHAPES = {"0.weight": (4, 3), "0.bias": (4,), "1.weight": (4,), "1.bias": (4,), "3.weight": (2, 4), "3.bias": (2,)}
PLACES = ["self.m[0].weight", "self.m[0].bias", "self.m[1].weight", "self.m[1].bias", "self.m[3].weight", "self.m[3].bias"]


def count(shape):
    return shape[0] * (shape[1] if len(shape) > 1 else 1)


def values(key, number):
    generator = random.Random(key)
    return [struct.unpack("f", struct.pack("f", generator.uniform(-1, 1)))[0] for _ in range(number)]


def when(i, accumulate):
    return i % accumulate == accumulate - 1


# ---- torch ----


def torch_results(name):
    import torch
    from torch import nn, optim

    torch.set_default_dtype(torch.float64)

    class Self:
        pass

    wanted, own = CASES[name], Self()
    own.m = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))
    with torch.no_grad():
        for p, (key, shape) in zip(own.m.parameters(), SHAPES.items()):
            p.copy_(torch.tensor(values(key, count(shape))).reshape(shape))
    names = {"self": own, "torch": torch, "optim": optim}
    for member, text in wanted["members"]:
        setattr(own, member, eval(text, names))
    x, y = (torch.tensor(values(k, STEPS * 5 * n)).reshape(STEPS, 5, n) for k, n in (("x", 3), ("y", 2)))
    losses = []
    for i in range(STEPS):
        loss = nn.functional.mse_loss(own.m(x[i]), y[i])
        losses.append(loss.item())
        (loss / wanted["accumulate"]).backward()
        if not when(i, wanted["accumulate"]):
            continue
        lines = wanted["lines"]
        for line in (l for l in lines if "clip" in l):
            exec(line, names)
        own.optimizer.step()
        own.optimizer.zero_grad()
        own.m.zero_grad()
        for line in (l for l in lines if "clip" not in l):
            exec(line, names)
    last = own.average if hasattr(own, "average") else own.m
    last.eval()
    results = losses + last(x[0]).flatten().tolist()
    for p in own.m.parameters():
        results += p.flatten().tolist()
    return results


def write(path):
    with open(path, "w") as out:
        for name in CASES:
            out.write(json.dumps({"name": name, "results": torch_results(name)}) + "\n")


# ---- the language ----


def program(name):
    wanted = CASES[name]
    members = "".join(f"    {'' if m == 'frozen' else f'self.{m} = '}{text}\n" for m, text in wanted["members"])
    lines = wanted["lines"]
    clip = "".join(f"                {l}\n" for l in lines if "clip" in l)
    after = "".join(f"                {l}\n" for l in lines if "clip" not in l)
    arguments = ", ".join(f"p{i}: f64[{', '.join(map(str, shape))}]" for i, shape in enumerate(SHAPES.values()))
    copies = "".join(f"        {place}.data = p{i}\n" for i, place in enumerate(PLACES))
    last = "self.average" if any(m == "average" for m, _ in wanted["members"]) else "self.m"
    return f"""train T {{
    self.m = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))
{members}
    def load({"self, " + arguments}) -> (done: i64) {{
{copies}        return 1
    }}
    def run(self, x: f64[{STEPS}, 5, 3], y: f64[{STEPS}, 5, 2]) -> (results: f64[R]) {{
        losses = []
        for i in range({STEPS}) {{
            loss = F.mse_loss(self.m(x[i]), y[i])
            losses.append(loss)
            (loss / {wanted["accumulate"]}).backward()
            if i % {wanted["accumulate"]} == {wanted["accumulate"] - 1} {{
{clip}                self.optimizer.step()
                self.optimizer.zero_grad()
                self.m.zero_grad()
{after}            }}
        }}
        self.m.eval()
        {last}.eval()
        out = {last}(x[0])
        return torch.cat([torch.stack(losses), out.flatten()] + [p.flatten() for p in self.m.parameters()])
    }}
}}
"""


def check_case(name, wanted, folder):
    with open(f"{folder}/case.nn", "w") as out:
        out.write(program(name))
    inputs = []
    for i, (key, shape) in enumerate(SHAPES.items()):
        runs.write_array(f"{folder}/p{i}.npy", values(key, count(shape)), shape)
        inputs.append(f"--input=p{i}={folder}/p{i}.npy")
    for key, n in (("x", 3), ("y", 2)):
        runs.write_array(f"{folder}/{key}.npy", values(key, STEPS * 5 * n), (STEPS, 5, n))
    why = runs.run_entry(folder, "load", *inputs, f"--checkpoint={folder}/c.st")
    why = why or runs.run_entry(folder, "run", f"--resume={folder}/c.st", f"--input=x={folder}/x.npy", f"--input=y={folder}/y.npy", f"--output-dir={folder}")
    if why:
        return why
    return runs.difference(runs.read_array(f"{folder}/results.npy"), wanted, BOUND, 1, lambda i: f"value {i}")


def check(path):
    return runs.check_fixtures(path, list(CASES), lambda r: r["name"], lambda i, r, f: check_case(r["name"], r["results"], f), "loops")


if __name__ == "__main__":
    runs.main(write, check, __doc__)
