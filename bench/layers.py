"""Single layers of bench/models/layers.nn beside torch: bench/run --layers [NAME...].

In every round each side runs for some time, in turn; given are the fastest calls in microseconds and the median over
rounds of the ratio of the fastest.  Ours is the call of the entry, from C (nnc bench); torch's the call from Python.
Values are not compared here: tests/parity does that.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "models", "layers.nn")
# Rows that are a model of their own, whose sizes only the call knows.
SIZED = {"resnet18": (os.path.join(HERE, "..", "examples", "resnet18.nn"), ["N=1", "H=224", "W=224"])}
THREADS, ROUNDS, SECONDS = 2, 5, 0.3


def images():
    return torch.randn(8, 64, 56, 56)


class Residual(nn.Module):
    """Two convolutions beside a way past them."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.past = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.past = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.second(self.first(x)) + self.past(x))


def resnet18():
    stages = [Residual(a, b, s) for a, b, s in ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2),
                                                (256, 256, 1), (256, 512, 2), (512, 512, 1))]
    return nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                         *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).eval()


def layers():
    """name -> (layer, its inputs)"""
    x = torch.randn(1024, 1024)
    heads = [torch.randn(4, 8, 256, 64) for _ in range(3)]
    batch_norm = nn.BatchNorm2d(64).eval()
    lstm = nn.LSTM(128, 128)
    return {
        "softmax": (lambda x: torch.softmax(x, -1), [x]),
        "layer_norm": (nn.LayerNorm(1024), [x]),
        "gelu": (F.gelu, [x]),
        "cumsum": (lambda x: torch.cumsum(x, -1), [x]),
        "sort": (lambda x: torch.sort(x)[0], [torch.randn(256, 1024)]),
        "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), heads),
        "lstm": (lambda x: lstm(x)[0], [torch.randn(64, 16, 128)]),
        "max_pool": (lambda x: F.max_pool2d(x, 2), [images()]),
        "batch_relu": (lambda x: F.relu(batch_norm(x)), [images()]),
        "group_norm": (nn.GroupNorm(8, 64), [images()]),
        "depthwise": (nn.Conv2d(64, 64, 3, padding=1, groups=64), [images()]),
        "conv": (nn.Conv2d(64, 64, 3, padding=1), [torch.randn(4, 64, 56, 56)]),
        "pointwise": (nn.Conv2d(64, 128, 1), [torch.randn(8, 64, 28, 28)]),
        "transposed": (nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), [torch.randn(4, 64, 16, 16)]),
        "resize": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), [torch.randn(8, 16, 32, 32)]),
        "embedding": (nn.Embedding(10000, 256), [torch.randint(0, 10000, (32, 128))]),
        "resnet18": (resnet18(), [torch.randn(1, 3, 224, 224)]),
    }


def ours(name, count):
    """Seconds of the fastest call."""
    names = ["q", "k", "v"] if count == 3 else ["x"]
    values = "randint:10000" if name == "embedding" else "randn"
    model, binds = SIZED.get(name, (MODEL, []))
    argv = [os.environ["NNC"], "bench", f"{model}:{name}", f"--seconds={SECONDS}", f"--threads={THREADS}", "--format=json"]
    argv += [f"--bind={bind}" for bind in binds]
    done = subprocess.run(argv + [f"--input={n}={values}" for n in names], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["call"]["fastest_seconds"]


def theirs(layer, inputs):
    fastest, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.perf_counter()
        layer(*inputs)
        fastest = min(fastest, time.perf_counter() - began)
    return fastest


def main():
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    every = layers()
    print("| layer | nnc | torch | ratio |\n|---|---|---|---|")
    with torch.inference_mode():
        for name in sys.argv[1:] or every:
            layer, inputs = every[name]
            pairs = [(ours(name, len(inputs)), theirs(layer, inputs)) for _ in range(ROUNDS)]
            ratio = statistics.median(b / a for a, b in pairs)
            a, b = (min(column) * 1e6 for column in zip(*pairs))
            print(f"| {name} | {a:.0f} | {b:.0f} | {ratio:.2f}x |", flush=True)


if __name__ == "__main__":
    main()
