#!/usr/bin/env bash
# chunk, split and diagonal of axes whose length is not known: what algebra or `where` shows to be divisible has
# its parts, lengths that differ by a number their diagonal, and lengths are numbers of a tensor.
. "$SOURCE_DIR/tests/expect.bash"
cat >guided.nn <<'END'
# A batch twice in one call, as in guidance without a classifier; the second part minus the first is 1.
module Guided {
    def forward(self, x: f32[N, 2]) -> (far: f32) {
        plain, more = torch.cat([x, x + 1]).chunk(2)
        return (more - plain - 1).abs().max() + 0.5
    }
}
export Guided() as guided
END
cat >halves.nn <<'END'
# Between rows of a running sum, half of the rows apart, there is that half.
module Halves {
    def forward(self, x: f32[N, 2]) -> (difference: f32[M, 2], half: f32) where N % 2 == 0 {
        a, b = torch.cumsum(torch.ones_like(x), 0).chunk(2, dim=0)
        return b - a, (b - a).sum() / 2
    }
}
export Halves() as halves
END
cat >split.nn <<'END'
module Split {
    def forward(self, x: f32[N, 2]) -> (difference: f32[M, 2], half: f32) where N % 2 == 0 {
        a, b = torch.cumsum(torch.ones_like(x), 0).split(N // 2)
        return b - a, (b - a).sum() / 2
    }
}
export Split() as split
END
cat >diagonal.nn <<'END'
# Of the rows of C places, counted from 0.
module Diagonal {
    def forward(self, x: f32[C]) -> (main: f32[C], above: f32[C - 1], below: f32[C - 2], lengths: i64[2, 2]) where C >= 2 {
        y = torch.arange(C * C).float().view(1, C, C) + x.sum()
        lengths = torch.tensor([[y.size(1), 2], [3, y.shape[2] + 1]])
        return y.diagonal(dim1=1, dim2=2)[0], torch.diagonal(y, 1, 1, 2)[0], torch.diagonal(y, -2, 1, 2)[0], lengths
    }
}
export Diagonal() as diagonal
END
for flag in --engine=interp --engine=c; do
    expect 0 "far f32[] = 0.5" "$NNC" run guided.nn $flag --input x=rand --bind N=3
    expect 0 "difference f32[3, 2]" "$NNC" run halves.nn $flag --input x=zeros --bind N=6
    expect 0 "half f32[] = 9" "$NNC" run halves.nn $flag --input x=zeros --bind N=6
    expect 0 "difference f32[0, 2]" "$NNC" run halves.nn $flag --input x=zeros --bind N=0
    expect 0 "half f32[] = 9" "$NNC" run split.nn $flag --input x=zeros --bind N=6
    expect 0 "main f32[3] = [0, 4, 8]" "$NNC" run diagonal.nn $flag --input x=zeros --bind C=3
    expect 0 "above f32[2] = [1, 5]" "$NNC" run diagonal.nn $flag --input x=zeros --bind C=3
    expect 0 "below f32[1] = [6]" "$NNC" run diagonal.nn $flag --input x=zeros --bind C=3
    expect 0 " [3, 4]]" "$NNC" run diagonal.nn $flag --input x=zeros --bind C=3
    expect 1 "N % 2 == 0" "$NNC" run split.nn $flag --input x=zeros --bind N=5
done
sed 's/ where N % 2 == 0//' halves.nn >any.nn
expect 1 'chunk needs an axis whose length is known or divisible by 2, not N' "$NNC" check any.nn
sed 's/ where N % 2 == 0//' split.nn >any.nn
expect 1 'split needs an axis whose length is known or a multiple of the size, not N by N//2' "$NNC" check any.nn
exit $failed
