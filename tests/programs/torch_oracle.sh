# The committed fixtures are what PyTorch computes: recomputed where it is installed, skipped elsewhere.
for python in "$NNC_TORCH_PYTHON" python3; do
    [ -n "$python" ] && "$python" -c "import torch, numpy" 2>/dev/null || continue
    exec "$python" "$SOURCE_DIR/tests/programs/torch_oracle.py" --check
done
echo "PyTorch is not installed (set NNC_TORCH_PYTHON)"
exit 77
