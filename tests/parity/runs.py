"""What loops.py and schedules.py share: a program's entry in the interpreter, arrays, and the check of fixtures."""

import json
import os
import struct
import subprocess
import sys
import tempfile


def write_array(path, numbers, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}".ljust(117) + "\n"
    with open(path, "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(numbers)}d", *numbers))


def read_array(path):
    with open(path, "rb") as f:
        data = f.read()
    start = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - start) // 8}d", data[start:])


def run_entry(folder, entry, *more):
    """What nnc says of T.entry in case.nn when it fails, else None."""
    command = [os.environ["NNC"], "run", f"{folder}/case.nn:T.{entry}", "--engine=interp", "--default-dtype=f64", *more]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr if done.returncode else None


def difference(got, wanted, bound, least, place):
    """The first number beyond `bound` of max(|torch's|, least), or None; `place` says where number i is."""
    if len(got) != len(wanted):
        return f"{len(got)} values, not {len(wanted)}"
    for i, (a, b) in enumerate(zip(got, wanted)):
        if not abs(a - b) <= bound * max(abs(b), least):
            return f"{place(i)}: {a!r}, torch has {b!r}"
    return None


def check_fixtures(path, cases, case_of, check_case, what):
    """How many records of the file do not hold; `case_of` gives a record's case."""
    with open(path) as f:
        kept = [json.loads(line) for line in f]
    if [case_of(record) for record in kept] != cases:
        sys.exit(f"the fixtures are of other cases: {os.path.basename(sys.argv[0])} --write, with torch")
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for index, record in enumerate(kept):
            why = check_case(index, record, folder)
            if why:
                failures += 1
                print(f"{case_of(record)}: {why}")
    print(f"{len(kept)} {what}, {failures} unlike torch's")
    return failures


def main(write, check, usage):
    if len(sys.argv) == 3 and sys.argv[1] == "--write":
        write(sys.argv[2])
    elif len(sys.argv) == 3 and sys.argv[1] == "--check":
        sys.exit(1 if check(sys.argv[2]) else 0)
    else:
        sys.exit(usage)
