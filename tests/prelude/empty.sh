#!/usr/bin/env bash
# Axes without elements: an index that a clamp or argmax bounds needs one element at least, which the entry checks;
# what chooses an element says that there is none; what is of no elements itself runs, on every engine.
. "$SOURCE_DIR/tests/expect.bash"
cat >empty.nn <<'END'
def add(x: f32[M], i: i64[K]) -> f32[M] { return x.index_add(0, torch.clamp(i, 0, M - 1), torch.ones(K)) }
export add
def pick(x: f32[M], i: i64[K]) -> f32[K] { return x[torch.clamp(i, 0, M - 1)] }
export pick
def place(x: f32[N, M]) -> f32[N, 1] { return torch.gather(x, 1, x.argmax(1).unsqueeze(1)) }
export place
def median(x: f32[N, M]) -> f32[N] { return x.median(1)[0] }
export median
def quantile(x: f32[N, M]) -> f32[N] { return torch.quantile(x, 0.5, dim=1) }
export quantile
def largest(x: f32[N, M]) -> f32[N] { return x.max(1)[0] }
export largest
def most(x: f32[N, M]) -> f32[] { return x.amax() }
export most
def sampled(x: f32[N, 3, M, 4], g: f32[N, 5, 6, 2]) -> f32[N, 3, 5, 6] { return F.grid_sample(x, g, align_corners=False) }
export sampled
def sorted(x: f32[N, M]) -> f32[N, M] { return torch.sort(x, 1)[0] }
export sorted
def running(x: f32[N, M]) -> (f32[N, M], i64[N, M]) { return x.cummax(1) }
export running
def windows(x: f32[N, M]) -> f32[N, 4, M] { return F.conv1d(x.unsqueeze(1), torch.ones(4, 1, 3), padding=1) }
export windows
def soft(x: f32[N, M]) -> f32[N, M] { return F.softmax(x, -1) }
export soft
def weighed(a: f32[N, T], v: f32[0]) -> f32[N] { return F.softmax(a, -1) @ v }
export weighed
def product(x: f32[2, 0, 4], y: f32[4, M]) -> f32 { return (x @ y).sum() }
export product
def logs(x: f32[2, 0, 3]) -> (a: f32[2, 3], b: f32[3], c: f32[2, 0]) { return torch.logsumexp(x, 1), torch.logsumexp(x, (0, 1)), torch.logsumexp(x, -1) }
export logs
def drawn(x: f32[N]) -> (a: f32[0, 3], b: f32[0, 3], c: f32[2]) { return torch.rand(0, 3), torch.zeros(0, 3), torch.rand(2) * 0 + 1 }
export drawn
train Narrow {
    self.net = nn.Sequential(nn.Linear(3, 0), nn.Linear(0, 2))
    self.optimizer = optim.Adam(self.parameters(), lr=0.1)
    def step(self, x: f32[N, 3]) -> (loss: f32) {
        loss = self.net(x).mean() * 0 + 7
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.parameters(), 1.0)
        self.optimizer.step()
        return loss
    }
}
END
for engine in interp c; do
    run="$NNC run --engine=$engine"
    expect 1 ': 1 <= M' $run empty.nn:add --input x=rand --input i=zeros --bind M=0 --bind K=2
    expect 0 'b f32[3] = [-inf, -inf, -inf]' $run empty.nn:logs --input x=zeros
    expect 0 'c f32[2] = [1, 1]' $run empty.nn:drawn --input x=rand --bind N=2
    expect 0 'loss f32[] = 7' $run empty.nn:Narrow.step --input x=rand --bind N=2
    expect 0 'f32[3] = [2,' $run empty.nn:add --input x=zeros --input i=zeros --bind M=3 --bind K=2
    expect 1 '1 <= M' $run empty.nn:pick --input x=rand --input i=zeros --bind M=0 --bind K=2
    expect 1 'argmax of no elements: axis 1 of (N, M) is empty' $run empty.nn:place --input x=rand --bind N=2 --bind M=0
    expect 1 'an order statistic of no elements: axis 1 of (N, M) is empty' $run empty.nn:median --input x=rand --bind N=2 --bind M=0
    expect 1 'quantile of no elements' $run empty.nn:quantile --input x=rand --bind N=2 --bind M=0
    expect 1 'max of no elements: axis 1' $run empty.nn:largest --input x=rand --bind N=2 --bind M=0
    expect 1 'amax of no elements' $run empty.nn:most --input x=rand --bind N=2 --bind M=0
    expect 1 'grid_sample: the input has no elements to sample' $run empty.nn:sampled --input x=rand --input g=rand --bind N=2 --bind M=0
    expect 0 'f32[2, 0]' $run empty.nn:sorted --input x=rand --bind N=2 --bind M=0
    expect 0 'i64[2, 0]' $run empty.nn:running --input x=rand --bind N=2 --bind M=0
    expect 1 ': a window of 3 does not fit into axis' $run empty.nn:windows --input x=rand --bind N=2 --bind M=0
    expect 0 'f32[2, 4, 1]' $run empty.nn:windows --input x=rand --bind N=2 --bind M=1
    expect 0 'f32[2, 0]' $run empty.nn:soft --input x=rand --bind N=2 --bind M=0
    expect 0 'f32[2] = [0, 0]' $run empty.nn:weighed --input a=rand --input v=rand --bind N=2 --bind T=0
    expect 1 'weighed: ' $run empty.nn:weighed --input a=rand --input v=rand --bind N=2 --bind T=3
    expect 0 'f32[] = 0' $run empty.nn:product --input x=rand --input y=rand --bind M=3
done
fails() { printf '%s\nexport g\n' "$2" >bad.nn && expect 1 "$1" "$NNC" check bad.nn; } # WORDS, PROGRAM
fails 'max of no elements: axis 1 of (N, 0) is empty' 'def g(x: f32[N, 0]) -> f32[N] { return x.max(1)[0] }'
fails 'the tensor is too large' 'def g(x: f32[N, 5]) -> f32 { return F.pad(x, (2**40, 2**40, 2**40, 2**40)).sum() }'
# Layers that no module has.
fails 'weight of LayerNorm belongs to no member of the model' 'def g(x: f32[N, 6]) -> f32[N, 6] { return nn.LayerNorm(6)(x) }'
fails 'weight of Linear belongs to no member of the model' 'n = nn.Linear(6, 6)
def g(x: f32[N, 6]) -> f32[N, 6] { return n(x) }'
exit $failed
