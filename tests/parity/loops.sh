# Loops of training give PyTorch's numbers (tests/parity/loops.py), in the interpreter.
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$SOURCE_DIR/tests/parity/loops.py" --check "$SOURCE_DIR/tests/parity/loops.jsonl"
