"""One peer in a process of its own, so that the driver can stop it while another is measured.

Started as `worker.py PEER THREADS CPU,CPU DEVICE PRECISION`; one JSON object a line on standard input, one in answer:
  {"do": "prepare", "row", "batch", "folder"}   builds, runs once; trains a few steps and keeps the results
  {"do": "burst", "warm", "seconds"}                    {"count", "minimum", "times": [nanoseconds, ...]}
An answer with "error" ends the row for this peer.  What libraries print goes to standard error.
"""

import gc
import json
import os
import sys
import time
import traceback

cpus = [int(cpu) for cpu in sys.argv[3].split(",")]
os.sched_setaffinity(0, cpus)
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402
from peers import PEERS, Case  # noqa: E402
from workloads import CHECK_STEPS, RESET_STEPS, ROW, draw  # noqa: E402

KEPT = 20000  # times of one burst that travel to the driver: every k-th when there are more


def check(peer, case, path):
    """The outputs of a first call, or the losses of the first steps and the parameters after one."""
    if not case.row.optimizer:
        peer.call()
        np.savez(path, output=peer.output())
        return
    peer.call()  # makes optimizer states exist
    peer.reset()
    losses, parameters = [], None
    for _ in range(CHECK_STEPS):
        peer.call()
        losses.append(float(peer.output()))
        parameters = parameters or peer.parameters()
    np.savez(path, output=np.array(losses), **parameters)


def burst(peer, warm, seconds, steps):
    """As bench_burst in ours.c."""
    clock, call, reset = time.perf_counter_ns, peer.call, getattr(peer, "reset", None)
    times, calls = [], 0
    gc.collect()
    gc.disable()
    counted = clock() + int(1e9 * warm)
    end = counted + int(1e9 * seconds)
    while True:
        if steps and calls % steps == 0:
            reset()
        calls += 1
        before = clock()
        call()
        after = clock()
        if before >= counted and calls > 3:
            times.append(after - before)
        if after >= end and len(times) >= 3:
            break
    gc.enable()
    return np.array(times)


def main():
    name, threads, device, precision = sys.argv[1], int(sys.argv[2]), sys.argv[4], sys.argv[5]
    peer = case = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "prepare":
                row = ROW[order["row"]]
                numbers = draw(row, order["batch"])
                case = Case(row, order["batch"], threads, device, precision, *numbers, order["folder"])
                if hasattr(peer, "close"):
                    peer.close()
                peer = PEERS[name]()
                peer.prepare(case)
                check(peer, case, f"{order['folder']}/{name}.npz")
                answer = {}
            else:
                steps = RESET_STEPS if case.row.optimizer else 0
                own = getattr(peer, "burst", None)
                times = (own or (lambda *a: burst(peer, *a)))(order["warm"], order["seconds"], steps)
                kept = times[:: 1 + len(times) // KEPT]
                answer = {"count": len(times), "minimum": int(times.min()), "times": kept.tolist()}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
