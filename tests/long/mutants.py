"""Plants faults in a copy of the compiler, one at a time, and says which of them the tests notice.

Input: COUNT and FIRST seed; a seed alone decides area, kind, place and change of its fault.  The copy is
build/mutants/tree, built incrementally; the checkout is only read.  First every fault meets the quick tests (unit,
diag, golden, structure), then those that passed them meet the others; MUTANTS_TESTS is a regular expression of the
tests to run, all if it is not given.  Tests run in the order of their times without a fault, MUTANTS_JOBS at a
time, until one fails or takes far longer than it did.  A fault that does not compile, or that leaves the compiler's
binary as it was, is not counted and another place is drawn.  Lines of mutants.txt name faults that change nothing
a caller could see, with the reason.  MUTANTS_SEEDS names seeds to try instead of COUNT from FIRST on.
MUTANTS_AREA=gpu plants them in what makes kernels and calls of a GPU, for the tests on the shim.  A run that was
stopped goes on where it was, as long as the tree is the same.
Output: a line for each fault, and `mutants: N planted, M caught, ...` at the end.
"""
import concurrent.futures
import functools
import glob
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = os.environ.get("MUTANTS_WORK", ROOT + "/build/mutants")
TREE = WORK + "/tree"
BUILD = TREE + "/build/mutants"
JOBS = int(os.environ.get("MUTANTS_JOBS", os.cpu_count() or 1))
# Their subject is failing memory and files, broken bytes and the text of the tree itself, not a wrong compiler.
# The subject of cuda_shim_bites is the shim.
LEFT_OUT = re.compile(r"fuzz_|faults_|meta_(architecture|layers|names|style)|runtime_test_(crash|damage|mutations)|"
                      r"cuda_shim_bites")
GPU = os.environ.get("MUTANTS_AREA") == "gpu"
SELECTED = re.compile(os.environ.get("MUTANTS_TESTS", "^(unit|diag|golden|structure|cuda)_" if GPU else ""))
QUICK = re.compile(r"(unit|diag|golden|structure)_(?!adversarial)")
RANDOM_PROGRAMS = os.environ.get("RANDOM_COUNT", "200")
AREAS = (("compiler/**/*.c", 14), ("templates/*.h", 4), ("compiler/prelude/*/*.nn", 2))
if GPU:
    AREAS = (("compiler/kernel/gpu/*.c", 12), ("compiler/emit/cuda/*.c", 4), ("templates/cuda_*.h", 4))
# A compiler with a fault may ask for memory or write without end.
BOUNDED = ["prlimit", "--fsize=%d" % (1 << 30), "--core=0"]
BOUNDED_MEMORY = ["--as=%d" % (8 << 30)]
# They run programs under AddressSanitizer, whose shadow of all addresses no bound of addresses leaves room for.
SANITIZED = re.compile(r"numeric_test_random|cuda_api")
WAITING = 1200  # seconds of a test that waits for ever; one that computes for ever meets its limit of processor time
# Part of a file's name -> tests that soon notice what is wrong there.
LIKELY = (("driver/", "runtime|compile|cuda_d"), ("gpu_sort", "cuda_test_indexed"), ("gpu_scatter", "cuda_test_indexed"),
          ("gpu_indexed", "cuda_test_indexed"), ("cuda_sort", "cuda_test_indexed"), ("gpu_cublaslt", "cuda_(test_)?gemm"),
          ("cuda_gemm", "cuda_(test_)?gemm"), ("gpu_contract", "cuda_test_(loops|precision|gemm)"),
          ("cuda_mma", "cuda_test_precision"), ("gpu_", "cuda_test_(loops|indexed)"), ("cuda_device", "cuda_test_(loops|indexed)"),
          ("cuda", "cuda_(trace|launches|device|api|test_loops)"), ("sema/", "programs|prelude"),
          ("lower/", "programs|prelude"), ("prelude/", "programs|prelude"), ("", "numeric"))
FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
OFF = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
OPERAND = r"[A-Za-z_]\w*(?:(?:->|\.)\w+|\[\w+\])*"
SAME = "\0"  # in a change: the text that was there
# Messages, declarations and what only releases memory are no places; the sanitizers look for what is not released.
NO_PLACE = re.compile(r"assert|error|diagnostic|diag_|report|fail|message|note\(|help\(|usage|_free\(|\bfree\(|"
                      r"^\s*(?:typedef|struct|enum|union|extern|case .*:$|default:)|_Static_assert|fputs|raise ")
DECLARATION = re.compile(r"^\s*(?:static |const |unsigned )*[A-Za-z_]\w*(?: \*+| )(?:NN_RESTRICT )?\w+(?:\[[^\]]*\])?"
                         r"(?:[,;(]| = \{)")


def masked(text, language):
    """The text with comments, strings and directives (not the bodies of macros) blanked, every place kept."""
    if language == "nn":
        pattern = r'#[^\n]*|"(?:[^"\\\n]|\\.)*"'
    else:
        pattern = r"/\*.*?\*/|//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
        pattern += r"|^[ \t]*#[ \t]*(?!define)\w[^\n]*|^[ \t]*#[ \t]*define \w+(?:\([^)]*\))?"
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S | re.M)


def balanced(text):
    depth = 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if depth < 0:
            return False
    return depth == 0


def code_lines(text, language):
    """(offset, line) of every line that computes: inside of a body, neither declaration nor message."""
    code, at, depth, lines = masked(text, language), 0, 0, []
    for line in code.split("\n"):
        macro = line.rstrip().endswith("\\") or language == "nn"
        if (depth or macro) and line.strip(" \\{}") and not NO_PLACE.search(text[at:at + len(line)]):
            if not DECLARATION.match(line):
                lines.append((at, line))
        depth += line.count("{") - line.count("}")
        at += len(line) + 1
    return lines


def every(pattern, line, change, *arguments):
    return [(m.start(), m.end(), new) for m in re.finditer(pattern, line) for new in [change(m, *arguments)] if new]


def flipped_comparison(line, language):
    return every(r" (<=|>=|==|!=|<|>) ", line, lambda m: " " + FLIPPED[m[1]] + " ")


def off_by_one(line, language):
    return (every(r" (<=|>=|<|>) ", line, lambda m: " " + OFF[m[1]] + " ") +
            every(r" [+-] 1\b(?![.\w])", line, lambda m: "  ") +
            every(r"(?<== )0(?=;)", line, lambda m: "1"))


def swapped_operands(line, language):
    found = every(r"(%s|\d+) (-|/|%%|<<|>>|<|<=) (%s|\d+)(?![\w.(\[]|->)" % (OPERAND, OPERAND), line,
                  lambda m: m[1] != m[3] and "%s %s %s" % (m[3], m[2], m[1]))
    found += every(r"\? (%s|-?\d+) : (%s|-?\d+)(?=[;,)])" % (OPERAND, OPERAND), line,
                   lambda m: "? %s : %s" % (m[2], m[1]))
    return found + every(r"(?<=[(,] )(%s), (%s)(?=[,)])|(?<=\w\()(%s), (%s)(?=[,)])" % ((OPERAND,) * 4), line,
                         lambda m: "%s, %s" % ((m[2] or m[4]), (m[1] or m[3])))


def dropped_statement(line, language):
    if language == "nn":
        return []
    found = every(r"^\s*(\w[\w.\->\[\]+ ]* [-+*/|&^]?= [^;]*|\w+\([^;]*\)|%s(?:\+\+|--));(?=[\s\\]*$)" % OPERAND, line,
                  lambda m: balanced(m[1]) and not re.match(r"(?:\w+ )+\*?\w+ =|return", m[1]) and ";")
    return found + every(r"(?<=\) )(?:return|continue|break);", line, lambda m: ";")


def lost_accumulation(line, language):
    return every(r" [-+*|&]= ", line, lambda m: " = ")


def wrong_constant(line, language):
    # Not how far a line of what is written stands in.
    found = every(r"(?<!_line\(w, )(?<![\w.\"])(\d+)(?![\w.\"])", line, lambda m: str(int(m[1]) + 1))
    found += every(r"(?<![\w.])(\d+\.\d+)(?=[f)\s;*]|$)", line, lambda m: str(float(m[1]) * 1.5))
    found += every(r" [*] (%s)(?![\w(\[])" % OPERAND, line, lambda m: " ")
    return found + every(r"(?<=\w\[)[a-z](?=\])", line, lambda m: "0")


def negated_condition(line, language):
    found = every(r" (&&|\|\|) ", line, lambda m: " || " if m[1] == "&&" else " && ")
    if language == "nn":
        return found + every(r"(?<=\bif )[^{]*(?= \{)", line, lambda m: "not (" + SAME + ")")
    for m in re.finditer(r"\bif \(", line):
        end = next((e for e in range(m.end(), len(line)) if line[e] == ")" and balanced(line[m.end():e])), None)
        if end:
            found.append((m.end(), end, "!(" + SAME + ")"))
    return found + every(r"\(!(?=\w)", line, lambda m: "(")


def dropped_barrier(line, language):
    return every(r"^\s*(builder_leaf\(\w+, STMT_BARRIER\)|__sync(?:threads|warp)\([^;]*\));", line, lambda m: ";")


def wrong_lanes(line, language):
    """Half as many threads, warps or lanes as there are."""
    return every(r"\b((?:GPU|NN)_(?:THREADS|WARPS)|WARP_LANES|NN_ALL_LANES|(?:block|grid)Dim\.x)\b", line,
                 lambda m: "(%s / 2)" % m[1])


def wrong_text(line, language):
    """In what is written into a program."""
    changed = {" < ": " <= ", " <= ": " < ", " + ": " - ", " - ": " + ", " * ": " + ", " || ": " && ", " && ": " || ",
               " / ": " % ", "++": "--", "__syncthreads();": ";"}
    found = []
    for text in re.finditer(r'"(?:[^"\\]|\\.)*"', line):
        found += [(text.start() + at, text.start() + end, new) for at, end, new in
                  every("|".join(map(re.escape, changed)), text[0], lambda m: changed[m[0]])]
    return found


KINDS = (flipped_comparison, off_by_one, swapped_operands, dropped_statement, lost_accumulation, wrong_constant,
         negated_condition)
if GPU:
    KINDS = tuple(k for k in KINDS if k != lost_accumulation) + (dropped_barrier, wrong_lanes, wrong_text)
ENOUGH = 95 if GPU else 90  # % of the faults that matter


class Fault:
    """One change: where it is, what it is, and what the line said before and says with it."""

    def __init__(self, seed, kind, file, text, at, line, place):
        begin, end, new = place
        new = new.replace(SAME, text[at + begin:at + end])
        self.seed, self.kind, self.file, self.original = seed, kind.__name__, file, text
        self.line = text.count("\n", 0, at) + 1
        self.text = text[:at + begin] + new + text[at + end:]
        whole = text[at:at + len(line)]
        self.before = whole.strip(" \\")
        self.after = (whole[:begin] + new + whole[end:]).strip(" \\")

    def __str__(self):
        return "seed %d, %s:%d, %s: `%s` -> `%s`" % (self.seed, self.file, self.line, self.kind.replace("_", " "),
                                                   self.before, self.after)


@functools.lru_cache(maxsize=None)
def find_places(kind):
    """All places of a kind of fault, by area."""
    places = {pattern: [] for pattern, _ in AREAS}
    for pattern in places:
        for file, language, text in read_area(pattern):
            for at, line in code_lines(text, language):
                # Strings are blank in the line, but not for the one that looks into them.
                seen = text[at:at + len(line)] if kind is wrong_text else line
                places[pattern] += [(file, text, at, line, place) for place in kind(seen, language)]
    return places


@functools.lru_cache(maxsize=None)
def read_area(pattern):
    files = []
    for path in sorted(glob.glob(TREE + "/" + pattern, recursive=True)):
        with open(path) as f:
            files.append((path[len(TREE) + 1:], "nn" if path.endswith(".nn") else "c", f.read()))
    return files


def draw(seed):
    """The faults of a seed, without end, in its order."""
    chance = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    places = find_places(kind)
    names, weights = [a[0] for a in AREAS], [a[1] for a in AREAS]
    while True:
        some = places[chance.choices(names, weights)[0]]
        if some:
            yield Fault(seed, kind, *chance.choice(some))


def run(command, seconds=None, **how):
    """Exit status of a process group, -1 if it did not end in time; and its output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               start_new_session=True, **how)
    timer = threading.Timer(seconds, kill, [process]) if seconds else None
    if timer:
        timer.start()
    began = time.monotonic()
    output = process.communicate()[0]
    if timer:
        timer.cancel()
    late = seconds and time.monotonic() - began >= seconds
    return (-1 if late else process.returncode), output.decode(errors="replace")


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def copy_tree():
    """The files of the checkout that the repository knows or would know, newer ones over older ones."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    wanted = {n for n in names if n and os.path.isfile(ROOT + "/" + n)}
    for name in sorted(wanted):
        target = TREE + "/" + name
        with open(ROOT + "/" + name, "rb") as f:
            content = f.read()
        if os.path.exists(target):
            with open(target, "rb") as f:
                if f.read() == content:
                    continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(ROOT + "/" + name, target)
    for folder in ("compiler", "templates", "runtime", "tests"):
        for path, _, files in os.walk(TREE + "/" + folder):
            for name in files:
                if os.path.relpath(path + "/" + name, TREE) not in wanted:
                    os.remove(path + "/" + name)


def build(tests):
    """What the tests run: programs of their own, or the compiler."""
    targets = set()
    for program in (test["command"][0] for test in tests):
        own = program.startswith(BUILD)
        targets.update([os.path.relpath(program, BUILD)] if own else ["bin/nnc", "nnc_broken_interpreter"])
    return run(["ninja", "-C", BUILD, "-j", str(JOBS)] + sorted(targets), 900)


def find_tests():
    """Name, command, folder, environment of every test, as CTest knows them."""
    listed = subprocess.run(["ctest", "--test-dir", BUILD, "--show-only=json-v1"], check=True, stdout=subprocess.PIPE)
    tests = []
    for test in json.loads(listed.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        environment = dict(os.environ, RANDOM_JOBS="1", RANDOM_SHRINK="0", RANDOM_COUNT=RANDOM_PROGRAMS)
        environment.update(e.split("=", 1) for e in properties.get("ENVIRONMENT", []))
        if not LEFT_OUT.search(test["name"]) and SELECTED.search(test["name"]):
            tests.append({"name": test["name"], "command": test["command"], "environment": environment,
                          "folder": properties.get("WORKING_DIRECTORY", BUILD)})
    return tests


def run_tests(tests, limits):
    """Builds and runs until one fails: (name, "fails" or "hangs", output), or None if all pass; times by name."""
    times, caught, lock, building = {}, [], threading.Lock(), threading.Lock()
    queue = iter(tests)

    def work():
        while True:
            with lock:
                test = None if caught else next(queue, None)
            if not test:
                return
            with building:
                status, output = build([test])
            if status:
                caught.append((test["name"], "fails", output))
                return
            began = time.monotonic()
            bounds = BOUNDED + ["--cpu=%d" % limits(test["name"])]
            if not SANITIZED.search(test["name"]):
                bounds += BOUNDED_MEMORY
            status, output = run(bounds + test["command"], WAITING, cwd=test["folder"], env=test["environment"])
            times[test["name"]] = time.monotonic() - began
            if status not in (0, 77):
                caught.append((test["name"], "hangs" if status == -1 else "fails", output))

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for worker in [pool.submit(work) for _ in range(JOBS)]:
            worker.result()
    return (caught[0] if caught else None), times


def prepare():
    """The copy, built, and its tests."""
    os.makedirs(TREE, exist_ok=True)
    copy_tree()
    configure = ["cmake", "-S", TREE, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    if shutil.which("ccache"):
        configure.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
    status, output = run(configure)
    if not status:
        status, output = run(["ninja", "-C", BUILD, "-j", str(JOBS)])
    if status:
        sys.exit(output[-4000:])
    return find_tests()


def time_tests(tests):
    """Those of the tests that pass without a fault, from the fastest to the slowest, and their times."""
    status, output = build(tests)
    if status:
        sys.exit(output[-4000:])
    seen = WORK + "/times.json"
    times = {}
    if os.path.exists(seen):
        with open(seen) as f:
            times = json.load(f)
    rest = [t for t in tests if t["name"] not in times]
    while rest:
        caught, more = run_tests(rest, lambda name: 900)
        if caught:
            print("%s %s without a fault and is left out" % caught[:2], flush=True)
            more.pop(caught[0])
            tests = [t for t in tests if t["name"] != caught[0]]
        times.update(more)
        with open(seen, "w") as f:
            json.dump(times, f)
        rest = [t for t in tests if t["name"] not in times]
    tests.sort(key=lambda t: times[t["name"]])
    return tests, times


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def write(file, text):
    with open(TREE + "/" + file, "r+") as f:
        if f.read() != text:
            f.seek(0)
            f.truncate()
            f.write(text)


def known_equivalents():
    """file, line before, line after -> reason, from mutants.txt: four lines each, blank between."""
    known = {}
    with open(os.path.dirname(os.path.abspath(__file__)) + "/mutants.txt") as f:
        text = "\n".join(l for l in f.read().split("\n") if not l.startswith("#"))
    for entry in filter(str.strip, text.split("\n\n")):
        file, before, after, reason = entry.strip().split("\n")
        known[file, before.strip(), after.strip()] = reason
    return known


def find_fault(seed, whole):
    """The first fault of the seed that builds and makes another binary; it is in its place."""
    for fault in draw(seed):
        write(fault.file, fault.text)
        status, _ = run(["ninja", "-C", BUILD, "-j", str(JOBS), "bin/nnc"], 900)
        if not status and digest(BUILD + "/bin/nnc") != whole:
            return fault
        write(fault.file, fault.original)


def try_fault(fault, tests, times):
    """What the tests say of a compiler with the fault: "fails of TEST", "hangs of TEST", "SURVIVED".

    Those of the fault's own layer come first, then those that run what it makes."""
    layer = "unit_%s_" % fault.file.split("/")[1]
    likely = next(names for part, names in LIKELY if part in fault.file)
    tests = sorted(tests, key=lambda t: (not t["name"].startswith(layer), not re.match(likely, t["name"])))
    write(fault.file, fault.text)
    try:
        caught, _ = run_tests(tests, lambda name: 30 + 10 * times[name])
        return "%s of %s" % (caught[1], caught[0]) if caught else "SURVIVED"
    finally:
        write(fault.file, fault.original)


def try_faults(seeds, faults, tests, known):
    """Plants the fault of every seed before the tests: {seed: what became of it}; faults are found when not known."""
    tests, times = time_tests(tests)
    whole, results = digest(BUILD + "/bin/nnc"), {}
    remembered = Results(tests)
    for seed in seeds:
        began = time.monotonic()
        if seed in remembered.of:
            text, results[seed] = remembered.of[seed]
            print("%s: %s (before)" % (text, results[seed]), flush=True)
            continue
        fault = faults[seed] = faults.get(seed) or find_fault(seed, whole)
        reason = known.get((fault.file, fault.before, fault.after))
        if reason:
            write(fault.file, fault.original)
        results[seed] = "equivalent: " + reason if reason else try_fault(fault, tests, times)
        remembered.add(seed, fault, results[seed])
        print("%s: %s (%d s)" % (fault, results[seed], time.monotonic() - began), flush=True)
    return results


class Results:
    """What became of seeds with this tree and these tests, kept in a file: a run that was stopped goes on."""

    def __init__(self, tests):
        state = hashlib.sha256(" ".join(sorted(t["name"] for t in tests)).encode())
        for path, _, files in sorted(os.walk(TREE)):
            for name in sorted(files):
                if not path.startswith(TREE + "/build"):
                    state.update((path + "/" + name + digest(path + "/" + name)).encode())
        self.path = "%s/results-%s.json" % (WORK, state.hexdigest()[:16])
        self.of = {}
        if os.path.exists(self.path):
            with open(self.path) as f:
                self.of = {int(seed): result for seed, result in json.load(f).items()}

    def add(self, seed, fault, result):
        self.of[seed] = str(fault), result
        with open(self.path, "w") as f:
            json.dump(self.of, f)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seeds = list(map(int, os.environ.get("MUTANTS_SEEDS", "").split())) or list(range(first, first + count))
    count = len(seeds)
    tests, known, faults, results = prepare(), known_equivalents(), {}, {}
    for part in ([t for t in tests if QUICK.match(t["name"])], [t for t in tests if not QUICK.match(t["name"])]):
        left = [s for s in seeds if results.get(s, "SURVIVED") == "SURVIVED"]
        if left and part:
            print("%d faults before %d tests" % (len(left), len(part)), flush=True)
            results.update(try_faults(left, faults, part, known))
    caught = sum(w.startswith(("fails", "hangs")) for w in results.values())
    equivalent = sum(w.startswith("equivalent") for w in results.values())
    survivors = [s for s in seeds if results.get(s) == "SURVIVED"]
    matter = count - equivalent
    print("mutants: %d planted, %d caught, %d equivalent, %d survived%s: %.0f %% of those that matter" %
          (count, caught, equivalent, len(survivors),
           " (seeds %s)" % ", ".join(map(str, survivors)) if survivors else "", 100 * caught / max(matter, 1)))
    return 0 if caught * 100 >= matter * ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
