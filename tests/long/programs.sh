# Programs beside PyTorch, in long: chars.sh EPOCHS on all the licenses, the whole of ResNet as C, and the committed
# fixtures computed again; needs a virtual environment with torch (NNC_TORCH_PYTHON).
set -u
cd "$(dirname "$0")/../.." || exit 1
export SOURCE_DIR=$PWD BINARY_DIR=$PWD/build/release NNC=$PWD/build/release/bin/nnc
: "${NNC_TORCH_PYTHON=$HOME/.cache/nnc-bench/bin/python}"
export NNC_TORCH_PYTHON
failed=0
bash tests/programs/torch_oracle.sh || failed=1
AGREE_LONG=1 "$BINARY_DIR/tests/programs_test_agree_compiled" >log.$$ 2>&1 || { cat log.$$; failed=1; }
rm -f log.$$
figures=$(bash tests/programs/chars.sh "${1:-4}") || failed=1
echo "programs: $(echo "$figures" | tr '\n' ';' | sed 's/;$//; s/;/, /'), failed: $failed"
exit $failed
