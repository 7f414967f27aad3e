#!/bin/bash
# Faults planted in what makes kernels and calls of a GPU, before the tests on the shim, two minutes each:
# gpu_mutants.sh [COUNT [FIRST SEED]]
export MUTANTS_AREA=gpu
exec python3 "$(dirname "$0")/mutants.py" "${@:-50}"
