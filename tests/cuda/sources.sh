#!/usr/bin/env bash
# Who reads a .cu file finds the model in it: kernels are named after the module whose work they begin with, and the
# comment above each names the lines of the model that it fuses, all of them and no others.
. "$SOURCE_DIR/tests/expect.bash"
fail() { echo "FAIL: $*" && failed=1; }
cat >net.nn <<'END'
module Net {
    self.trunk = nn.Sequential(
        nn.Linear(40, 24),
        nn.Tanh(),
    )
    self.head = nn.Linear(24, 10)
    def forward(self, x: f32[N, 40]) -> f32[N, 10] {
        h = self.trunk(x)
        # A line of its own, which no kernel has.
        h = 2 * h
        s = torch.abs(h) + 1
        return self.head(s) * 3
    }
}

export Net() as net

train Fit {
    self.net = Net()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, x: f32[N, 40]) -> (loss: f32) {
        y = self.net(x)
        loss = (y * y).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
END
# The kernels that an entry launches, in order: name, lines.
kernels_of() { # file, function of the steps
    awk -v steps="$2" '
        / \*\/$/ && /^\/\* / { comment = $0 }
        /__device__ __forceinline__ void nn_k_k[0-9]/ {
            name = $0
            sub(/.* nn_k_k/, "", name)
            sub(/\(.*/, "", name)
            number = name + 0
            sub(/^[0-9]+_?/, "", name)
            lines = "-"
            if (match(comment, /; [^;]*\.nn lines? [0-9, ]+ \*\/$/)) {
                lines = substr(comment, RSTART + 2, RLENGTH - 5)
                gsub(/, /, ",", lines)
                sub(/ lines? /, ":", lines)
            }
            kernel[number] = name " " lines
            comment = ""
        }
        $0 ~ "^static void nn_steps_" steps "\\(" { inside = 1 }
        inside && match($0, /nn_launch(_[0-9]+)+/) && / nn_launch\(ctx, / {
            count = split(substr($0, RSTART + 10, RLENGTH - 10), id, "_")
            for (i = 1; i <= count; i++) print id[i] in kernel ? kernel[id[i]] : "none"
        }
        /^}/ { inside = 0 }' "$1"
}
"$NNC" net.nn -o net.cu || exit 1
kernels_of net.cu net_cuda >inference
diff - inference <<'END' || fail "the kernels of the entry (what should be: <)"
trunk_0_contract_add net.nn:8,10,11
head_contract_mul net.nn:12
END
# What is computed where it is read has its line there too: the gradient of y * y with the product behind it.
kernels_of net.cu Fit_cuda_step >step
for what in 'net_trunk_0_contract_.* net.nn:8,10,11' 'net_head_contract_mul net.nn:12,23' 'sum net.nn:12,23' \
    'net_head_contract_sub net.nn:12,26' 'net_trunk_0_contract_sub net.nn:8,26'; do
    grep -qx "$what" step || fail "no kernel $what in: $(cat step)"
done

# A fresh value is named after its cell, at the line that declares it; a check of ids after its argument, at the line that
# looks them up.
cat >table.nn <<'END'
module Table {
    param scale: f32[8] = init.normal()
    self.rows = nn.Embedding(5, 8)
    def forward(self, ids: i64[N]) -> f32[N, 8] {
        x = self.rows(ids)
        return x * self.scale
    }
}
export Table() as table
END
"$NNC" table.nn -o table.cu || exit 1
kernels_of table.cu table_cuda_init >init
grep -q '^scale_.* table.nn:2$' init && grep -q '^rows_weight_.* table.nn:3$' init && [ "$(wc -l <init)" = 2 ] || fail "init: $(cat init)"
kernels_of table.cu table_cuda >inference
[ "$(head -1 inference)" = 'ids_any table.nn:5' ] || fail "the check of ids: $(cat inference)"

# Of the examples: every kernel has lines, which are there and hold code; every layer with weights has a kernel, in
# inference, training and update; and its weights have one for fresh values.
example() { # file, entries, layers
    local model=$SOURCE_DIR/examples/$1.nn entry layer line wanted
    "$NNC" "$model" -o "$1.cu" || exit 1
    for entry in $2; do
        wanted=$3
        case $entry in *_init) wanted= && for layer in $3; do wanted="$wanted ${layer}_weight"; done ;; esac
        kernels_of "$1.cu" "$entry" >list
        [ -s list ] || fail "$1: no kernels of $entry"
        grep ' -$\|^none$' list && fail "$1, $entry: these have no lines"
        for line in $(sed 's/.*://; s/,/ /g' list | grep '^[0-9]' | tr ' ' '\n' | sort -un); do
            sed -n "${line}p" "$model" | grep -q '^ *[^ #]' || fail "$1, $entry: there is nothing in line $line"
        done
        for layer in $wanted; do grep -q "^[a-z_]*${layer}_" list || fail "$1, $entry: no kernel of $layer"; done
    done
}
example fashion_mnist "fashion_mnist_cuda fashion_mnist_cuda_init FashionMnist_cuda_step FashionMnist_cuda_eval" \
    "model_linear_relu_stack_0 model_linear_relu_stack_2 model_linear_relu_stack_4"
example lenet "lenet_cuda lenet_cuda_init LeNet_cuda_step" "conv1 conv2 fc1 fc2 fc3"
example custom "Regression_cuda_step Regression_cuda_init" "net_norm net_fc"
exit $failed
