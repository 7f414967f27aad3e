# Rates and momenta of learning-rate schedules are those of PyTorch (tests/parity/schedules.py), in the interpreter.
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$SOURCE_DIR/tests/parity/schedules.py" --check "$SOURCE_DIR/tests/parity/schedules.jsonl"
