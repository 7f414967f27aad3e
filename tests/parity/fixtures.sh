# The layer library agrees with what PyTorch computed for these cases (tests/parity/driver.py), in the interpreter.
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
export NNC_PARITY="$BINARY_DIR/tests/nnc_parity" PYTHONDONTWRITEBYTECODE=1
exec python3 "$SOURCE_DIR/tests/parity/driver.py" --check "$SOURCE_DIR/tests/parity/fixtures.jsonl"
