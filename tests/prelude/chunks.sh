#!/usr/bin/env bash
# chunk of an axis whose length is not known: what algebra or `where` shows to be divisible has its parts.
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
for flag in --engine=interp --engine=c; do
    expect 0 "far f32[] = 0.5" "$NNC" run guided.nn $flag --input x=rand --bind N=3
    expect 0 "difference f32[3, 2]" "$NNC" run halves.nn $flag --input x=zeros --bind N=6
    expect 0 "half f32[] = 9" "$NNC" run halves.nn $flag --input x=zeros --bind N=6
    expect 0 "difference f32[0, 2]" "$NNC" run halves.nn $flag --input x=zeros --bind N=0
done
sed 's/ where N % 2 == 0//' halves.nn >any.nn
expect 1 'chunk needs an axis whose length is known or divisible by 2, not N' "$NNC" check any.nn
exit $failed
