# The examples in the library's comments have the types that they state, and run.
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
PYTHONDONTWRITEBYTECODE=1 exec python3 "$SOURCE_DIR/tests/prelude/examples.py"
