"""The library against torch's operator database: docs/parity-opinfo.md, and fixtures for a test without torch.

    opinfo_report.py [--only TEXT] [--compiled] [--report FILE] [--fixtures FILE] [--keep FOLDER]     needs torch
    opinfo_report.py --check FILE       the fixtures' samples in the interpreter, without torch

Fixtures are three samples of every operator that the library has.  Samples run in the interpreter in f64; --compiled runs some of each operator as emitted C in f64 and f32, too.  Values
and derivatives unlike torch's end it with status 1; what nnc refuses is told and stands in the table.
"""

import argparse
import collections
import json
import re
import sys
import tempfile

import driver
from case import GivenCase, evenly

COMPILED_SAMPLES = 4  # of an operator, as emitted C
FIXTURE_BYTES = 2000  # of a sample's line
FIXTURE_SAMPLES = 3  # of an operator

# Operators without a row, by the reason that they share; the first that matches.
ABSENT = [
    ("of complex numbers", r"fft\.|linalg\.eig(vals)?$|view_as_|complex|polar|stft|istft|cdouble|cfloat|chalf|angle|imag|(resolve_)?conj|resolve_neg|isreal"),
    ("of sparse, jagged or masked tensors", r"sparse|to_sparse|masked\.|_segment_reduce"),
    ("whose result's shape depends on data", r"nonzero|unique|masked_select|argwhere|histogramdd|item$|_unsafe_masked"),
    ("which factorise matrices, or solve with them", r"linalg\.|lu|svd|pca_|cholesky|geqrf|ormqr|logdet|triangular_solve|pinverse|norm\.nuc|matrix_exp"),
    ("of memory, its strides and views", r"as_strided|empty|new_empty|resize|.*_copy$|alias_|unsafe_|zero_|fill$|to$"),
    ("that draw random numbers", r"normal|cauchy|exponential|geometric|log_normal|uniform|multinomial|bernoulli|rand|nn\.functional\.(fractional|.*dropout)|native_dropout"),
    ("of mathematical physics", r"special\.|i0|igamma|mvlgamma|polygamma|lgamma|digamma"),
    ("that are inside of torch", r"_|torch\.|native_|jiterator|max_pool2d_with_indices_backward|grid_sampler|hash_tensor|broadcast_shapes|slice$"),
]  # fmt: skip
# Reasons why a sample has no counterpart, whatever the library has.
SYSTEMATIC = ("complex numbers", "random numbers", "sparse tensors", "half precision", "torch refuses the sample", "equal elements", "integers above", "undefined values")


def shortened(message):
    """The first line of a compiler's message, for a cell of the table."""
    line = message.splitlines()[0] if message else ""
    line = re.sub(r"^error\[NN\d+\]: ", "", line).replace("|", "\\|")
    line = re.sub(r"\b(f64|i64|bool)\[[^\]]*\]", r"\1[...]", line)
    return line if len(line) <= 70 else line[:67] + "..."


class Row:
    """What became of an operator's samples."""

    def __init__(self, name, reasons):
        self.name = name
        self.reasons = collections.Counter(reasons)  # of samples that are not compared
        self.wrong = []
        self.refused_name = True  # whether nnc has refused only the name
        self.compared = 0
        self.found = {}
        self.call = ""

    @property
    def samples(self):
        return self.compared + len(self.wrong) + sum(self.reasons.values())

    def add(self, case, results):
        self.call = self.call or re.sub(r"\(.*", "", case.call) if "[" not in case.call.split("(")[0] else "x[...]"
        first = next(iter(results.values()))
        failure = next((r for r in results.values() if isinstance(r, driver.Failure)), None)
        if failure:
            text = str(failure)
            if not re.search(r"NN0302.*has no (attribute )?`|would depend on", text.splitlines()[0] if text else ""):
                self.refused_name = False
            self.reasons[shortened(text)] += 1
        elif any(r.problems for r in results.values()):
            self.wrong.append((case, results))
        else:
            self.compared += 1
        if isinstance(first, driver.Worst):
            self.found[case.key] = results

    @property
    def absent(self):
        return not self.compared and not self.wrong and (self.refused_name or not self.reasons)

    def figure(self, variant, what):
        errors = [getattr(r[variant], what) for r in self.found.values() if isinstance(r.get(variant), driver.Worst)]
        return f"{max(errors):.1e}" if errors else "-"


def samples_of(op):
    """(name, cases, why other samples have none, torch's records) of an operator."""
    import opinfo
    import reference

    cases, reasons = opinfo.cases_of(op)
    records, failures = reference.records(cases)
    for case in cases:
        if case.key in failures and isinstance(case.index, int):
            reasons[shortened(failures[case.key])] += 1
    return opinfo.name_of(op), [case for case in cases if case.key in records], reasons, records


def compare(samples, options, fixtures):
    """[Row] of the operators, and lines of `fixtures`; emitted C is of all operators together, in files of many cases."""
    rows, all_cases, chosen, kept = [], [], [], {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or scratch
        for name, cases, reasons, records in samples:
            rows.append(Row(name, reasons))
            found = driver.run(cases, records, ("interpreted",), folder)
            fixtures += fixture_lines(cases, records, found)
            all_cases.append([(case, found[case.key]) for case in cases])
            if options.compiled:
                good = [case for case in cases if isinstance(found[case.key]["interpreted"], driver.Worst)]
                chosen += evenly(good, COMPILED_SAMPLES)
                kept.update((case.key, records[case.key]) for case in chosen[-COMPILED_SAMPLES:] if case.key in records)
        compiled = driver.run(chosen, kept, driver.VARIANTS, folder)
    for row, cases in zip(rows, all_cases):
        for case, results in cases:
            results.update(compiled.get(case.key, {}))
            row.add(case, results)
        for case, results in row.wrong:
            for variant, result in results.items():
                for problem in getattr(result, "problems", []):
                    print(f"{case.key} ({variant}): {case.call}: {problem}")
        if row.reasons and options.only:
            print(f"{row.name}: not covered:", dict(row.reasons))
    return rows


def reasons_of(row):
    """Cell of the samples that are not compared, the ones that are wrong or refused in bold."""
    parts = [f"**{len(row.wrong)} unlike torch's**"] if row.wrong else []
    for why, count in row.reasons.most_common():
        text = f"{count}: {why}"
        parts.append(text if why.startswith(SYSTEMATIC) else f"**{text}**")
    return "; ".join(parts[:4]) + ("; ..." if len(parts) > 4 else "")


def absent_paragraph(rows):
    groups = collections.OrderedDict((why, []) for why, _ in ABSENT)
    groups["without a sample of f64, i64 or bool"] = []
    groups["which the library does not have"] = []
    for row in rows:
        why = next((why for why, pattern in ABSENT if re.match(pattern, row.name)), "which the library does not have")
        if not row.samples or row.name in ("half", "bfloat16"):
            why = "without a sample of f64, i64 or bool"
        groups[why].append(f"`{row.name}`")
    return [f"Operators {why}: {', '.join(names)}." for why, names in groups.items() if names]


def write(path, rows, compiled):
    import torch

    variants = [("interpreted", "interpreter, f64")] + ([("f64", "C, f64"), ("f32", "C, f32")] if compiled else [])
    present = [row for row in rows if not row.absent]
    complete = sum(row.compared == row.samples for row in present)
    lines = ["# The library beside torch's operator database", "",
             "Generated by `tests/parity/run --opinfo`. Every operator of `torch.testing._internal.common_methods_invocations.op_db`",
             f"of torch {torch.__version__.split('+')[0]}, on the samples that torch tests itself with: their tensors are inputs, the rest are",
             "literals. Reference, bounds and upstream gradients are those of [parity.md](parity.md). At most 64 samples of f64, 12 of",
             f"i64 and 6 of bool are taken of each operator{f', of which {COMPILED_SAMPLES} as emitted C' if compiled else ''}, at equal distances, and one for each number of",
             "arguments as a method and one with torch's names of the arguments. **Bold**: refused, or unlike torch's.",
             "",
             f"{len(present)} operators, {complete} of them with every sample; {sum(r.compared for r in present)} of {sum(r.samples for r in present)} samples agree, "
             f"{sum(len(r.wrong) for r in present)} do not, the others have no counterpart or are refused.",
             "", "| operator | called | samples | agree | " + " | ".join(f"{title}: values | gradients" for _, title in variants) + " | not covered |",
             "|" + "---|" * (5 + 2 * len(variants))]  # fmt: skip
    for row in present:
        figures = " | ".join(row.figure(v, w) for v, _ in variants for w in ("value", "gradient"))
        lines.append(f"| {row.name} | `{row.call}` | {row.samples} | {row.compared} | {figures} | {reasons_of(row)} |")
    lines += ["", "## Operators that are not compared", ""]
    lines += "\n\n".join(absent_paragraph([row for row in rows if row.absent])).splitlines()
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


# ---- fixtures ----


def fixture_lines(cases, records, found):
    """Three samples of an operator that agree, the last with names of arguments: row, index, call, inputs, numbers, bound,
    torch's record."""
    kept = []
    for case in cases:
        if not getattr(found[case.key]["interpreted"], "problems", [1]):
            given = [driver.encode(("f64", shape, [float(n) for n in numbers]))["t"][1:] for shape, numbers in case.given]
            record = driver.encode(records[case.key])
            bound = [case.condition, case.rounded]
            line = json.dumps([case.row, case.index, case.call, case.inputs, given, bound, record], separators=(",", ":"))
            if len(line) <= FIXTURE_BYTES:
                kept.append(line)
    return evenly(kept, FIXTURE_SAMPLES)


def read_fixtures(path):
    cases, records = [], {}
    with open(path) as f:
        for line in f:
            row, index, call, inputs, given, (condition, rounded), record = json.loads(line)
            numbers = [driver.decode({"t": ["f64", *tensor]})[1:] for tensor in given]
            case = GivenCase(row, index, "function", "", call, inputs, given=numbers, condition=condition, rounded=rounded)
            cases.append(case)
            records[case.key] = driver.decode(record)
    return cases, records


def check_fixtures(options):
    cases, records = read_fixtures(options.check)
    selected = [case for case in cases if options.only in case.key]
    with tempfile.TemporaryDirectory() as scratch:
        found = driver.run(selected, records, ("interpreted",), options.keep or scratch)
    problems = list(driver.problems_of(found))
    for key, _, problem in problems:
        print(f"{key}: {problem}")
    print(f"opinfo: {len(selected)} samples of {len({case.row for case in selected})} operators, {len(problems)} problems")
    return 1 if problems or not selected else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--report")
    parser.add_argument("--fixtures")
    parser.add_argument("--check")
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    if options.check:
        return check_fixtures(options)
    import opinfo

    fixtures = []
    rows = compare(map(samples_of, opinfo.operators(options.only)), options, fixtures)
    if options.fixtures:
        with open(options.fixtures, "w") as f:
            f.write("".join(line + "\n" for line in fixtures))
    if options.report:
        write(options.report, rows, options.compiled)
    present = [row for row in rows if not row.absent]
    wrong = sum(len(row.wrong) for row in rows)
    print(f"opinfo: {len(present)} operators, {sum(r.samples for r in present)} samples, {sum(r.compared for r in present)} agree, {wrong} do not")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
