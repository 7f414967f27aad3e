# The library agrees with what PyTorch computed for samples of its own operators (tests/parity/opinfo.py), in the interpreter.
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
export NNC_PARITY="$BINARY_DIR/tests/nnc_parity" PYTHONDONTWRITEBYTECODE=1
exec python3 "$SOURCE_DIR/tests/parity/opinfo_report.py" --check "$SOURCE_DIR/tests/parity/opinfo.jsonl"
