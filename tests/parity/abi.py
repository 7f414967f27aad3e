"""Calls models of nnc from Python: the tables of templates/nnc_abi.h through ctypes, standard library only.

A tensor is (dtype, shape, list of numbers), row by row.
"""

import ctypes
import struct
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p

DTYPES = ["bool", "u8", "i8", "i16", "i32", "i64", "f16", "bf16", "f32", "f64"]
FORMATS = {"bool": "B", "u8": "B", "i8": "b", "i16": "h", "i32": "i", "i64": "q", "f32": "f", "f64": "d"}
OPTIMIZER = 4  # role of a cell


class Context(ctypes.Structure):
    _fields_ = [("weights", c_void_p), ("weights_bytes", c_size_t), ("state", c_void_p), ("state_bytes", c_size_t),
                ("prepared", c_void_p), ("prepared_bytes", c_size_t), ("workspace", c_void_p),
                ("workspace_bytes", c_size_t), ("parallel", c_void_p), ("parallel_user", c_void_p), ("wait", c_void_p),
                ("threads", c_int), ("flags", c_int), ("seed", c_uint64), ("step", c_uint64), ("message", c_char_p),
                ("profile", c_void_p)]  # fmt: skip


class CellInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("role", c_int), ("dtype", c_int), ("rank", c_int), ("dims", c_int64 * 12),
                ("saved", c_int), ("line", c_int), ("aliases", c_void_p)]  # fmt: skip


class TensorInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("dtype", c_int), ("rank", c_int), ("dims", c_int64 * 12)]


class EntryInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("symbol", c_char_p), ("kind", c_int), ("dim_count", c_int),
                ("argument_count", c_int), ("result_count", c_int), ("dims", POINTER(c_char_p)),
                ("arguments", POINTER(TensorInfo)), ("results", POINTER(TensorInfo)),
                ("shape", CFUNCTYPE(c_int, POINTER(c_int64), c_int, POINTER(c_int64))),
                ("workspace_bytes", CFUNCTYPE(c_size_t, POINTER(c_int64))),
                ("call", CFUNCTYPE(c_int, POINTER(Context), POINTER(c_int64), POINTER(c_void_p), POINTER(c_void_p))),
                ("doc", c_char_p)]  # fmt: skip


class ModelInfo(ctypes.Structure):
    _fields_ = [("abi", c_int), ("name", c_char_p), ("source", c_char_p), ("is_train", c_int), ("cell_count", c_int),
                ("entry_count", c_int), ("init_dim_count", c_int), ("cells", POINTER(CellInfo)),
                ("entries", POINTER(EntryInfo)), ("weights_bytes", c_size_t), ("prepared_bytes", c_size_t),
                ("state_bytes", CFUNCTYPE(c_size_t, POINTER(c_int64))),
                ("init", CFUNCTYPE(c_int, POINTER(Context), c_uint64, POINTER(c_int64))), ("prepare", c_void_p),
                ("get", CFUNCTYPE(c_int, POINTER(Context), c_int, c_void_p, c_size_t)),
                ("set", CFUNCTYPE(c_int, POINTER(Context), c_int, c_void_p, c_size_t))]  # fmt: skip


def numel(shape):
    count = 1
    for extent in shape:
        count *= extent
    return count


class Region:
    """Memory of the caller's, aligned to 64 bytes."""

    def __init__(self, size, data=b""):
        self.raw = ctypes.create_string_buffer(size + 64)
        self.address = (ctypes.addressof(self.raw) + 63) // 64 * 64
        self.size = size
        ctypes.memmove(self.address, data, len(data))

    def bytes(self):
        return ctypes.string_at(self.address, self.size)


def pack(dtype, values):
    kind = FORMATS[dtype]
    return struct.pack(f"{len(values)}{kind}", *(values if kind in "fd" else map(int, values)))


def unpack(dtype, data):
    kind = FORMATS[dtype]
    return list(struct.unpack(f"{len(data) // struct.calcsize(kind)}{kind}", data))


class Model:
    """One root of a compiled file, with a context of its own."""

    def __init__(self, library, prefix):
        function = getattr(library, prefix + "_model")
        function.restype = POINTER(ModelInfo)
        self.info = function().contents
        self.cells = {self.info.cells[i].name.decode(): i for i in range(self.info.cell_count)}
        self.context = Context()
        self.regions = {}
        none = (c_int64 * 1)()
        for name, size in (("weights", self.info.weights_bytes), ("state", self.info.state_bytes(none)),
                           ("prepared", self.info.prepared_bytes)):  # fmt: skip
            self.place(name, size)
        self.check(self.info.init(self.context, 1, none))

    def place(self, name, size):
        self.regions[name] = Region(size)
        setattr(self.context, name, self.regions[name].address)
        setattr(self.context, name + "_bytes", size)

    def check(self, status):
        if status:
            raise RuntimeError(f"status {status}: {(self.context.message or b'').decode()}")

    def describe(self, name):
        cell = self.info.cells[self.cells[name]]
        return DTYPES[cell.dtype], tuple(cell.dims[i] for i in range(cell.rank))

    def saved(self):
        return [name for name, i in self.cells.items() if self.info.cells[i].saved]

    def set(self, name, values):
        data = pack(self.describe(name)[0], values)
        self.check(self.info.set(self.context, self.cells[name], data, len(data)))

    def get(self, name):
        dtype, shape = self.describe(name)
        region = Region(struct.calcsize(FORMATS[dtype]) * numel(shape))
        self.check(self.info.get(self.context, self.cells[name], region.address, region.size))
        return dtype, shape, unpack(dtype, region.bytes())

    def call(self, name, shapes, arguments, results):
        """Results of the entry, of which there are `results`; arguments are lists of numbers."""
        entry = next(e for e in (self.info.entries[i] for i in range(self.info.entry_count)) if e.name.decode() == name)
        extents = (c_int64 * max(entry.dim_count, 1))()
        for i, extent in enumerate(shapes):
            for axis, size in enumerate(extent):
                dim = entry.arguments[i].dims[axis]
                if -entry.dim_count <= dim < 0:
                    extents[-1 - dim] = size
        self.place("workspace", entry.workspace_bytes(extents))
        shape = (c_int64 * 12)()

        def described(which, info):
            self.check(entry.shape(extents, which, shape))
            return DTYPES[info.dtype], tuple(shape[i] for i in range(info.rank))

        given = []
        for i, values in enumerate(arguments):
            dtype, extent = described(i, entry.arguments[i])
            data = pack(dtype, values)
            if len(data) != struct.calcsize(FORMATS[dtype]) * numel(extent):
                raise RuntimeError(f"argument {i} of {name} has another size")
            given.append(Region(len(data), data))
        made = [described(entry.argument_count + i, entry.results[i]) for i in range(entry.result_count)]
        regions = [Region(struct.calcsize(FORMATS[d]) * numel(s)) for d, s in made]
        pointers = (c_void_p * max(len(given), 1))(*(r.address for r in given))
        places = (c_void_p * max(len(regions), 1))(*(r.address for r in regions))
        self.check(entry.call(self.context, extents, pointers, places))
        return [(d, s, unpack(d, r.bytes())) for (d, s), r in zip(made, regions)]
