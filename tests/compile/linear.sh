#!/bin/bash
# The compiler's time and the text that it writes are linear in the layers of a model: what a layer of 1,000 costs is at
# most twice what one of 100 does, and equal layers share their kernels.  Times are ratios of user time (the least of
# several runs, less what one layer takes), so that neither the machine nor its load counts.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
chain() {
    cat <<END
module Chain {
    self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range($1)])
    def forward(self, x: f32[N, 64]) -> f32[N, 64] {
        for layer in self.layers {
            x = F.relu(layer(x))
        }
        return x
    }
}
export Chain() as chain
train Step {
    self.model = Chain()
    self.optimizer = optim.SGD(self.model.parameters(), lr=0.1)
    def step(self, x: f32[N, 64], y: f32[N, 64]) -> (loss: f32) {
        loss = F.mse_loss(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
END
}
# Milliseconds of user time, bytes and kernels of a chain of $1 layers: the least of $2 runs.
measure() {
    chain "$1" >chain.nn
    local least="" t
    TIMEFORMAT=%U
    for _ in $(seq "$2"); do
        t=$({ time "$NNC" chain.nn -o chain.c 2>error; } 2>&1) || { cat error >&2; exit 1; }
        t=$(awk "BEGIN { print int(1000 * $t) }")
        if [ -z "$least" ] || [ "$t" -lt "$least" ]; then least=$t; fi
    done
    echo "$least $(wc -c <chain.c) $(grep -c '^static void nn_k_' chain.c)"
}
read -r none none_bytes none_kernels < <(measure 1 5)
read -r few few_bytes few_kernels < <(measure 100 5)
read -r many many_bytes many_kernels < <(measure 1000 3)
echo "1, 100, 1000 layers: $none, $few, $many ms; $none_bytes, $few_bytes, $many_bytes bytes;" \
    "$none_kernels, $few_kernels, $many_kernels kernels"
# (many - none) / 999 <= 2 * (few - none) / 99, with 20 ms for the clock
(((many - none) * 99 <= 2 * (few - none + 20) * 999)) || { echo "FAILED: time per layer grows"; failed=1; }
(((many_bytes - none_bytes) * 99 <= 2 * (few_bytes - none_bytes) * 999)) || { echo "FAILED: text grows"; failed=1; }
[ "$few_kernels" = "$many_kernels" ] || { echo "FAILED: equal layers have kernels of their own"; failed=1; }
# C compilers take more than linear time for a long function.
grep -q '^static NN_NOINLINE void nn_steps_Step_step_9(' chain.c ||
    { echo "FAILED: the steps of 1,000 layers are few functions"; failed=1; }
exit $failed
