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
# Initialisers: what they make holds for the parameter that they are given to.
made() { # TYPE INITIALISER EXPRESSION
    printf 'module Net {\n    param w: %s = %s\n    def forward(self, x: f32[N]) -> bool { return %s }\n}\n\nexport Net() as net\n' "$1" "$2" "$3" >net.nn
    expect 0 'output bool[] = true' "$NNC" run net.nn --engine=interp --input x=zeros --bind N=1
}
made 'f32[6, 4]' 'init.orthogonal()' '(self.w.T @ self.w - torch.eye(4)).abs().max() < 1e-6'
made 'f32[4, 2, 3]' 'init.orthogonal(gain=2.0)' '(self.w.flatten(1) @ self.w.flatten(1).T - 4 * torch.eye(4)).abs().max() < 1e-5'
made 'f32[64, 64]' 'init.orthogonal()' '(self.w.T @ self.w - torch.eye(64)).abs().max() < 1e-6'
made 'f32[4, 4, 3]' 'init.dirac()' '(F.conv1d(torch.ones(1, 4, 5), self.w, padding=1) == 1).all()'
made 'f32[4, 2, 3, 3]' 'init.dirac(groups=2)' 'torch.equal(F.conv2d(torch.arange(36).view(1, 4, 3, 3).float(), self.w, padding=1, groups=2), torch.arange(36).view(1, 4, 3, 3).float())'
made 'f32[10, 6]' 'init.sparse(sparsity=0.25)' '((self.w == 0).sum(0) == 3).all()'
made 'f32[10, 60]' 'init.sparse(0.5, std=2.0)' 'abs(self.w.square().sum() / 300 - 4) < 1.7'
exit $failed
