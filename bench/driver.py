"""Measures the rows: us and every peer in turn, in short bursts, on the same processors or GPU, and prints the table.

Each peer is a process that is stopped (SIGSTOP) while another is measured, so that no one's waiting threads cost
another one time.  The machine's ceilings are measured before and after.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from peers import PEERS, SELECTABLE, TRAINS
from workloads import GPU_BATCHES, NETWORKS, ROW, ROWS, draw

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
NNC = os.environ["NNC"]
# Our runtime asks for huge pages itself; the allocators of peers do when they are told to.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "THP_MEM_ALLOC_ENABLE": "1"}
WARM = 0.01  # seconds of a burst that are not counted
BOUND = {"f32": 1e-5, "tf32": 1e-2, "bf16": 1e-1}  # of outputs, losses and parameters, relative
ATTEMPTS = 4  # at a burst that nobody disturbs
FOREIGN = 0.2  # processors' worth of other work that a burst bears; the clock ticks too coarsely for less
LIBRARIES = ["-lm", "-lz", "-lpthread", "-ldl"]
LEVELS = {"l2": "L2", "l3": "L3", "dram": "memory"}
MOVED = 0.05  # a ceiling that changed by more is worth a warning
CEILINGS = {"cpu": ("fma", "l2", "l3", "dram"), "cuda": ("fma", "l2", "dram", "call")}


class Peer:
    """The process of one peer; it is stopped whenever it is not answering."""

    def __init__(self, name, options, log):
        self.name = name
        environment = os.environ | HUGE_PAGES | PEERS[name].environment(options.threads)
        cpus = ",".join(map(str, options.processors))
        words = [sys.executable, os.path.join(HERE, "worker.py"), name, str(options.threads), cpus]
        words += [options.device, options.precision]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, text=True
        )

    def ask(self, **order):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"error": f"{self.name} ended"}
        self.stop()
        return json.loads(line)

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


def stop_all(processes):
    """For tools that wake what they find stopped: a peer's threads may spin while it waits."""
    for peer in processes.values():
        peer.stop()


@contextlib.contextmanager
def held(prefix, processes):
    """Runs `prefix CMD` around the measurement, where CMD lasts until we are done."""
    if not prefix:
        yield
        return
    words = [*prefix.split(), "sh", "-c", "echo ready; read line"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        stop_all(processes)
        yield
        if process.poll() is not None:
            print(f"warning: '{prefix}' ended before the measurement did", file=sys.stderr)
            return
        process.communicate(b"\n")
    stop_all(processes)


def build(words, sources, output, libraries):
    """Runs the compiler unless `output` of the same command and sources is kept from an earlier run."""
    digest = hashlib.sha256(" ".join(words).encode())
    for path in sources:
        with open(path, "rb") as file:
            digest.update(file.read())
    folder = os.path.join(os.environ["NNC_BENCH_VENV"], "objects")
    kept = os.path.join(folder, digest.hexdigest())
    if not os.path.exists(kept):
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            made = os.path.join(place, "object")
            inputs = [path for path in sources if not path.endswith(".h")]
            subprocess.run([*words, *inputs, "-o", made, *libraries], check=True)
            os.rename(made, kept)
    shutil.copy(kept, output)


def build_loop(compiler, folder):
    """The loop over calls (ours.c)."""
    runtime = os.path.join(os.path.dirname(os.path.dirname(NNC)), "libnncrt.a")
    includes = ["-I" + os.path.join(ROOT, part) for part in ("runtime", "templates")]
    words = [*compiler, "-O2", "-fPIC", "-shared", *includes]
    build(words, [os.path.join(HERE, "ours.c"), runtime], folder + "/ours.so", LIBRARIES)


def compile_for_gpu(networks, folder, precision):
    """Emitted CUDA, what tells the runtime of the GPU, and the loop that calls it."""
    compiler = os.environ.get("NVCC", "nvcc").split()
    flags = ["-O3", "-std=c++17", "-arch=native"]
    shared = [*compiler, *flags, "-Xcompiler", "-fPIC", "-shared", "-I" + os.path.join(ROOT, "templates")]
    for network in networks:
        model = os.path.join(HERE, "models", NETWORKS[network].model)
        base = f"{folder}/{network}"
        subprocess.run([NNC, model, "-o", base + ".cu", f"--precision={precision}"], check=True)
        sources = [base + ".cu", os.path.join(ROOT, "templates", "device.cu"), base + "_cuda.h"]
        build(shared, sources, base + ".so", [])
    build_loop(os.environ.get("CC", "cc").split(), folder)
    build([*compiler, *flags], [os.path.join(HERE, "ceilings.cu")], folder + "/ceilings", [])
    return " ".join(flags)


def compile_all(networks, folder):
    """Emitted C with the flags that nnc recommends, and the loop that calls it."""
    compiler = os.environ.get("CC", "cc").split()
    flags = subprocess.run([NNC, "--print-cflags"], check=True, capture_output=True, text=True).stdout.split()
    shared = ["-fPIC", "-shared"]
    for network in networks:
        base = f"{folder}/{network}"
        subprocess.run([NNC, os.path.join(HERE, "models", NETWORKS[network].model), "-o", base + ".c"], check=True)
        build([*compiler, *flags, "-w", "-Wno-psabi", *shared], [base + ".c", base + ".h"], base + ".so", LIBRARIES)
    build_loop(compiler, folder)
    build([*compiler, "-O3", "-march=native"], [os.path.join(HERE, "ceilings.c")], folder + "/ceilings", LIBRARIES)
    return " ".join(flags)


def measure_ceilings(folder, options):
    words = [folder + "/ceilings"]
    if options.device == "cpu":
        words.append(",".join(map(str, options.processors)))
    with held(options.under, {}):
        text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(zip(CEILINGS[options.device], map(float, text.split())))


def relative(found, right):
    """The largest difference in terms of the largest value."""
    return float(np.max(np.abs(found - right)) / np.max(np.abs(right)))


def error_of(folder, name):
    """How far a peer's results are from the f64 reference, the worst of all."""
    with np.load(f"{folder}/{name}.npz") as found, np.load(f"{folder}/reference.npz") as right:
        return max(relative(found[key].astype(np.float64), right[key]) for key in right.files)


def prepare(row, batch, processes, folder, under):
    """Everyone builds the row and runs it once; returns the relative errors, or what went wrong, by name."""
    from safetensors.numpy import save_file

    save_file(draw(row, batch)[0], folder + "/weights")
    errors = {}
    for name in ["reference", *(name for name in processes if name != "reference")]:
        if row.optimizer and name not in TRAINS:
            continue
        # What tunes itself by measuring (products with constant weights) does so on a quiet machine.
        tunes = name == "torch-compile" and not row.optimizer
        with held(under if tunes else None, processes):
            answer = processes[name].ask(do="prepare", row=row.name, batch=batch, folder=folder)
        if "error" in answer:
            if name in ("ours", "reference"):
                raise SystemExit(f"bench: {row.name}, B={batch}, {name}: {answer['error']}")
            errors[name] = answer["error"]
        elif name != "reference":
            errors[name] = error_of(folder, name)
    return errors


def busy_seconds(cpus):
    """What the processors have worked so far, for whomever."""
    with open("/proc/stat") as file:
        rows = [line.split() for line in file if line[3:4].isdigit()]
    ticks = sum(sum(map(int, row[1:4] + row[6:8])) for row in rows if int(row[0][3:]) in cpus)
    return ticks / os.sysconf("SC_CLK_TCK")


def own_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def undisturbed(peer, options):
    """A burst during which the processors worked for nobody else, or the least disturbed of a few."""
    best = None
    for _ in range(ATTEMPTS):
        begin, busy, own = time.monotonic(), busy_seconds(options.processors), own_seconds(peer.process)
        answer = peer.ask(do="burst", warm=WARM, seconds=options.seconds / options.rounds)
        if "error" in answer:
            raise SystemExit(f"bench: {peer.name}: {answer['error']}")
        foreign = busy_seconds(options.processors) - busy - (own_seconds(peer.process) - own)
        answer["foreign"] = max(0, foreign) / (time.monotonic() - begin)
        if best is None or answer["foreign"] < best["foreign"]:
            best = answer
        if best["foreign"] <= FOREIGN:
            break
    return best


def measure(names, processes, options):
    """Bursts in turn; minimum and median in microseconds, and those of every round."""
    times, lowest = {name: [] for name in names}, {name: [] for name in names}
    disturbed = {name: 0 for name in names}
    for _ in range(options.rounds):
        for name in names:
            answer = undisturbed(processes[name], options)
            disturbed[name] += answer["foreign"] > FOREIGN
            times[name].append(np.array(answer["times"]) / 1e3)
            lowest[name].append(answer["minimum"] / 1e3)
    return {
        name: {
            "min": min(lowest[name]),
            # Of the rounds' medians the middle one: a disturbed round counts as one.
            "median": float(np.median([np.median(part) for part in times[name]])),
            "disturbed": disturbed[name],
            "rounds": [[low, float(np.median(part))] for low, part in zip(lowest[name], times[name])],
        }
        for name in names
    }


def read_goals(device):
    with open(os.path.join(HERE, "goals")) as file:
        lines = [line.split("#")[0].split() for line in file]
    return {(words[1], int(words[2])): float(words[3]) for words in lines if words and words[0] == device}


def selected(text, device):
    """`mlp-infer:64,lenet-sgd` -> [(row, batch), ...]; a prefix such as `mlp` means all rows that begin so."""
    found = []
    for part in (text or "").split(",") if text else [""]:
        name, _, batch = part.partition(":")
        rows = [ROW[name]] if name in ROW else [row for row in ROWS if row.name.startswith(name)]
        if not rows:
            raise SystemExit(f"bench: no row '{name}'; there are: {', '.join(ROW)}")
        for row in rows:
            sizes = GPU_BATCHES if device == "cuda" else row.batches
            found += [(row, size) for size in ([int(batch)] if batch else sizes)]
    return found


def selected_peers(text, selectable):
    if not text:
        return selectable
    if text == "none":
        return []
    found = []
    for part in text.split(","):
        names = [name for name in selectable if name.startswith(part)]
        if not names:
            raise SystemExit(f"bench: no peer '{part}'; there are: {', '.join(selectable)}")
        found += names
    return found


def summarize(row, batch, times, errors, goals):
    best = min((name for name in times if name != "ours"), key=lambda name: times[name]["min"], default=None)
    result = {"row": row.name, "batch": batch, "times": times, "errors": errors, "best": best}
    result["goal"] = goals.get((row.name, batch))
    if best:
        result["ratio"] = times[best]["min"] / times["ours"]["min"]
        # Of each round by itself, then the middle one: what slows a round slows both.
        pairs = zip(times[best]["rounds"], times["ours"]["rounds"])
        result["paired"] = float(np.median([theirs[0] / own[0] for theirs, own in pairs]))
    return result


def add_floor(result, ceilings):
    bandwidth, call = ceilings.get("l3", ceilings["l2"]), ceilings.get("call", 0)
    floor = ROW[result["row"]].floor(result["batch"], ceilings["fma"], bandwidth, call)
    return result | {"floor": 1e6 * floor}


def figure(value):
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def cells_of(result, peers):
    ours, goal = result["times"]["ours"], result["goal"]
    cells = [result["row"], str(result["batch"]), f"{figure(ours['min'])} / {figure(ours['median'])}"]
    for name in peers:
        time_of = result["times"].get(name)
        cells.append(f"{figure(time_of['min'])} / {figure(time_of['median'])}" if time_of else "-")
    ratio = f"{result['ratio']:.2f}x / {result['paired']:.2f}x" if "ratio" in result else "-"
    met = "" if goal is None or "ratio" not in result else (" met" if result["ratio"] >= goal else " below")
    distance = f"{figure(result['floor'])} ({ours['min'] / result['floor']:.2f}x)"
    return [*cells, ratio, f"{goal:g}x{met}" if goal else "-", distance]


def table(results, peers, markdown):
    head = ["row", "B", "nnc", *peers, "ratio / paired", "required", "floor (distance)"]
    lines = [head, *(cells_of(result, peers) for result in results)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    text = []
    for index, line in enumerate(lines):
        padded = [cell.ljust(width) for cell, width in zip(line, widths)]
        text.append("| " + " | ".join(padded) + " |" if markdown else "  ".join(padded).rstrip())
        if index == 0 and markdown:
            text.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def processor():
    with open("/proc/cpuinfo") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    vectors = next((name for name in ("avx512f", "avx2", "avx") if name in fields.get("flags", "").split()), "")
    name = fields.get("model name", platform.machine())
    family = f" (family {fields['cpu family']}, model {fields['model']})" if "cpu family" in fields else ""
    return f"{name}{family} {vectors}".strip()


def versions(peers):
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in dict.fromkeys(peer.split("-")[0] for peer in peers))


def describe(ceilings):
    figures = {name: f"{value / 1e9:.0f}" for name, value in ceilings.items()}
    levels = [f"{title} {figures[name]}" for name, title in LEVELS.items() if name in figures]
    call = f", an empty call {1e6 * ceilings['call']:.1f} us" if "call" in ceilings else ""
    return f"FMA {figures['fma']} GFLOP/s, read {', '.join(levels)} GB/s{call}"


def machine(options):
    if options.device == "cpu":
        return f"Processor: {processor()}; emitted C: {os.environ.get('CC', 'cc')} {options.flags}"
    words = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        name = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError):
        name = "unknown"
    return f"GPU: {name}; --precision={options.precision}; nvcc {options.flags}"


def parse_options():
    parser = argparse.ArgumentParser(prog="bench/run", description="Paired benchmarks of emitted C against its peers.")
    parser.add_argument("--only", metavar="ROW[:B],...", help=f"rows, or what they begin with: {', '.join(ROW)}")
    names = "; ".join(f"on {device} {', '.join(names)}" for device, names in SELECTABLE.items())
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where the rows run")
    parser.add_argument("--precision", choices=list(BOUND), default="f32", help="of products on a GPU, everyone's")
    parser.add_argument("--peers", metavar="PEER,...", help=f"or `none`: {names}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpus", help="processors to use, e.g. 0,1; default: the first ones allowed")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each participant in each row")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", metavar="FILE", help="everything measured")
    parser.add_argument("--markdown", action="store_true", help="the table as docs/benchmarks.md has it")
    parser.add_argument("--under", metavar="COMMAND", help="a prefix that quietens the machine, held while measuring")
    parser.add_argument("--log", metavar="FILE", help="what the peers print; default: nowhere")
    options = parser.parse_args()
    allowed = sorted(os.sched_getaffinity(0))
    options.processors = [int(cpu) for cpu in options.cpus.split(",")] if options.cpus else allowed
    if not 1 <= options.threads <= len(options.processors):
        parser.error(f"--threads {options.threads} needs as many processors")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    if options.device == "cpu" and options.precision != "f32":
        parser.error("--precision is for --device=cuda")
    options.processors = options.processors[: options.threads]
    return options


def run_rows(rows, peers, options, folder, processes, ceilings):
    results, goals = [], read_goals(options.device)
    for row, batch in rows:
        begin = time.monotonic()
        errors = prepare(row, batch, processes, folder, options.under)
        names = ["ours", *(name for name in peers if isinstance(errors.get(name), float))]
        with held(options.under, processes):
            times = measure(names, processes, options)
        result = summarize(row, batch, times, errors, goals)
        results.append(result)
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"ceilings": ceilings, "threads": options.threads, "results": results}, file, indent=1)
        spoilt = sum(part["disturbed"] for part in times.values())
        if spoilt:
            print(f"warning: {spoilt} of {options.rounds * len(names)} bursts were disturbed", file=sys.stderr)
        print(f"{row.name} B={batch}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
        for name, error in errors.items():
            if isinstance(error, str):
                print(f"warning: {name} cannot run it: {error}", file=sys.stderr)
            elif not error <= BOUND[options.precision]:
                bound = f"bound {BOUND[options.precision]:g}"
                print(f"warning: {name} is {error:.1e} from the f64 reference ({bound})", file=sys.stderr)
    return results


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse_options()
    rows = selected(options.only, options.device)
    peers = selected_peers(options.peers, SELECTABLE[options.device])
    log = open(options.log, "w") if options.log else subprocess.DEVNULL
    with tempfile.TemporaryDirectory(prefix="nnc-bench-") as folder:
        networks = {row.network for row, _ in rows}
        gpu = options.device == "cuda"
        options.flags = compile_for_gpu(networks, folder, options.precision) if gpu else compile_all(networks, folder)
        before = measure_ceilings(folder, options)
        processes = {}
        try:
            for name in ["ours", "reference", *peers]:
                processes[name] = Peer(name, options, log)
            results = run_rows(rows, peers, options, folder, processes, before)
        finally:
            for process in processes.values():
                process.close()
        after = measure_ceilings(folder, options)
    best = {name: min if name == "call" else max for name in before}
    highest = {name: best[name](before[name], after[name]) for name in before}
    results = [add_floor(result, highest) for result in results]
    moved = [name for name in before if abs(after[name] / before[name] - 1) > MOVED]
    print(table(results, peers, options.markdown))
    print()
    print(f"Microseconds a call, minimum / median. {options.threads} thread(s); {options.rounds} rounds of bursts.")
    print(f"{machine(options)}; {versions(peers)}")
    print(f"Ceilings before: {describe(before)}.\nCeilings after:  {describe(after)}.")
    worst = max((r["errors"]["ours"] for r in results), default=0)
    print(f"Our largest relative error against f64 (outputs, losses, parameters): {worst:.1e}.")
    print(f"Command: bench/run {' '.join(sys.argv[1:])}".rstrip())
    for name in moved:
        print(f"warning: the ceiling {name} moved by {100 * (after[name] / before[name] - 1):+.0f} %", file=sys.stderr)
    return 0 if worst <= BOUND[options.precision] else 1


sys.exit(main())
