"""Learning-rate schedules against PyTorch: the rate, and the momentum where it is cycled, of 100 steps in f64.

    schedules.py --write FILE   torch's rates, one line of JSON a case (needs torch)
    schedules.py --check FILE   the same cases in the interpreter, without torch

A case is text that is both Python and the language.  NNC is the compiler.
"""

import json
import random
import re

import runs

STEPS = 100
# Closed forms beside torch's recursions: 100 products, each rounded once, and functions exact to 4 ulp.
BOUND = 512 * 2.0**-53

FUNCTIONS = {
    "decay": ("t", "0.95 ** t"),
    "stairs": ("t", "0.5 ** (t // 7)"),
    "gentle": ("t", "1.0 - 1.0 / (t + 3.0)"),
    "shrink": ("x", "1.0 / (1.0 + x)"),
}
S = "optim.lr_scheduler."
SGD, ADAM = "optim.SGD(P, lr=0.3, momentum=0.9)", "optim.AdamW(P, lr=1e-3)"
RMS = "optim.RMSprop(P, lr=0.05, momentum=0.5)"
GROUPS = "optim.SGD([{'params': W}, {'params': B, 'lr': 0.02}], lr=0.3, momentum=0.9)"
CASES = [
    ("StepLR(O, step_size=30, gamma=0.1)", SGD),
    ("StepLR(O, 7, 0.7)", GROUPS),
    ("MultiStepLR(O, milestones=[30, 80])", SGD),
    ("MultiStepLR(O, [0, 3, 50], 0.3)", ADAM),
    ("ConstantLR(O)", SGD),
    ("ConstantLR(O, factor=0.25, total_iters=40)", GROUPS),
    ("LinearLR(O)", SGD),
    ("LinearLR(O, start_factor=0.01, end_factor=0.5, total_iters=60)", ADAM),
    ("ExponentialLR(O, gamma=0.9)", SGD),
    ("ExponentialLR(O, 1.01)", GROUPS),
    ("PolynomialLR(O)", SGD),
    ("PolynomialLR(O, total_iters=70, power=1.7)", ADAM),
    ("CosineAnnealingLR(O, T_max=99)", SGD),
    ("CosineAnnealingLR(O, T_max=20, eta_min=0.01)", GROUPS),
    ("CosineAnnealingWarmRestarts(O, T_0=13)", SGD),
    ("CosineAnnealingWarmRestarts(O, 3, T_mult=2, eta_min=1e-4)", ADAM),
    ("CosineAnnealingWarmRestarts(O, 1, 3)", SGD),
    ("LambdaLR(O, lr_lambda=decay)", SGD),
    ("LambdaLR(O, [stairs, decay])", GROUPS),
    ("MultiplicativeLR(O, lr_lambda=gentle)", SGD),
    ("MultiplicativeLR(O, [gentle, shrink])", GROUPS),
    ("OneCycleLR(O, max_lr=0.5, total_steps=100)", SGD),
    ("OneCycleLR(O, 0.01, epochs=10, steps_per_epoch=10, pct_start=0.2, anneal_strategy='linear')", ADAM),
    ("OneCycleLR(O, [0.5, 0.1], 101, base_momentum=0.7, max_momentum=0.9, div_factor=10.0, final_div_factor=100.0, three_phase=True)", GROUPS),
    ("OneCycleLR(O, 0.2, 100, cycle_momentum=False)", "optim.SGD(P, lr=0.3)"),
    ("OneCycleLR(O, 0.2, 120)", RMS),
    ("CyclicLR(O, base_lr=0.001, max_lr=0.1, step_size_up=10)", SGD),
    ("CyclicLR(O, 0.001, 0.1, 9, 4, mode='triangular2', base_momentum=0.6, max_momentum=0.95)", ADAM),
    ("CyclicLR(O, [0.001, 0.01], [0.1, 0.2], 12, mode='exp_range', gamma=0.99, cycle_momentum=False)", GROUPS),
    ("CyclicLR(O, 0.001, 0.1, 8, scale_fn=shrink, scale_mode='iterations')", SGD),
    ("SequentialLR(O, [LinearLR(O, 0.1, total_iters=10), CosineAnnealingLR(O, 90)], milestones=[10])", SGD),
    ("SequentialLR(O, [ConstantLR(O, 0.5, 5), ExponentialLR(O, 0.9), StepLR(O, 10)], [20, 60])", GROUPS),
    ("ChainedScheduler([ConstantLR(O, 0.1, 20), ExponentialLR(O, 0.97)], O)", SGD),
    ("ChainedScheduler([StepLR(O, 9, 0.8), LinearLR(O, 0.5, 1.0, 30), PolynomialLR(O, 200)], optimizer=O)", ADAM),
    ("ReduceLROnPlateau(O)", SGD),
    ("ReduceLROnPlateau(O, mode='max', factor=0.5, patience=3, threshold=0.01, threshold_mode='abs', cooldown=4, min_lr=1e-3)", ADAM),
    ("ReduceLROnPlateau(O, 'min', 0.3, 2, 0.05, cooldown=1, min_lr=[0.01, 1e-4], eps=1e-3)", GROUPS),
    ("ReduceLROnPlateau(O, mode='max', patience=2, threshold=0.02)", SGD),
]  # fmt: skip


def spelled(text):
    """With torch's namespace before every schedule."""
    return re.sub(r"\b([A-Z]\w+)\(", S + r"\1(", text)


def metrics(index):
    generator = random.Random(f"metric {index}")
    return [2.0 / (1 + i // 9) + generator.uniform(-0.02, 0.02) for i in range(STEPS)]


def cycles(case):
    return ("OneCycle" in case or "Cyclic" in case) and "cycle_momentum=False" not in case


# ---- torch ----


def momentum_of(group):
    return group["momentum"] if "momentum" in group else group["betas"][0]


def torch_rates(index):
    import torch
    from torch import optim

    case, text = CASES[index]
    names = {"optim": optim, "torch": torch}
    for name, (argument, body) in FUNCTIONS.items():
        exec(f"def {name}({argument}): return {body}", names)
    W, B = (torch.nn.Parameter(torch.zeros(n, dtype=torch.float64)) for n in (2, 3))
    names.update(W=[W], B=[B], P=[W, B])
    O = names["O"] = eval(text, names)
    scheduler = eval(spelled(case), names)
    W.grad, B.grad = torch.zeros_like(W), torch.zeros_like(B)
    rows = []
    for metric in metrics(index):
        O.step()
        rows.append([float(group["lr"]) for group in O.param_groups])
        if cycles(case):
            rows[-1] += [float(momentum_of(group)) for group in O.param_groups]
        scheduler.step(metric) if "Plateau" in case else scheduler.step()
    return rows


def write(path):
    with open(path, "w") as out:
        for index, (case, optimizer) in enumerate(CASES):
            out.write(json.dumps({"case": case, "optimizer": optimizer, "rates": torch_rates(index)}) + "\n")


# ---- the language ----


def program(index):
    case, optimizer = CASES[index]
    own = {"O": "self.optimizer", "P": "self.m.parameters()", "W": "[self.m.weight]", "B": "[self.m.bias]"}
    case = re.sub(r"\bO\b", own["O"], case)
    optimizer = re.sub(r"\b[PWB]\b", lambda word: own[word[0]], optimizer)
    momentum = "group['momentum'] if 'momentum' in group else group['betas'][0]"
    extra = f" + [{momentum} for group in self.optimizer.param_groups]" if cycles(case) else ""
    functions = "".join(f"def {name}({argument}) {{ return {body} }}\n" for name, (argument, body) in FUNCTIONS.items())
    return f"""{functions}train T {{
    self.m = nn.Linear(2, 3)
    self.optimizer = {optimizer}
    self.scheduler = {spelled(case)}
    def run(self, metrics: f64[{STEPS}]) -> (rates: f64[{STEPS}, G]) {{
        (self.m.weight.sum() + self.m.bias.sum()).backward()
        rows = []
        for i in range({STEPS}) {{
            self.optimizer.step()
            rows.append(torch.stack([group['lr'] for group in self.optimizer.param_groups]{extra}))
            self.scheduler.step({"metrics[i]" if "Plateau" in case else ""})
        }}
        return torch.stack(rows)
    }}
}}
"""


def check_case(index, record, folder):
    """Why the case does not hold, or None."""
    with open(f"{folder}/case.nn", "w") as out:
        out.write(program(index))
    runs.write_array(f"{folder}/metrics.npy", metrics(index), [STEPS])
    why = runs.run_entry(folder, "run", f"--input=metrics={folder}/metrics.npy", f"--output-dir={folder}")
    if why:
        return why
    rates = record["rates"]
    flat = [value for row in rates for value in row]
    return runs.difference(runs.read_array(f"{folder}/rates.npy"), flat, BOUND, 1e-3, lambda i: f"step {i // len(rates[0])}")


def check(path):
    return runs.check_fixtures(path, CASES, lambda r: (r["case"], r["optimizer"]), check_case, "schedules")


if __name__ == "__main__":
    runs.main(write, check, __doc__)
