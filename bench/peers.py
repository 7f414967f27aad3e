"""How each peer runs a row, at its best settings.

A class has `prepare(case)`, after which `call()` runs the row once and returns when it is done, `reset()` puts the
parameters and the optimizer's state back (training rows), `output()` is the result of the last call and
`parameters()` the present ones.  Nothing but `call` is measured.  `ENVIRONMENT` is set before the process starts.
"""

import ctypes
import os

import numpy as np
from workloads import ADAM_EPSILON, NETWORKS


MATMUL_PRECISION = {"f32": "highest", "tf32": "high", "bf16": "medium"}  # torch's names


class Case:
    """A row at one batch size with its numbers."""

    def __init__(self, row, batch, threads, device, precision, parameters, x, label, folder):
        self.row, self.batch, self.threads = row, batch, threads
        self.device, self.precision = device, precision
        self.initial, self.x, self.label, self.folder = parameters, x, label, folder
        self.network = NETWORKS[row.network]


def openmp(threads):
    """Threads bound, and spinning between calls (up to about a second)."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_PROC_BIND": "true",
        "OMP_WAIT_POLICY": "active",
        "GOMP_SPINCOUNT": "1000000000",
        "KMP_BLOCKTIME": "1000",
    }


class Ours:
    """Emitted code and the runtime; the loop over the calls is C as well (ours.c)."""

    allowed = bench = None

    def environment(threads):
        return {"NNC_PIN": "1"}

    def prepare(self, case):
        # An earlier row has bound this thread to one processor; the pool has to see all of them.
        Ours.allowed = Ours.allowed or os.sched_getaffinity(0)
        os.sched_setaffinity(0, Ours.allowed)
        pointer, integer = ctypes.c_void_p, ctypes.c_int64
        self.library = ctypes.CDLL(case.folder + "/ours.so")
        self.library.bench_open.restype = self.library.bench_error.restype = pointer
        self.library.bench_burst.restype = integer
        self.case = case
        self.x = np.ascontiguousarray(case.x)
        self.label = np.ascontiguousarray(case.label, np.int64)
        arguments = (pointer * 2)(self.x.ctypes.data, self.label.ctypes.data)
        names = [f"{case.folder}/{case.row.network}.so", case.row.prefix, case.row.entry, f"{case.folder}/weights"]
        self.bench = pointer(
            self.library.bench_open(
                *(name.encode() for name in names), case.threads, integer(case.batch), arguments
            )
        )
        error = ctypes.string_at(self.library.bench_error(self.bench)).decode()
        if error:
            raise RuntimeError(error)

    def close(self):
        if self.bench:
            self.library.bench_close(self.bench)

    def reset(self):
        self.library.bench_reset(self.bench)

    def call(self):
        status = self.library.bench_call(self.bench)
        if status:
            raise RuntimeError(f"the entry returned {status}")

    def output(self):
        out = np.empty(() if self.case.row.optimizer else (self.case.batch, 10), np.float32)
        if self.library.bench_result(self.bench, out.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(out.nbytes)):
            raise RuntimeError("the first result has another size")
        return out

    def parameters(self):
        found = {}
        for name, value in self.case.initial.items():
            found[name] = np.empty_like(value)
            data = found[name].ctypes.data_as(ctypes.c_void_p)
            if self.library.bench_cell(self.bench, name.encode(), data, ctypes.c_size_t(value.nbytes)):
                raise RuntimeError(f"no parameter {name}")
        return found

    def burst(self, warm, seconds, steps):
        times = np.empty(1 << 20, np.int64)
        count = self.library.bench_burst(
            self.bench, ctypes.c_double(warm), ctypes.c_double(seconds), ctypes.c_int64(steps),
            times.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(times.size),
        )  # fmt: skip
        if count < 0:
            raise RuntimeError(f"the entry returned {-count}")
        return times[:count]


def torch_network(name):
    import torch
    from torch import nn
    from torch.nn import functional as F

    if name == "mlp":

        class Mlp(nn.Module):
            def __init__(self):
                super().__init__()
                self.flatten = nn.Flatten()
                self.linear_relu_stack = nn.Sequential(
                    nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
                )

            def forward(self, x):
                return self.linear_relu_stack(self.flatten(x))

        return Mlp()

    class Lenet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 3)
            self.conv2 = nn.Conv2d(6, 16, 3)
            self.fc1 = nn.Linear(576, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, 10)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            x = torch.flatten(x, 1)
            x = F.relu(self.fc1(x))
            x = F.relu(self.fc2(x))
            return self.fc3(x)

    return Lenet()


class TorchEager:
    """On a GPU parameters, inputs and results stay there, and a call lasts until its end."""

    compiled = None  # mode of torch.compile
    double = False
    guard = None

    def environment(threads):
        return openmp(threads)

    def prepare(self, case):
        import torch

        self.torch, self.case = torch, case
        torch.set_num_threads(case.threads)
        torch.set_float32_matmul_precision(MATMUL_PRECISION[case.precision])
        torch.backends.cudnn.allow_tf32 = case.precision != "f32"
        self.place = torch.device("cpu" if self.double else case.device)
        to = {"device": self.place, "dtype": torch.float64 if self.double else torch.float32}
        self.model = torch_network(case.row.network).to(**to)
        self.initial = {name: torch.from_numpy(value).to(**to) for name, value in case.initial.items()}
        self.x = torch.from_numpy(case.x).to(**to)
        self.label = torch.from_numpy(case.label).to(self.place)
        self.model.load_state_dict(self.initial)
        if case.row.optimizer:
            self.prepare_step(case)
        else:
            self.prepare_forward()

    def wait(self):
        if self.place.type == "cuda":
            self.torch.cuda.synchronize()

    def prepare_forward(self):
        torch = self.torch
        self.model.eval()
        forward, x = self.model, self.x
        if self.compiled:
            torch._dynamo.reset()
            torch._inductor.config.freezing = True
            torch._inductor.config.cpp_wrapper = self.place.type == "cpu"
            forward = torch.compile(self.model, mode=self.compiled, dynamic=False)
        # One guard for all calls, as a serving loop would have it.
        self.guard = torch.inference_mode() if not self.compiled else torch.no_grad()
        self.guard.__enter__()
        self.result = None

        def call():
            self.result = forward(x)
            self.wait()

        self.call = call

    def prepare_step(self, case):
        torch = self.torch
        model, x, label = self.model, self.x, self.label
        loss_fn = torch.nn.CrossEntropyLoss()
        kind = torch.optim.SGD if case.row.optimizer == "sgd" else torch.optim.Adam
        more = {"eps": ADAM_EPSILON} if case.row.optimizer == "adam" else {}
        self.optimizer = optimizer = kind(model.parameters(), lr=case.row.learning_rate, fused=True, **more)
        self.result = None

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = loss_fn(model(x), label)
            loss.backward()
            optimizer.step()
            return loss

        if self.compiled:
            torch._dynamo.reset()
            torch._inductor.config.freezing = False
            torch._inductor.config.cpp_wrapper = self.place.type == "cpu"
            step = torch.compile(step, mode=self.compiled, dynamic=False)

        def call():
            self.result = step()
            self.wait()

        self.call = call

    def close(self):
        if self.guard:
            self.guard.__exit__(None, None, None)

    def reset(self):
        with self.torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self.initial[name])
                for state in self.optimizer.state[parameter].values():
                    if self.torch.is_tensor(state):
                        state.zero_()

    def output(self):
        return self.result.detach().cpu().numpy().copy()

    def parameters(self):
        return {name: value.detach().cpu().numpy().copy() for name, value in self.model.named_parameters()}


class TorchCompile(TorchEager):
    compiled = "max-autotune"

    def environment(threads):
        return openmp(threads) | {
            "TORCHINDUCTOR_FREEZING": "1",
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "TORCHINDUCTOR_CACHE_DIR": os.environ["NNC_BENCH_VENV"] + "/inductor",
        }


class TorchReduceOverhead(TorchCompile):
    """The launches of a call as one CUDA graph."""

    compiled = "reduce-overhead"


class Reference(TorchEager):
    """The same row in f64 on the processor, to compare everyone with."""

    double = True


def onnx_bytes(case):
    """The network as ONNX, written here: the same operators that torch would export."""
    from onnx import TensorProto, helper, numpy_helper

    weights = [numpy_helper.from_array(value, name) for name, value in case.initial.items()]
    nodes = []

    def node(kind, inputs, **attributes):
        nodes.append(helper.make_node(kind, inputs, [f"t{len(nodes)}"], **attributes))
        return f"t{len(nodes) - 1}"

    def linear(name, value):
        return node("Gemm", [value, name + ".weight", name + ".bias"], transB=1)

    if case.row.network == "mlp":
        value = node("Flatten", ["x"], axis=1)
        for index in (0, 2, 4):
            value = linear(f"linear_relu_stack.{index}", value)
            if index < 4:
                value = node("Relu", [value])
    else:
        value = "x"
        for name in ("conv1", "conv2"):
            value = node("Relu", [node("Conv", [value, name + ".weight", name + ".bias"], kernel_shape=[3, 3])])
            value = node("MaxPool", [value], kernel_shape=[2, 2], strides=[2, 2])
        value = node("Flatten", [value], axis=1)
        for name in ("fc1", "fc2"):
            value = node("Relu", [linear(name, value)])
        value = linear("fc3", value)
    nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        nodes, case.row.network,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, case.x.shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [case.batch, 10])],
        weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


class OnnxRuntime:
    """All optimizations, sequential, spinning workers, input and output bound once."""

    def environment(threads):
        return {}

    def prepare(self, case):
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = case.threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        self.session = ort.InferenceSession(onnx_bytes(case), options, providers=["CPUExecutionProvider"])
        self.out = np.empty((case.batch, 10), np.float32)
        binding = self.session.io_binding()
        x = case.x
        binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
        binding.bind_output("logits", "cpu", 0, np.float32, self.out.shape, self.out.ctypes.data)
        self.x, self.binding = x, binding
        # The session's own method: the public one only wraps it.
        run, inner = self.session._sess.run_with_iobinding, binding._iobinding
        self.call = lambda: run(inner, None)

    def output(self):
        return self.out.copy()


class OpenVino:
    """Latency hint, f32, pinned threads; input and output tensors are shared memory, set once."""

    def environment(threads):
        return {}

    def prepare(self, case):
        import openvino as ov

        core = ov.Core()
        self.compiled = core.compile_model(
            core.read_model(onnx_bytes(case)),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": case.threads,
                "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32",
                "ENABLE_CPU_PINNING": True,
            },
        )
        self.request = self.compiled.create_infer_request()
        self.x, self.out = case.x, np.empty((case.batch, 10), np.float32)
        self.request.set_input_tensor(ov.Tensor(self.x, shared_memory=True))
        self.request.set_output_tensor(ov.Tensor(self.out, shared_memory=True))
        start, wait = self.request.start_async, self.request.wait

        def call():
            start()
            wait()

        self.call = call

    def output(self):
        return self.out.copy()


class Jax:
    """jit; weights are constants of an inference, and donated by a training step."""

    def environment(threads):
        many = "true" if threads > 1 else "false"
        flags = f"--xla_cpu_multi_thread_eigen={many} intra_op_parallelism_threads={threads}"
        return {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}

    def prepare(self, case):
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_cpu_enable_async_dispatch", False)
        self.jax, self.jnp, self.case = jax, jnp, case
        x, label = jnp.array(case.x), jnp.array(case.label.astype(np.int32))
        network = self.mlp if case.row.network == "mlp" else self.lenet
        self.result = None
        if not case.row.optimizer:
            weights = {name: jnp.array(value) for name, value in case.initial.items()}
            forward = jax.jit(lambda x: network(weights, x))

            def call():
                self.result = forward(x).block_until_ready()

            self.call = call
            return

        def loss_of(p, x, label):
            logits = jax.nn.log_softmax(network(p, x))
            return -jnp.take_along_axis(logits, label[:, None], 1).mean()

        update = self.sgd if case.row.optimizer == "sgd" else self.adam
        rate = case.row.learning_rate

        def step(state, x, label):
            loss, gradient = jax.value_and_grad(loss_of)(state["p"], x, label)
            return loss, update(state, gradient, rate)

        step = jax.jit(step, donate_argnums=0)

        def call():
            loss, self.state = step(self.state, x, label)
            self.result = loss.block_until_ready()

        self.call = call
        self.reset()

    def mlp(self, p, x):
        relu = self.jax.nn.relu
        x = x.reshape(x.shape[0], 784)
        for index in (0, 2, 4):
            x = x @ p[f"linear_relu_stack.{index}.weight"].T + p[f"linear_relu_stack.{index}.bias"]
            x = relu(x) if index < 4 else x
        return x

    def lenet(self, p, x):
        lax, relu = self.jax.lax, self.jax.nn.relu
        for name in ("conv1", "conv2"):
            x = lax.conv_general_dilated(x, p[name + ".weight"], (1, 1), "VALID")
            x = relu(x + p[name + ".bias"][:, None, None])
            x = lax.reduce_window(x, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        x = x.reshape(x.shape[0], -1)
        for name in ("fc1", "fc2", "fc3"):
            x = x @ p[name + ".weight"].T + p[name + ".bias"]
            x = relu(x) if name != "fc3" else x
        return x

    def sgd(self, state, gradient, rate):
        return {"p": {name: p - rate * gradient[name] for name, p in state["p"].items()}}

    def adam(self, state, gradient, rate):
        jnp, t = self.jnp, state["t"] + 1
        m = {name: 0.9 * m + 0.1 * gradient[name] for name, m in state["m"].items()}
        v = {name: 0.999 * v + 0.001 * gradient[name] ** 2 for name, v in state["v"].items()}
        size, root = rate / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        p = {name: p - size * m[name] / (jnp.sqrt(v[name]) / root + ADAM_EPSILON) for name, p in state["p"].items()}
        return {"p": p, "m": m, "v": v, "t": t}

    def reset(self):
        jnp, initial = self.jnp, self.case.initial
        state = {"p": {name: jnp.array(value) for name, value in initial.items()}}
        if self.case.row.optimizer == "adam":
            state["m"] = {name: jnp.zeros(value.shape, jnp.float32) for name, value in initial.items()}
            state["v"] = {name: jnp.zeros(value.shape, jnp.float32) for name, value in initial.items()}
            state["t"] = jnp.zeros((), jnp.float32)
        self.state = self.jax.block_until_ready(state)

    def output(self):
        return np.array(self.result)

    def parameters(self):
        return {name: np.array(value) for name, value in self.state["p"].items()}


PEERS = {
    "ours": Ours,
    "torch-eager": TorchEager,
    "torch-compile": TorchCompile,
    "torch-reduce-overhead": TorchReduceOverhead,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "jax": Jax,
    "reference": Reference,
}
TRAINS = {"ours", "torch-eager", "torch-compile", "torch-reduce-overhead", "jax", "reference"}
SELECTABLE = {
    "cpu": ["torch-eager", "torch-compile", "onnxruntime", "openvino", "jax"],
    "cuda": ["torch-eager", "torch-reduce-overhead", "torch-compile"],
}
