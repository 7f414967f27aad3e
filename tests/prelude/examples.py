"""The examples in the comments of compiler/prelude: each has the types that it states, and runs.

An example is an indented line of a ## comment, the types behind # on it or on the next line:

    ##     nn.Linear(5, 3)(x)  # x: f32[N, 5] -> f32[N, 3]

Every definition has one, and calls itself.  What is `-> refused` is an error at the call.  An example becomes an entry of its own, with these types, and is run by
the interpreter on random numbers.  NNC, SOURCE_DIR: the compiler, the tree.
"""

import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile

PRELUDE = os.environ["SOURCE_DIR"] + "/compiler/prelude"
SPACES = {"nn": "nn", "functional": "F", "tensor": "torch", "init": "init", "optim": "optim", "special": "torch.special", "linalg": "torch.linalg",
          "autograd": "torch.autograd"}
DIMS = ["N=3", "M=2", "T=4"]
INPUTS = {"f": "rand", "i": "randint:2", "b": "ones"}


def read_examples(path):
    """(place, name, example) of every public definition; the example is None where there is none."""
    with open(path) as f:
        lines = f.read().split("\n")
    comment = []
    for number, line in enumerate(lines, 1):
        if line.startswith("##     "):
            text = line[len("##     ") :].strip()
            if text.startswith("#") and comment:
                comment[-1] += "  " + text
            else:
                comment.append(text)
        elif not line.startswith("#"):
            named = re.match(r"(?:def|module|optimizer) ([A-Za-z]\w*)", line)
            if named:
                yield f"{path[len(PRELUDE) + 1:]}:{number}", named[1], comment or [None]
            comment = []


def balanced_end(text, start):
    """Behind the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if not depth:
            return i + 1
    raise ValueError(text)


def split_types(text):
    """Types apart at the commas between them."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def results_of(text, names):
    """(target of an assignment, all its names, their types) of a value's type."""
    target, types = [], []
    for part in split_types(text):
        if part.startswith("("):
            inner, more = results_of(part[1:-1], names)
            target.append(f"({inner})")
            types += more
        else:
            names.append(f"r{len(names)}")
            target.append(names[-1])
            types.append(part)
    return ", ".join(target), types


TRAINING = """train E {{
    self.m = nn.Linear(4, 6)
    self.optimizer = {optimizer}
{member}
    def step(self, x: f32[N, 4]) -> (loss: f32) {{
        loss = self.m(x).sum()
        self.optimizer.zero_grad()
        loss.backward()
{line}        self.optimizer.step()
{after}        return loss
    }}
}}
"""


def training(optimizer="optim.SGD(self.m.parameters(), lr=0.1, momentum=0.9)", member="", line="", after=""):
    return TRAINING.format(optimizer=optimizer, member=member, line=line, after=after), "step", [("x", "f32[N, 4]")]


def program_of(example):
    """(text, entry, names and types of its arguments)."""
    if example.startswith("optim.lr_scheduler."):
        own = re.sub(r"\boptimizer\b", "self.optimizer", example)
        return training(member=f"    self.s = {own}\n", after=f"        self.s.step({'loss' if 'Plateau' in own else ''})\n")
    if example.startswith("optim.swa_utils."):
        own = re.sub(r"\bmodel\b", "self.m", example)
        return training(member=f"    self.a = {own}\n", after="        self.a.update_parameters(self.m)\n")
    if example.startswith("optim."):
        return training(example)
    if example.startswith("nn.utils."):
        return training(line=f"        {example}\n")
    if example.startswith(("param ", "init.")):
        member = "" if example.startswith("param ") else "    self.m = nn.Linear(4, 6)\n"
        body = "    def forward(self, x: f32[N, 4]) -> f32[N, 4] { return x }\n"
        return f"module E {{\n{member}    {example}\n{body}}}\n\nexport E() as e\n", "e", [("x", "f32[N, 4]")]
    expression, _, types = example.partition("  # ")
    given, arrow, value = types.rpartition("-> ")
    if not arrow:
        raise ValueError("no types behind #")
    arguments = [tuple(a.split(": ", 1)) for a in split_types(given)]
    member = ""
    if expression.startswith("nn."):
        end = balanced_end(expression, expression.index("("))
        member, expression = f"    self.m = {expression[:end]}\n\n", "self.m" + expression[end:]
    names = []
    target, types = results_of(value, names)
    result = types[0] if len(types) == 1 else f"({', '.join(types)})"
    text = ", ".join(f"{n}: {t}" for n, t in arguments)
    body = f"        {target} = {expression}\n        return {', '.join(names)}\n"
    return f"module E {{\n{member}    def forward(self, {text}) -> {result} {{\n{body}    }}\n}}\n\nexport E() as e\n", "e", arguments


def check(folder, index, place, space, name, example):
    """What is wrong with an example, or None."""
    if example is None:
        return f"{place}: {space}.{name} has no example"
    if not re.search(rf"\b(?:{space}|x|nn\.utils)\.{name}\(", example):
        return f"{place}: the example does not call {space}.{name}: {example}"
    refused = example.endswith("-> refused")
    try:
        text, entry, arguments = program_of(example.replace("-> refused", "-> f32"))
    except ValueError as e:
        return f"{place}: {example}: {e}"
    path = f"{folder}/example{index}.nn"
    with open(path, "w") as f:
        f.write(text)
    used = " ".join(t for _, t in arguments)
    argv = [os.environ["NNC"], "run", f"{path}:{entry}", "--engine=interp"]
    argv += [f"--input={n}={INPUTS[t[0]]}" for n, t in arguments]
    argv += [f"--bind={d}" for d in DIMS if re.search(rf"\b{d[0]}\b", used)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # A layer that is refused is so where it is made.
    place_of = (f" r0 = {example.split('  #')[0]}", f"self.m = {space}.{name}(")
    named = any(text in done.stdout for text in place_of) and f"{name}: " in done.stdout
    right = done.returncode == 1 and named if refused else done.returncode == 0
    return None if right else f"{place}: {example}\n{done.stdout}{text}"


def main():
    jobs, wrong = [], 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for path in sorted(glob.glob(PRELUDE + "/*/*.nn")):
            space = SPACES.get(path.split("/")[-2], path.split("/")[-2])
            for place, name, examples in read_examples(path):
                jobs += [pool.submit(check, folder, f"{len(jobs)}_{i}", place, space, name, e) for i, e in enumerate(examples)]
        for job in jobs:
            if job.result():
                print(job.result())
                wrong += 1
    print(f"{len(jobs)} examples, {wrong} wrong")
    return 1 if wrong or len(jobs) < 400 else 0


if __name__ == "__main__":
    sys.exit(main())
