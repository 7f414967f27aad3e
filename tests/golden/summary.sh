#!/usr/bin/env bash
# `nnc summary` prints tests/golden/lenet.summary; UPDATE=1 writes it anew.
set -eu
golden="$SOURCE_DIR/tests/golden/lenet.summary"
[ -n "${UPDATE:-}" ] && "$NNC" summary "$SOURCE_DIR/examples/lenet.nn" >"$golden"
"$NNC" summary "$SOURCE_DIR/examples/lenet.nn" | diff "$golden" -

# What is counted is what runs: of a step, no gradient that nobody needs, and the body of a function with a vjp.
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cat >"$here/dense.nn" <<'END'
def dense(x: f32[N, K], w: f32[M, K]) -> f32[N, M] { return x @ w.T }
vjp dense(x: f32[N, K], w: f32[M, K], dy: f32[N, M]) -> (dx: f32[N, K], dw: f32[M, K]) {
    return dy @ w, dy.T @ x
}

module Net {
    param w: f32[3, 4] = 1

    def forward(self, x: f32[N, 4]) -> f32[N, 3] { return dense(x, self.w) }
}

train Fit {
    self.net = Net()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)

    def step(self, x: f32[N, 4], y: f32[N, 3]) -> f32[] {
        loss = F.mse_loss(self.net(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
END
"$NNC" summary "$here/dense.nn" | grep -qx 'multiply-adds 24\*N' || { "$NNC" summary "$here/dense.nn"; exit 1; }
