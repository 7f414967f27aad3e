# What is drawn has the distribution that it should have, as far as five standard deviations tell.
. "$SOURCE_DIR/tests/expect.bash"
true_of() {
    printf 'module Net {\n    def forward(self, x: f32[64]) -> bool { return %s }\n}\n\nexport Net() as net\n' "$1" >net.nn
    expect 0 'output bool[] = true' "$NNC" run net.nn --engine=interp --input x=zeros --seed=36678
}
# Noise made of a uniform number that is 0 stays finite: of this seed's first 64 numbers, element 36 is.
true_of 'torch.rand(64)[36] == 0'
true_of 'torch.isfinite(F.gumbel_softmax(x)).all()'
# Permutations have every number once, hardly any at its place, and differ from each other.
true_of 'torch.equal(torch.sort(torch.randperm(1000))[0], torch.arange(1000))'
true_of '(torch.randperm(1000) == torch.arange(1000)).sum() < 8'
true_of '(torch.randperm(1000) == torch.randperm(1000, dtype=torch.int32)).sum() < 8'
true_of 'abs(torch.stack([torch.randperm(3)[0] for _ in range(64)]).float().mean() - 1) < 0.52'
# Weights 1, 0, 3: a fourth of 4,000 draws is the first, none the second; 5 deviations are 137.
weights='torch.tensor([1.0, 0.0, 3.0, 0.0])'
true_of "torch.bincount(torch.multinomial($weights, 4000, replacement=True), minlength=4)[1::2].sum() == 0"
true_of "abs(torch.bincount(torch.multinomial($weights, 4000, replacement=True), minlength=4)[0] - 1000) < 137"
# Without replacement: the first of two is the last place half of the time, and 0, 1 stand in this order 1/6 * 2/5 of it.
pairs='torch.multinomial(torch.tensor([1.0, 2.0, 3.0]).expand(4000, 3), 2)'
true_of "abs(($pairs[:, 0] == 2).sum() - 2000) < 158"
true_of "abs(($pairs * torch.tensor([1, 10])).sum(1).eq(10).sum() - 267) < 79"
true_of "torch.stack([p[:, 0] != p[:, 1] for p in [$pairs]]).all()"
true_of "torch.equal(torch.multinomial($weights.expand(64, 4), 2).sort(1)[0], torch.tensor([0, 2]).expand(64, 2))"
exit $failed
