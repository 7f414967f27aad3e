"""A case: text that is Python and the language, the tensors that it is called on, and what is compared."""

import dataclasses
import re
import zlib

KEPT_CASES = 2  # of each row, in the fixtures


@dataclasses.dataclass
class Case:
    row: str  # torch's name: "nn.GRU", "F.pad", "torch.kron", "optim.Adam"
    index: int
    kind: str  # "layer", "function" or "optimizer"
    arguments: str
    call: str = ""
    inputs: list = dataclasses.field(default_factory=list)
    train: bool = True
    special: bool = False  # a sample with NaN, infinities and signed zeros
    special_gradients: bool = True  # compare gradients there too
    zero: str = ""  # a sample with this dim 0
    no_gradient: bool = False
    condition: float = 1.0  # of the row: the bound is this much wider; the table of cases says why
    rounded: bool = False  # torch rounds a constant of the derivative to f32
    views = False  # inputs lie transposed and are read through views; no field, as below
    wide = False  # the result is f64 where the library's default is f32
    given = None  # [(shape, numbers)] of the inputs, where they are not drawn; no field, so that digests stay

    @property
    def key(self):
        return f"{self.row}#{self.index}"

    @property
    def symbol(self):
        return re.sub(r"\W", "_", f"P_{self.row}_{self.index}")

    @property
    def constructor(self):
        return f"{self.row}({self.arguments})" if self.kind == "layer" else None

    @property
    def kept(self):
        return self.index < KEPT_CASES and not self.views

    def text(self, parameters):
        return f"{self.row}({parameters}{', ' if self.arguments else ''}{self.arguments})"

    def digest(self):
        """Of all that torch's results depend on."""
        return zlib.crc32(repr(dataclasses.asdict(self)).encode())


@dataclasses.dataclass
class GivenCase(Case):
    """A call with tensors of its own: one sample, fixed extents."""

    given: list = dataclasses.field(default_factory=list)

    @property
    def wide(self):
        return self.row in ("double", "float_power")


class Table:
    """Rows, in order; every row is declared once."""

    def __init__(self):
        self.cases = []
        self.rows = set()

    def add(self, row, kind, inputs, items, options):
        if row in self.rows:
            raise ValueError(f"{row} is declared twice")
        self.rows.add(row)
        views = options.pop("views", kind != "optimizer")
        for index, item in enumerate(items):
            text, own = (item, {}) if isinstance(item, str) else item
            settings = dict(options, **own)
            tensors = settings.pop("inputs", inputs)
            call = settings.pop("call", "m(x0)")
            if kind == "function":
                call = text if text.startswith("(") or row + "(" in text else f"{row}({text})"
            self.cases.append(
                Case(row, index, kind, text, call if kind != "optimizer" else "",
                     [t.strip() for t in tensors.split(";") if t.strip()], **settings)
            )  # fmt: skip

        if views:
            self.add_views([case for case in self.cases if case.row == row])

    def add_views(self, cases):
        """Another case of the row: the first one whose tensors have two axes, which lie the other way around."""
        for case in cases:
            swapped, call = [], case.call
            for i, spec in enumerate(case.inputs):
                kind, colon, extents = spec.rpartition(":")
                words = extents.split()
                if len(words) > 1 and re.search(rf"\bx{i}\b", call):
                    words[-2:] = reversed(words[-2:])
                    call = re.sub(rf"\bx{i}\b", f"x{i}.transpose(-1, -2)", call)
                swapped.append(kind + colon + (" " if colon else "") + " ".join(words))
            if call == case.call:
                continue
            seen = dataclasses.replace(case, index=len(cases), call=call, inputs=swapped, special=False, zero="")
            seen.views = True
            self.cases.append(seen)
            return

    def layer(self, row, inputs, *items, **options):
        """items: arguments of the constructor, or (arguments, {"inputs", "call", "train", ...}).

        views=False: torch itself refuses transposed views there."""
        self.add(row, "layer", inputs, items, options)

    def function(self, row, inputs, *items, **options):
        """items: arguments of the call, or an expression that has the call."""
        self.add(row, "function", inputs, items, options)

    def optimizer(self, row, *items, **options):
        """items: arguments behind the parameters."""
        self.add(row, "optimizer", "", items, options)


def evenly(items, count):
    """At most `count` of the items: the first, the last, and between them at equal distances."""
    if len(items) <= count:
        return list(items)
    return [items[i * (len(items) - 1) // max(count - 1, 1)] for i in range(count)]
