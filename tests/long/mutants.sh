#!/bin/bash
# Faults planted at random places of a copy of the compiler, a minute each: mutants.sh [COUNT [FIRST SEED]]
exec python3 "$(dirname "$0")/mutants.py" "${@:-50}"
