# Noise made of a uniform number that is 0 stays finite: of this seed's first 64 numbers, element 36 is.
. "$SOURCE_DIR/tests/expect.bash"
finite() {
    printf 'module Net {\n    def forward(self, x: f32[64]) -> bool { return %s }\n}\n\nexport Net() as net\n' "$1" >net.nn
    expect 0 'output bool[] = true' "$NNC" run net.nn --engine=interp --input x=zeros --seed=36678
}
finite 'torch.rand(64)[36] == 0'
finite 'torch.isfinite(F.gumbel_softmax(x)).all()'
exit $failed
