# The layer library beside PyTorch, every case in f64 and f32, and docs/parity.md; needs a virtual environment with torch.
exec "$(dirname "$0")/../parity/run"
