"""What torch computes for the cases, in f64: results, gradients, parameters and buffers, steps of optimizers."""

import math  # noqa: F401 (a name of texts)

import driver
import torch
from torch import nn, optim  # noqa: F401 (names of the cases' texts)
from torch.nn import functional as F  # noqa: F401

torch.set_default_dtype(torch.float64)
NAMES = {torch.float64: "f64", torch.float32: "f32", torch.int64: "i64", torch.int32: "i32", torch.bool: "bool",
         torch.uint8: "u8", torch.int8: "i8", torch.int16: "i16"}  # fmt: skip
# The language's words for dtypes, as arguments of calls; its default, f32, is f64 here.
WORDS = {"f32": torch.float64, "f64": torch.float64, "i64": torch.int64, "i32": torch.int32, "i16": torch.int16,
         "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool}  # fmt: skip
TYPES = {"f32": torch.float64, "i64": torch.int64, "bool": torch.bool}


def scope():
    """Names of the texts of given calls."""
    return dict(globals(), **WORDS)


def plain(tensor):
    return NAMES[tensor.dtype], list(tensor.shape), tensor.detach().resolve_neg().reshape(-1).tolist()


def leaves(value, path=""):
    """(path, tensor) of the tensors in nested results."""
    if isinstance(value, torch.Tensor):
        return [(path, value)]
    if isinstance(value, (bool, int, float)):
        return [(path, torch.tensor(value))]
    found = []
    for i, part in enumerate(value):
        found += leaves(part, f"{path}[{i}]")
    return found


def fill(case, module):
    for name, value in module.state_dict(keep_vars=True).items():
        dtype = "i64" if value.dtype == torch.int64 else "f32"
        numbers = driver.parameter(case.key, name, dtype, list(value.shape))
        with torch.no_grad():
            value.copy_(torch.tensor(numbers, dtype=value.dtype).reshape(value.shape))


def optimizer_record(case):
    module = nn.Linear(3, 2)
    fill(case, module)
    made = eval(case.text("module.parameters()"), dict(globals(), module=module))
    steps = []
    for step in range(driver.STEPS):
        made.zero_grad()
        for name, p in module.named_parameters():
            p.grad = torch.tensor(driver.optimizer_gradient(case, step, name, list(p.shape))).reshape(p.shape)
        made.step()
        steps.append({name: plain(p) for name, p in module.named_parameters()})
    return {"steps": steps}


def call_record(case):
    module = None
    record = {"samples": {}, "upstream": 1}
    if case.constructor:
        module = eval(case.constructor, dict(globals()))
        module.train(case.train)
    record["saved"] = list(module.state_dict()) if module else []
    for name, dims, special in driver.samples(case):
        names = dict(globals() if case.given is None else scope(), m=module)
        xs = {}
        for i, (dtype, shape, numbers) in enumerate(driver.inputs_of(case, name, dims, special)):
            x = torch.tensor(numbers, dtype=TYPES[dtype]).reshape(shape)
            if dtype == "f32" and not case.inputs[i].startswith("d"):
                x.requires_grad_()
            xs[f"x{i}"] = x
            names[f"x{i}"] = x * 1 if dtype == "f32" else x
        if module:
            fill(case, module)
            module.zero_grad()
        found = leaves(eval(case.call, names))
        floating = [y for _, y in found if y.dtype.is_floating_point]
        count = sum(y.numel() for y in floating)
        record["upstream"] = max(record["upstream"], count)
        if name == "a":
            record["results"] = [[path, NAMES[y.dtype], y.dim()] for path, y in found]
        u = torch.tensor(driver.upstream(case, name, count))
        total, at = 0.0, 0
        for y in floating:
            total = total + (y.reshape(-1) * u[at : at + y.numel()]).sum()
            at += y.numel()
        wrt = {k: x for k, x in xs.items() if x.requires_grad}
        if module:
            wrt.update((k, p) for k, p in module.named_parameters() if p.requires_grad)
        differentiable = isinstance(total, torch.Tensor) and total.requires_grad and not case.no_gradient
        gradients = torch.autograd.grad(total, list(wrt.values()), allow_unused=True) if differentiable else []
        reached = {k: g for (k, _), g in zip(wrt.items(), gradients) if g is not None}
        if name == "a":
            record["gradients"] = list(reached)
            record["ranks"] = [g.dim() for g in reached.values()]
        elif list(reached) != record["gradients"]:
            raise ValueError(f"sample {name} has other gradients")
        buffers = {k: plain(v) for k, v in module.state_dict().items()} if module else {}
        record["samples"][name] = {"tensors": [plain(y) for _, y in found] + [plain(g) for g in reached.values()],
                                   "buffers": {k: v for k, v in buffers.items() if k not in dict(module.named_parameters())}
                                   if module else {}}  # fmt: skip
    return record


def records(cases):
    found, failures = {}, {}
    for case in cases:
        try:
            found[case.key] = optimizer_record(case) if case.kind == "optimizer" else call_record(case)
        except Exception as e:
            failures[case.key] = f"torch: {type(e).__name__}: {e}"
    return found, failures
