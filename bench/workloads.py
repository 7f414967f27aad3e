"""The rows of the benchmark: model, entry, batches, parameters, inputs, and the floor under the time.

A row knows nothing of who runs it.  Parameters and inputs are the same numbers for everyone, drawn here.
"""

from dataclasses import dataclass

import numpy as np

MLP = "linear_relu_stack."


def mlp_parameters():
    shapes = {}
    for index, (inputs, outputs) in {0: (784, 512), 2: (512, 512), 4: (512, 10)}.items():
        shapes[f"{MLP}{index}.weight"] = (outputs, inputs)
        shapes[f"{MLP}{index}.bias"] = (outputs,)
    return shapes


def lenet_parameters():
    return {
        "conv1.weight": (6, 1, 3, 3), "conv1.bias": (6,),
        "conv2.weight": (16, 6, 3, 3), "conv2.bias": (16,),
        "fc1.weight": (120, 576), "fc1.bias": (120,),
        "fc2.weight": (84, 120), "fc2.bias": (84,),
        "fc3.weight": (10, 84), "fc3.bias": (10,),
    }  # fmt: skip


@dataclass(frozen=True)
class Network:
    model: str  # file in bench/models
    parameters: dict  # name -> shape
    sample: tuple  # shape of one input
    multiply_adds: int  # of one sample, forward
    first_layer: int  # of these, in the first layer: it needs no gradient of its input

    def count(self):
        return sum(int(np.prod(shape)) for shape in self.parameters.values())


NETWORKS = {
    "mlp": Network("mlp.nn", mlp_parameters(), (28, 28), 668672, 401408),
    "lenet": Network("lenet.nn", lenet_parameters(), (1, 32, 32), 274656, 48600),
}


@dataclass(frozen=True)
class Row:
    name: str
    network: str
    prefix: str  # of the emitted model
    entry: str
    batches: tuple
    optimizer: str = ""  # "", "sgd" or "adam"
    learning_rate: float = 0.0

    def floor(self, batch, fma, bandwidth, call):
        """Seconds below which no f32 code without a cheaper algorithm gets, by the ceilings of the machine: products,
        the memory where weights stay between calls (L3, of a GPU L2), and what a call costs that does nothing."""
        network = NETWORKS[self.network]
        weights = 4 * network.count()
        forward = 2 * network.multiply_adds * batch
        if not self.optimizer:
            return call + max(forward / fma, weights / bandwidth)
        flops = 3 * forward - 2 * network.first_layer * batch
        moved = {"sgd": 2, "adam": 6}[self.optimizer] * weights
        return call + flops / fma + moved / bandwidth


ROWS = (
    Row("mlp-infer", "mlp", "mlp", "mlp", (1, 64, 1024)),
    Row("mlp-sgd", "mlp", "MlpSgd", "step", (1, 64, 1024), "sgd", 1e-2),
    Row("mlp-adam", "mlp", "MlpAdam", "step", (1, 64, 1024), "adam", 1e-3),
    Row("lenet-infer", "lenet", "lenet", "lenet", (1, 64)),
    Row("lenet-sgd", "lenet", "LenetSgd", "step", (1, 64), "sgd", 1e-2),
)
ROW = {row.name: row for row in ROWS}
GPU_BATCHES = (1, 64, 1024)

# Larger than usual, at the same cost: where a gradient is all rounding, 1e-8 makes an update of it that no two
# implementations share, and parameters could not be compared.
ADAM_EPSILON = 1e-4
CHECK_STEPS = 5  # losses of so many training steps are compared, and the parameters after the first
RESET_STEPS = 100  # training starts again after so many: a net that has learnt its batch has gradients that vanish
# Seeds whose numbers give no ReLU of the MLP an input within 9e-7 of zero: there the derivative jumps, and rounding
# decides which side an implementation takes.
SEEDS = {("mlp", 1): 1, ("mlp", 64): 2, ("mlp", 1024): 23}


def draw(row, batch):
    """Parameters as torch initialises them (uniform, by the fan-in), inputs and labels."""
    network = NETWORKS[row.network]
    random = np.random.default_rng(SEEDS.get((row.network, batch), 1))
    parameters = {}
    for name, shape in network.parameters.items():
        weight = network.parameters[name.replace(".bias", ".weight")]
        bound = 1 / np.sqrt(np.prod(weight[1:]))
        parameters[name] = random.uniform(-bound, bound, shape).astype(np.float32)
    x = random.uniform(0, 1, (batch, *network.sample)).astype(np.float32)
    return parameters, x, random.integers(0, 10, batch)
