"""The library against PyTorch: values, gradients of every input and parameter, buffers, steps of optimizers.

    driver.py [--only TEXT,..] [--keep FOLDER] [--report FILE]   everything, against torch in f64 (needs torch)
    driver.py --interpret [--only TEXT]                       in the interpreter alone: seconds
    driver.py --shim [--only TEXT]                            emitted CUDA, by the shim of tests/cuda, in f32
    driver.py --fixtures FILE                                 writes torch's results for the test below
    driver.py --check FILE                                    the fixtures' cases, without torch

Cases are declared in cases.py as text that is both Python and the language.  Programs of many cases are generated,
compiled by nnc and a C compiler, and called through the tables of nnc_abi.h.  Inputs, parameters and the upstream
gradient are drawn by name from Python's generator and can be represented in f32, so that one reference, torch in f64,
serves both variants.  NNC, CC: the compilers.
"""

import argparse
import base64
import collections
import concurrent.futures
import ctypes
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

import abi
import cases as declared

VARIANTS = ("f64", "f32")
# Errors are relative to max(1, largest finite element of torch's tensor).  A result of a case is a sum of fewer than
# 512 rounded terms no larger than that, through at most 8 functions in a row that are exact to 1 ulp in f32 and 4 ulp
# in f64 each: 512 units of 2^-24 and 4,096 of 2^-53.  A row whose condition is worse says by how much, and why.
BOUNDS = {"f64": 4096 * 2.0**-53, "f32": 512 * 2.0**-24}
BOUNDS["interpreted"] = BOUNDS["f64"]
BOUNDS["shim"] = BOUNDS["f32"]
SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cuda", "shim")
FILE_CASES = 60
STEPS = 6
EXTENTS = {"N": 3, "M": 2, "T": 5, "C": 4, "L": 7}


# ---- numbers ----


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def kind_of(spec):
    """(kind, extents) of a tensor; `d` before the kind: no gradient."""
    kind, _, text = spec.rpartition(":")
    return kind.removeprefix("d"), text


def draw(key, spec, dims, special=False):
    """(dtype, shape, numbers) of the tensor `spec`: [kind:] extents, where kind says which numbers."""
    kind, text = kind_of(spec)
    shape = [dims.get(word) if word in dims else int(word) for word in text.split()]
    count = abi.numel(shape)
    generator = random.Random(key)
    if kind == "b":
        return "bool", shape, [generator.random() < 0.6 for _ in range(count)]
    if kind.startswith("i"):
        low, high = ([0] + [int(n) for n in kind[1:].split("..")])[-2:]  # i5, i-1..5
        return "i64", shape, [generator.randrange(low, high) for _ in range(count)]
    low, high = {"": (-2, 2), "p": (0.1, 2), "u": (0.05, 0.95), "s": (-0.5, 0.5), "w": (-6, 6)}[kind]
    values = [single(generator.uniform(low, high)) for _ in range(count)]
    if kind == "" and count > 8 and special:
        for value in (math.nan, math.inf, -math.inf, 0.0, -0.0):
            values[generator.randrange(count)] = value
    return "f32", shape, values


def parameter(key, name, dtype, shape):
    generator = random.Random(f"{key} {name}")
    if dtype == "i64":
        return [3] * abi.numel(shape)
    low, high = (0.3, 2.0) if name.endswith("_var") else (-0.7, 0.7)
    return [single(generator.uniform(low, high)) for _ in range(abi.numel(shape))]


def samples(case):
    """(name, dims, whether special values are put in) of every call of a case."""
    yield "a", EXTENTS, False
    if case.given is not None:
        return
    yield "b", EXTENTS, False
    if case.special:
        yield "special", EXTENTS, True
    if case.zero:
        yield "zero", dict(EXTENTS, **{case.zero: 0}), False


def inputs_of(case, name, dims, special):
    if case.given is not None:
        return [({"b": "bool", "i": "i64", "": "f32"}[kind_of(spec)[0]], shape, numbers)
                for spec, (shape, numbers) in zip(case.inputs, case.given)]  # fmt: skip
    return [draw(f"{case.key} {name} x{i}", spec, dims, special) for i, spec in enumerate(case.inputs)]


def upstream(case, name, count):
    generator = random.Random(f"{case.key} {name} upstream")
    return [single(generator.uniform(-1, 1)) for _ in range(count)]


def optimizer_gradient(case, step, name, shape):
    if step == 3:
        return [0.0] * abi.numel(shape)
    generator = random.Random(f"{case.key} {step} {name}")
    return [single(generator.uniform(-1, 1)) for _ in range(abi.numel(shape))]


# ---- programs ----


def member(name):
    """self.m.layers[0].weight for layers.0.weight."""
    return "self.m" + "".join(f"[{part}]" if part.isdigit() else "." + part for part in name.split("."))


def tensor_type(dtype, dims):
    return f"{dtype}[{', '.join(dims)}]" if dims else dtype


def program_of(case, record):
    """The train block of a case; `record` says which results and gradients torch has."""
    if case.kind == "optimizer":
        return "\n".join([
            f"train {case.symbol} {{", "    self.m = nn.Linear(3, 2)", f"    self.o = {case.text('self.m.parameters()')}",
            "    def run(self, weight: f32[2, 3], bias: f32[2]) -> (loss: f32) {",
            "        loss = (self.m.weight * weight).sum() + (self.m.bias * bias).sum()",
            "        self.o.zero_grad()", "        loss.backward()", "        self.o.step()", "        return loss",
            "    }", "}", ""])  # fmt: skip
    arguments, results, wrt = [], [], []
    for i, spec in enumerate(case.inputs):
        kind, text = kind_of(spec)
        dtype = "bool" if kind == "b" else "i64" if kind.startswith("i") else "f32"
        arguments.append(f"x{i}: {tensor_type(dtype, text.split())}")
    for i, (_, dtype, rank) in enumerate(record["results"]):
        dtype = "f32" if dtype in ("f32", "f64") else dtype
        results.append(f"y{i}: {tensor_type(dtype, [f'Y{i}_{k}' for k in range(rank)])}")
    for i, name in enumerate(record["gradients"]):
        spec = record["ranks"][i]
        results.append(f"d{i}: {tensor_type('f32', [f'D{i}_{k}' for k in range(spec)])}")
        wrt.append(name if re.fullmatch(r"x\d+", name) else member(name))
    floating = [i for i, r in enumerate(record["results"]) if r[1] in ("f32", "f64")]
    lines = [f"train {case.symbol} {{"]
    if case.constructor:
        lines.append(f"    self.m = {case.constructor}")
    if wrt:
        arguments.append(f"u: f32[{record['upstream']}]")
    lines.append(f"    def run(self, {', '.join(arguments)}) -> ({', '.join(results)}) {{")
    if case.constructor:
        lines.append(f"        self.m.{'train' if case.train else 'eval'}()")
        lines.append("        m = self.m")
    lines.append(f"        y = {case.call}")
    names = []
    for i, (path, dtype, _) in enumerate(record["results"]):
        lines.append(f"        y{i} = y{path}" + (".to(f32)" if case.wide else ""))
        names.append(f"y{i}")
    if wrt:
        lines += ["        total = 0.0", "        at = 0"]
        for i in floating:
            lines.append(f"        total = total + (y{i}.flatten() * torch.narrow(u, 0, at, y{i}.numel())).sum()")
            lines.append(f"        at = at + y{i}.numel()")
        if case.given is not None:  # of what takes part with a derivative of 0, torch has a gradient
            lines += [f"        total = total + where(False, {name}, 0).sum()" for name in wrt]
        lines.append(f"        g = grad(total, [{', '.join(wrt)}])")
        names += [f"g[{i}]" for i in range(len(wrt))]
    lines += [f"        return {', '.join(names)}", "    }", "}", ""]
    return "\n".join(lines)


class Failure(Exception):
    pass


def run_command(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failure(done.stdout.decode(errors="replace").strip() or f"{argv[0]} ended with {done.returncode}")


def compile_file(folder, name, texts, variant):
    path = f"{folder}/{name}"
    with open(path + ".nn", "w") as f:
        f.write("\n".join(texts))
    if variant == "interpreted":
        run_command([os.environ.get("NNC_PARITY", "nnc_parity"), path + ".nn"])
        return path + ".nn"
    nnc, cc = os.environ.get("NNC", "nnc"), os.environ.get("CC", "gcc")
    if variant == "shim":
        return compile_for_shim(path, nnc)
    dtype = ["--default-dtype=f64"] if variant == "f64" else []
    run_command([nnc, path + ".nn", "-o", path + ".c"] + dtype)
    run_command([cc, "-O1", "-w", "-shared", "-fPIC", path + ".c", "-o", path + ".so", "-lm"])
    return path + ".so"


def compile_for_shim(path, nnc):
    """CUDA C++ and the shim of tests/cuda; the blocks are seen through the tables of nnc_abi.h, one after the other."""
    with open(path + ".nn") as f:
        blocks = re.findall(r"^train (\w+)", f.read(), re.M)
    run_command([nnc, path + ".nn", "-o", path + ".cu"])
    with open(path + ".cpp", "w") as f:
        f.write(f'#include "{path}.cu"\n#include <cstring>\n#include <utility>\n#include <vector>\n')
        for block in blocks:
            f.write(f"#undef MODEL\n#undef CUDA_MODEL\n#define MODEL {block}_model\n#define CUDA_MODEL {block}_cuda_model\n")
            f.write(f'namespace seen_{block} {{\n#include "{SHIM}/adapter.cpp"\n}}\n')
    flags = ["-std=c++17", "-O1", "-w", "-fno-strict-aliasing", "-fno-gnu-unique", "-fPIC", "-shared"]
    own = ["-DSCHEDULES=2", "-DADAPTER_ENTRIES=1", "-I" + SHIM, "-I" + os.path.dirname(path)]
    run_command([os.environ.get("CXX", "g++"), *flags, *own, path + ".cpp", "-o", path + ".so"])
    return path + ".so"


def refused_cases(output, path, texts):
    """{case key: message} of the cases whose lines the compiler's errors name; `texts` stand one after the other."""
    starts, at = [], 1
    for key, text in texts.items():
        starts.append((at, key))
        at += text.count("\n") + 1
    found = {}
    for block in re.split(r"^(?=error|warning)", output, flags=re.M):
        for line in re.findall(rf"{re.escape(path)}:(\d+)", block) if block.startswith("error") else []:
            key = [k for start, k in starts if start <= int(line)][-1]
            found.setdefault(key, Failure(block.strip()))
    return found


def compile_group(folder, number, group, variant):
    """{case key: library path or message} of some cases; one that nnc refuses does not spoil the others."""
    texts = {case.key: program_of(case, record) for case, record in group}
    name = f"parity_{variant}_{number}"
    found = {}
    while texts:
        try:
            path = compile_file(folder, name, texts.values(), variant)
            found.update((key, path) for key in texts)
            return found
        except Failure as e:
            bad = refused_cases(str(e), f"{folder}/{name}.nn", texts)
        if not bad:
            break
        found.update(bad)
        texts = {key: text for key, text in texts.items() if key not in bad}
    for i, (key, text) in enumerate(texts.items()):
        try:
            found[key] = compile_file(folder, f"{name}_{i}", [text], variant)
        except Failure as e:
            found[key] = e
    return found


class Interpreted:
    """A file's cases in the interpreter, with the interface of abi.Model; `call` is asked for before `get`."""

    def __init__(self, path):
        argv = [os.environ.get("NNC_PARITY", "nnc_parity"), path]
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def open(self, symbol):
        self.tell(f"root {symbol}")
        self.names = self.line().split()
        return self

    def tell(self, text):
        try:
            self.process.stdin.write(text + "\n")
        except BrokenPipeError:
            pass  # `line` says why

    def line(self):
        """The next line; the interpreter prints one for every question once its input is flushed."""
        try:
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        text = self.process.stdout.readline()
        if not text:
            status = self.process.wait()
            self.errors.seek(0)
            raise RuntimeError(self.errors.read().strip() or f"the interpreter ended with {status}")
        return text

    def tensor(self):
        dtype, rank, *rest = self.line().split()
        extents = tuple(map(int, rest[: int(rank)]))
        return dtype, extents, [float.fromhex(word) for word in rest[int(rank) :]]

    def saved(self):
        return self.names

    def describe(self, name):
        return self.get(name)[:2]

    def set(self, name, values):
        self.tell(" ".join(["set", name, str(len(values)), *(float(v).hex() for v in values)]))

    def get(self, name):
        self.tell(f"get {name}")
        return self.tensor()

    def call(self, name, shapes, arguments, results):
        for shape, values in zip(shapes, arguments):
            numbers = (float(v).hex() for v in values)
            self.tell(" ".join(["argument", str(len(shape)), *map(str, shape), str(len(values)), *numbers]))
        self.tell(f"call {name}")
        return [self.tensor() for _ in range(results)]

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


# ---- comparing ----


class Worst:
    """Largest relative errors of values and of gradients, and what is wrong."""

    def __init__(self):
        self.value = self.gradient = 0.0
        self.problems = []

    def compare(self, where, have, want, bound, is_gradient, exact=False):
        dtype, shape, values = want
        if tuple(shape) != tuple(have[1]):
            self.problems.append(f"{where}: shape {list(have[1])}, torch has {list(shape)}")
            return
        if (dtype in ("f32", "f64")) != (have[0] in ("f32", "f64")) or (dtype == "bool") != (have[0] == "bool"):
            self.problems.append(f"{where}: {have[0]}, torch has {dtype}")
            return
        scale = max([1.0] + [abs(v) for v in values if math.isfinite(v)])
        worst, at = 0.0, -1
        for i, (a, b) in enumerate(zip(have[2], values)):
            if math.isfinite(b) and math.isfinite(a):
                error = abs(a - b) / scale
            else:
                error = 0.0 if a == b or (a != a and b != b) else math.inf
            if error > worst:
                worst, at = error, i
        if worst > (0 if dtype not in ("f32", "f64") else bound):
            self.problems.append(f"{where}[{at}] is {have[2][at]:.17g}, torch has {values[at]:.17g}")
        if is_gradient:
            self.gradient = max(self.gradient, worst)
        else:
            self.value = max(self.value, worst)


def check_case(case, record, library, variant):
    model = library.open(case.symbol) if variant == "interpreted" else abi.Model(library, case.symbol)
    return compare_case(case, record, model, Worst(), BOUNDS[variant] * case.condition)


def compare_case(case, record, model, worst, bound):
    if case.kind == "optimizer":
        for name in ("weight", "bias"):
            dtype, shape = model.describe("m." + name)
            model.set("m." + name, parameter(case.key, name, dtype, shape))
        for step, want in enumerate(record["steps"]):
            gradients = [optimizer_gradient(case, step, n, model.describe("m." + n)[1]) for n in ("weight", "bias")]
            model.call("run", [(2, 3), (2,)], gradients, 1)
            for name in ("weight", "bias"):
                worst.compare(f"{name} after step {step + 1}", model.get("m." + name), want[name], bound, False)
        return worst
    saved = [name[2:] for name in model.saved()]
    if saved != record["saved"]:
        worst.problems.append(f"parameters and buffers {saved}, torch has {record['saved']}")
        return worst
    for name, dims, special in samples(case):
        if name not in record["samples"]:
            continue
        want = record["samples"][name]
        for key in saved:
            dtype, shape = model.describe("m." + key)
            model.set("m." + key, parameter(case.key, key, dtype, shape))
        drawn = inputs_of(case, name, dims, special)
        if record["gradients"]:
            count = record["upstream"]
            drawn.append(("f32", [count], upstream(case, name, count)))
        results = model.call("run", [s for _, s, _ in drawn], [v for _, _, v in drawn], len(want["tensors"]))
        count = len(record["results"])
        for i, result in enumerate(results):
            label = f"y{record['results'][i][0]}" if i < count else f"d{record['gradients'][i - count]}"
            if special and i >= count and not case.special_gradients:
                continue
            worst.compare(f"sample {name}: {label}", result, want["tensors"][i],
                          max(bound, BOUNDS["f32"]) if case.rounded and i >= count else bound, i >= count)
        for key, value in want["buffers"].items():
            worst.compare(f"sample {name}: buffer {key}", model.get("m." + key), value, bound, False)
    return worst


# ---- fixtures ----


def encode(value):
    """Tensors as [dtype, shape, base64 of the numbers]."""
    if isinstance(value, tuple) and len(value) == 3 and isinstance(value[2], list):
        dtype, shape, numbers = value
        kind = "f64" if dtype in ("f32", "f64") else dtype
        return {"t": [dtype, list(shape), base64.b64encode(abi.pack(kind, numbers)).decode()]}
    if isinstance(value, dict):
        return {k: encode(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(v) for v in value]
    return value


def decode(value):
    if isinstance(value, dict) and list(value) == ["t"]:
        dtype, shape, text = value["t"]
        return dtype, shape, abi.unpack("f64" if dtype in ("f32", "f64") else dtype, base64.b64decode(text))
    if isinstance(value, dict):
        return {k: decode(v) for k, v in value.items()}
    return [decode(v) for v in value] if isinstance(value, list) else value


def write_fixtures(path, selected, records):
    """One line a case: key, record."""
    with open(path, "w") as f:
        for case in selected:
            record = dict(records[case.key])
            if "samples" in record:
                record["samples"] = {k: v for k, v in record["samples"].items() if k != "b"}
            f.write(json.dumps([case.key, case.digest(), encode(record)], separators=(",", ":")) + "\n")


def read_fixtures(path):
    with open(path) as f:
        rows = [json.loads(line) for line in f]
    return {key: (digest, decode(record)) for key, digest, record in rows}


# ---- running ----


def run(selected, records, variants, folder):
    """{case key: {variant: Worst or Failure}}."""
    found = collections.defaultdict(dict)
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for variant in variants:
            pairs = [(case, records[case.key]) for case in selected]
            for i in range(0, len(pairs), FILE_CASES):
                group = pairs[i : i + FILE_CASES]
                jobs.append((variant, group, pool.submit(compile_group, folder, i // FILE_CASES, group, variant)))
        for variant, group, job in jobs:
            compiled = job.result()
            libraries = {}
            for case, record in group:
                library = compiled[case.key]
                if isinstance(library, Failure):
                    found[case.key][variant] = library
                    continue
                if library not in libraries:
                    libraries[library] = Interpreted(library) if variant == "interpreted" else ctypes.CDLL(library)
                try:
                    found[case.key][variant] = check_case(case, record, libraries[library], variant)
                except RuntimeError as e:
                    found[case.key][variant] = Failure(str(e))
                    if variant == "interpreted":
                        libraries.pop(library).close()
            for library in libraries.values() if variant == "interpreted" else ():
                library.close()
    return found


def problems_of(found):
    for key, variants in found.items():
        for variant, result in variants.items():
            if isinstance(result, Failure):
                yield key, variant, str(result)
            elif isinstance(result, Worst):
                for problem in result.problems:
                    yield key, variant, problem


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--report")
    parser.add_argument("--fixtures")
    parser.add_argument("--check")
    parser.add_argument("--interpret", action="store_true")
    parser.add_argument("--shim", action="store_true")
    options = parser.parse_args()
    every = declared.all_cases()
    if options.check:
        return check_fixtures(every, options)
    import reference

    selected = [case for case in every if any(text in case.key for text in options.only.split(","))]
    records, failures = reference.records(selected)
    if options.fixtures:
        if failures:
            print(*(f"{key}: {text}" for key, text in failures.items()), sep="\n")
            return 1
        write_fixtures(options.fixtures, [case for case in selected if case.kept], records)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or scratch
        variants = ("interpreted",) if options.interpret else ("shim",) if options.shim else VARIANTS
        found = run([case for case in selected if case.key in records], records, variants, folder)
    for key, text in failures.items():
        found[key]["torch"] = Failure(text)
    bad = 0
    for key, variant, problem in problems_of(found):
        print(f"{key} ({variant}): {problem}")
        bad += 1
    sys.modules["driver"] = sys.modules[__name__]  # the classes that report asks for
    import report

    missing = report.missing_values(every, dict.fromkeys(case.row for case in selected))
    for row, argument in missing:
        print(f"{row}: fewer than two values of `{argument}`")
    if options.report:
        report.write(options.report, selected, found, missing, BOUNDS, variants)
    rows = len({case.row for case in selected})
    print(f"parity: {rows} rows, {len(selected)} cases, {bad} problems, {len(missing)} arguments with one value")
    return 1 if bad or missing else 0


def check_fixtures(every, options):
    fixtures = read_fixtures(options.check)
    kept = {case.key: case for case in every if case.kept}
    stale = [key for key in kept if key not in fixtures or fixtures[key][0] != kept[key].digest()]
    if stale or len(kept) != len(fixtures):
        print("fixtures are not of these cases; write them with tests/parity/run --fixtures:", *stale)
        return 1
    selected = [case for key, case in kept.items() if options.only in key]
    with tempfile.TemporaryDirectory() as scratch:
        found = run(selected, {k: v[1] for k, v in fixtures.items()}, ("interpreted",), options.keep or scratch)
    bad = 0
    for key, variant, problem in problems_of(found):
        print(f"{key} ({variant}): {problem}")
        bad += 1
    print(f"parity: {len(selected)} cases, {bad} problems")
    return 1 if bad or not selected else 0


if __name__ == "__main__":
    sys.exit(main())
