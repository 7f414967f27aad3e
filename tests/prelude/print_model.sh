# `nnc summary` begins with exactly what PyTorch's print(model) says.
set -u
here=$SOURCE_DIR/tests/programs
out=$("$NNC" summary "$here/agree/modules.nn") || exit 1
lines=$(wc -l < "$here/fixtures/modules.txt")
printf '%s\n' "$out" | head -n "$lines" | diff "$here/fixtures/modules.txt" - || exit 1
printf '%s\n' "$out" | sed -n "$((lines + 1))p" | grep -qx '' || { echo "the tree goes on"; exit 1; }
# Parameters in lists and dicts; what torch 2.15 prints of the same.
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cat >"$folder/net.nn" <<'END'
module Net {
    self.p = nn.ParameterList([nn.Parameter(torch.ones(4)), nn.Parameter(torch.zeros(2, 3, dtype=torch.bfloat16))])
    self.d = nn.ParameterDict({"a": nn.Parameter(torch.ones(5, dtype=torch.float64))})
    self.e = nn.ParameterList()

    def forward(self, x: f32[N, 4]) -> f32[N, 4] { return x + self.p[0] }
}

export Net() as net
END
"$NNC" summary "$folder/net.nn" | head -n 8 | diff - <(cat <<'END'
Net(
  (p): ParameterList(
      (0): Parameter containing: [torch.float32 of size 4]
      (1): Parameter containing: [torch.bfloat16 of size 2x3]
  )
  (d): ParameterDict(  (a): Parameter containing: [torch.DoubleTensor of size 5])
  (e): ParameterList()
)
END
) || exit 1
