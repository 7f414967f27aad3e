"""Cases of torch's own operator database: every sample of an OpInfo as a call that is both Python and the language.

Tensors of a sample become inputs with fixed extents, its floating numbers rounded to f32; every other argument becomes
a literal.  A sample that has no such text, or whose text is another computation for torch than the OpInfo's, is
`Uncovered` and says why.  Samples are drawn after torch.manual_seed, so that the cases are the same in every run.
"""

import collections
import math
import warnings

import reference
import torch
from case import GivenCase, evenly
from report import signature_of
from torch.utils import _pytree

warnings.filterwarnings("ignore")
torch.set_num_threads(1)  # of small tensors, threads only wait

FLOATS = (torch.float64, torch.float32)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
# At most so many samples of an OpInfo by dtype; what i64 and bool add is promotion, and a few of each show it.
DTYPES = {torch.float64: 64, torch.int64: 12, torch.bool: 6}
MAX_NUMBERS = 20000  # in the tensors of a sample
WITHOUT_MEANING = {"device", "layout", "pin_memory", "memory_format", "requires_grad"}  # no value depends on these
SWAPPED = {"__radd__": "+", "__rsub__": "-", "__rmul__": "*", "__rdiv__": "/", "__rmod__": "%", "__rpow__": "**",
           "__rmatmul__": "@", "__rand__": "&", "__ror__": "|", "__rxor__": "^"}  # fmt: skip
# The OpInfo takes the differentiable tensor first, torch's function does not.
REORDERED = {"einsum": lambda first, rest: [rest[0], first], "nn.functional.embedding": lambda first, rest: [rest[0], first, *rest[1:]],
             "nn.functional.embedding_bag": lambda first, rest: [rest[0], first, *rest[1:]],
             "polygamma": lambda first, rest: [rest[0], first], "special.polygamma": lambda first, rest: [rest[0], first]}  # fmt: skip
ANY_OF_EQUAL = {"topk", "kthvalue", "sort", "argsort"}  # which of equal elements stands first is not defined for these
LARGE = 100  # elements, from which on torch's sort of a mode takes any of equal ones
# torch's derivatives are coarser than f64: a constant is rounded to f32, a series ends at 1e-9.
ROUNDED = {"nn.functional.hardsigmoid", "digamma"}
# Samples hold 1e4: their rounding, 1e4 units, goes through exp into the derivative.
CONDITIONS = {"logcumsumexp": 20.0}
ATTRIBUTES = {"T", "H", "mT", "mH", "real", "imag"}


class Uncovered(Exception):
    """Why a sample has no case."""


class Text:
    """A sample's arguments as text; the tensors in them, in order, as x0, x1, ..."""

    def __init__(self):
        self.tensors = []

    def of(self, value):
        if isinstance(value, torch.Tensor):
            return self.tensor(value)
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        if isinstance(value, float):
            return repr(value) if math.isfinite(value) else "math.nan" if value != value else "math.inf" if value > 0 else "-math.inf"
        if isinstance(value, torch.dtype):
            return self.dtype(value)
        if isinstance(value, (list, tuple)):
            inside = ", ".join(self.of(part) for part in value)
            if isinstance(value, list):
                return f"[{inside}]"
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        if isinstance(value, complex):
            raise Uncovered("complex numbers")
        if hasattr(value, "item") and getattr(value, "shape", None) == ():
            return self.of(value.item())
        if callable(value) and getattr(torch.nn.functional, getattr(value, "__name__", ""), None) is value:
            return "F." + value.__name__
        raise Uncovered("functions as arguments" if callable(value) else f"arguments of {type(value).__name__}")

    def dtype(self, value):
        if value in FLOATS:
            return "f32"
        words = {v: k for k, v in reference.WORDS.items()}
        if value not in words:
            raise Uncovered("complex numbers" if value.is_complex else "half precision")
        return words[value]

    def tensor(self, value):
        for i, known in enumerate(self.tensors):
            if known is value:
                return f"x{i}"
        if value.layout != torch.strided or value.is_quantized:
            raise Uncovered("sparse tensors")
        if value.dtype.is_complex:
            raise Uncovered("complex numbers")
        if value.dtype not in (*FLOATS, *INTEGERS, torch.bool):
            raise Uncovered("half precision")
        self.tensors.append(value)
        return f"x{len(self.tensors) - 1}"

    def index(self, value):
        if isinstance(value, tuple):
            return ", ".join(self.index(part) for part in value)
        if value is Ellipsis:
            return "..."
        if isinstance(value, slice):
            start, stop, step = ("" if part is None else self.of(part) for part in (value.start, value.stop, value.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return self.of(value)

    def arguments(self, args, kwargs):
        given = [self.of(a) for a in args]
        return given + [f"{k}={self.of(v)}" for k, v in kwargs.items() if k not in WITHOUT_MEANING]


def name_of(op):
    return op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")


def spelling(op):
    """The name under which a call stands: F.relu, torch.linalg.norm."""
    name = op.name
    if name.startswith("nn.functional."):
        return "F." + name.removeprefix("nn.functional.")
    return name if name.startswith("torch.") else "torch." + name


def has(path):
    value = {"torch": torch, "F": torch.nn.functional}[path.split(".")[0]]
    for part in path.split(".")[1:]:
        value = getattr(value, part, None)
    return callable(value)


def forms(op, sample, text):
    """Calls of a sample, the likeliest first."""
    if op.name == "__getitem__":
        return [f"{text.of(sample.input)}[{text.index(sample.args[0])}]"]
    if op.name in SWAPPED:
        x = text.of(sample.input)
        return [f"{text.of(sample.args[0])} {SWAPPED[op.name]} {x}"]
    first = text.of(sample.input)
    rest = text.arguments(sample.args, sample.kwargs)
    if op.name in REORDERED:
        return [f"{spelling(op)}({', '.join(REORDERED[op.name](first, rest))})"]
    found = []
    if op.name in ATTRIBUTES:
        found.append(f"{first}.{op.name}")
    if has(spelling(op)):
        found.append(f"{spelling(op)}({', '.join([first] + rest)})")
    if hasattr(torch.Tensor, op.name) and isinstance(sample.input, torch.Tensor):
        found.append(f"{first}.{op.name}({', '.join(rest)})")
    if not found:
        raise Uncovered("called through an operator of torch's own, not a name of the language")
    return found


def rounded(sample):
    """The sample on tensors of our own: contiguous, floating ones f64 with numbers of f32."""

    def one(value):
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.dtype.is_complex:
            return value
        held = value.detach().contiguous().clone()
        held = held.float().double() if value.dtype in FLOATS else held.long() if value.dtype in INTEGERS else held
        return held.requires_grad_(value.requires_grad)

    kept = {}  # a tensor that stands twice stays one

    def each(value):
        if id(value) not in kept:
            kept[id(value)] = (value, one(value))
        return kept[id(value)][1]

    sample.input, sample.args, sample.kwargs = _pytree.tree_map(each, (sample.input, sample.args, sample.kwargs))
    return sample


def same(left, right):
    left, right = reference.leaves(left), reference.leaves(right)
    return len(left) == len(right) and all(
        a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a.double(), b.double(), equal_nan=True)
        for (_, a), (_, b) in zip(left, right)
    )  # fmt: skip


def evaluate(call, tensors):
    scope = dict(reference.scope(), **{f"x{i}": x.detach().clone() for i, x in enumerate(tensors)})
    return eval(call, scope)


def call_of(op, sample, text, call=None):
    """The text that computes for torch what the OpInfo computes, or `call` if it does."""
    if "empty" in op.name:
        raise Uncovered("undefined values")
    candidates = forms(op, sample, text) if call is None else [call]
    if sum(x.numel() for x in text.tensors) > MAX_NUMBERS:
        raise Uncovered(f"more than {MAX_NUMBERS} numbers")
    copies = _pytree.tree_map(lambda v: v.detach().clone() if isinstance(v, torch.Tensor) else v,
                              (sample.input, sample.args, sample.kwargs))  # fmt: skip
    torch.manual_seed(1)
    try:
        wanted = op.op(copies[0], *copies[1], **copies[2])
    except (RuntimeError, TypeError, ValueError, NotImplementedError, IndexError):
        raise Uncovered("torch refuses the sample in f64")
    if any(y.layout != torch.strided for _, y in reference.leaves(wanted)):
        raise Uncovered("sparse tensors")
    if any(y.dtype.is_complex for _, y in reference.leaves(wanted)):
        raise Uncovered("complex numbers")
    for call in candidates:
        try:
            torch.manual_seed(1)
            found = evaluate(call, text.tensors)
            torch.manual_seed(2)
            again = evaluate(call, text.tensors)
        except Exception:
            continue
        if not same(found, again):
            raise Uncovered("random numbers")
        if same(found, wanted):
            return call
    raise Uncovered("the OpInfo computes something around the call")


def spec_of(tensor):
    kind = "b" if tensor.dtype == torch.bool else "i" if tensor.dtype in INTEGERS else "" if tensor.requires_grad else "d"
    return f"{kind}: {' '.join(map(str, tensor.shape))}"


def with_keywords(op, sample, text):
    """The call with the names that torch gives its arguments, or None."""
    try:
        names = [name for name, _ in signature_of(spelling(op))]
    except (TypeError, ValueError, AttributeError, NameError):
        return None
    given = [text.of(value) for value in (sample.input, *sample.args)]
    if op.name in REORDERED or not has(spelling(op)) or len(names) < len(given):
        return None
    rest = text.arguments((), sample.kwargs)
    return f"{spelling(op)}({', '.join([f'{n}={v}' for n, v in zip(names, given)] + rest)})"


def as_method(op, sample, text):
    """The call as a method of the first tensor, or None."""
    own = op.name in REORDERED or op.name.startswith("__")
    if own or not hasattr(torch.Tensor, op.name) or not isinstance(sample.input, torch.Tensor):
        return None
    return f"{text.of(sample.input)}.{op.name}({', '.join(text.arguments(sample.args, sample.kwargs))})"


def case_of(op, index, sample, form=None):
    """The sample's case; `form` is another text for the same call."""
    text = Text()
    if "hermitian" in getattr(op.gradcheck_wrapper, "__name__", ""):  # the OpInfo is of symmetric matrices
        sample.input = (sample.input + sample.input.mT).detach().requires_grad_(sample.input.requires_grad)
    sample = rounded(sample)
    call = form(op, sample, text) if form else None
    if form and call is None:
        raise Uncovered("torch has no such form")
    call = call_of(op, sample, text, call)
    given = [(list(x.shape), x.detach().reshape(-1).tolist()) for x in text.tensors]
    if any(abs(n) > 1 << 53 for x, (_, numbers) in zip(text.tensors, given) if x.dtype in INTEGERS for n in numbers):
        raise Uncovered("integers above 2^53")
    any_of_equal = op.name in ANY_OF_EQUAL and "stable=True" not in call or op.name == "mode" and len(given[0][1]) > LARGE
    if any_of_equal and any(len(set(numbers)) < len(numbers) for _, numbers in given):
        raise Uncovered("equal elements, in an order that torch does not define")
    return GivenCase(name_of(op), index, "function", "", call, [spec_of(x) for x in text.tensors], given=given,
                     rounded=op.name in ROUNDED, condition=CONDITIONS.get(op.name, 1.0))  # fmt: skip


def samples_of(op):
    for dtype, most in DTYPES.items():
        if dtype in op.dtypes:
            torch.manual_seed(0)
            differentiable = dtype.is_floating_point and op.supports_autograd
            yield from evenly(list(op.sample_inputs("cpu", dtype, requires_grad=differentiable)), most)


def cases_of(op):
    """([case], {why: how many samples have no case})."""
    cases, uncovered = [], collections.Counter()
    named = {}  # the first calls with each number of arguments, for other forms of them
    for index, sample in enumerate(samples_of(op)):
        try:
            cases.append(case_of(op, index, sample))
            named.setdefault(len(sample.args), sample)
        except Uncovered as e:
            uncovered[str(e)] += 1
    known = {case.call for case in cases}
    for form, name in ((as_method, "method"), (with_keywords, "names")):
        for index, sample in enumerate(named.values()):
            try:
                case = case_of(op, f"{name}{index}", sample, form)
            except Uncovered:
                continue
            if case.call not in known:
                cases.append(case)
    return cases, uncovered


def operators(only=""):
    from torch.testing._internal.common_methods_invocations import op_db  # takes half a minute

    return [op for op in op_db if only in name_of(op)]

