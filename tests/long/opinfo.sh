# Torch's own samples of its operators, in the interpreter and as emitted C, and docs/parity-opinfo.md; needs a virtual
# environment with torch.
exec "$(dirname "$0")/../parity/run" --opinfo
