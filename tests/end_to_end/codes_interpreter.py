"""Runs a network from a file of the exporter `codes` alone, without a line of qfw, and compares its logits with those of `qfw eval`.

Usage: codes_interpreter.py FILE.npz|FILE.h5 IMAGES-idx3-ubyte.gz LOGITS integers|floats COUNT
LOGITS are the bytes of the data set `logits`. `integers`: activations come from tables and thresholds wherever the file has them,
and no float is computed there; `floats`: all nodes as they are listed. Prints what it counted.
"""

import gzip
import json
import sys

import numpy as np


def load(path):
    if path.endswith(".npz"):
        file = np.load(path)
        arrays = {name: file[name] for name in file.files if not name.endswith(".json")}
        return json.loads(file["description.json"]), arrays
    import h5py

    with h5py.File(path) as file:
        about = json.loads(file["description.json"][()])
        return about, {name: file[name][()] for name in about["arrays"]}


def rounded(x, dtype):
    """As the dtype, as f32; subnormal numbers are zero."""
    x = np.asarray(x, np.float32)
    if dtype == "bf16":
        bits = x.view(np.uint32)
        x = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return np.where(np.abs(x) < np.float32(2.0**-126), np.float32(0), x)


def numbers(array, dtype):
    if dtype != "bf16":
        return array
    return (array.astype(np.uint32) << 16).view(np.float32)


def windows(x, window, stride, padding, fill):
    low, high = padding["low"], padding["high"]
    x = np.pad(x, ((0, 0), (low[0], high[0]), (low[1], high[1]), (0, 0)), constant_values=fill)
    all_places = np.lib.stride_tricks.sliding_window_view(x, window, (1, 2))
    return all_places[:, :: stride[0], :: stride[1]]  # [N, H', W', C, h, w]


def conv2d(x, w, node):
    groups, per_group, features = node["groups"], w.shape[2], w.shape[3]
    places = windows(x.astype(np.float64), w.shape[:2], node["stride"], node["padding"], 0)
    sums = []
    for g in range(groups):
        out = slice(g * features // groups, (g + 1) * features // groups)
        part = places[:, :, :, g * per_group : (g + 1) * per_group]
        sums.append(np.tensordot(part, w[..., out].astype(np.float64), ([3, 4, 5], [2, 0, 1])))
    return np.concatenate(sums, -1).astype(np.int32)  # below 2^53: exact in any order


def max_pool(x, node):
    lowest = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
    return windows(x, node["window"], node["stride"], node["padding"], lowest).max((4, 5))


def sum_in_order(x, shape):
    shape = (1,) * (x.ndim - len(shape)) + tuple(shape)
    gone = [axis for axis in range(x.ndim) if shape[axis] == 1 and x.shape[axis] > 1]
    kept = [axis for axis in range(x.ndim) if axis not in gone]
    rows = np.transpose(x, kept + gone).reshape([x.shape[axis] for axis in kept] + [-1])
    return np.cumsum(rows.astype(np.float64), -1)[..., -1].astype(np.float32).reshape(shape)


ELEMENTWISE = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "negate": np.negative,
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "abs": np.abs,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "round_even": np.rint,
    "less": lambda a, b: (a < b).astype(np.float32),
    "less_equal": lambda a, b: (a <= b).astype(np.float32),
    "equal": lambda a, b: (a == b).astype(np.float32),
    "select": lambda c, a, b: np.where(c != 0, a, b),
}


class Network:
    def __init__(self, about, arrays, integers):
        self.arrays = {name: numbers(array, about["arrays"][name]["dtype"]) for name, array in arrays.items()}
        self.nodes = {node["output"]: node for node in about["nodes"]}
        self.activations = {each["value"]: each for each in about["activations"]} if integers else {}
        self.values = {}
        self.floats = 0  # numbers computed as floats
        self.by_thresholds = 0  # codes that were not

    def value(self, name):
        if not isinstance(name, str):
            return np.float32(name)
        if name in self.arrays:
            return self.arrays[name]
        if name not in self.values:
            about = self.activations.get(name, {})
            if "table" in about:
                self.values[name] = self.looked_up(about)
            elif "thresholds" in about:
                self.values[name] = self.compared(about)
            else:
                self.values[name] = self.computed(self.nodes[name])
        return self.values[name]

    def looked_up(self, about):
        table = self.arrays[about["table"]["codes"]]
        codes = table[np.arange(table.shape[0]), self.pixels]
        return self.pooled(codes, about["table"])

    def compared(self, about):
        how, levels = about["thresholds"], about["integers"]
        s = self.value(how["sums"]) * self.arrays[how["direction"]].astype(np.int32)
        at = self.arrays[how["at"]]
        count = np.zeros(s.shape, np.int32)
        for k in range(at.shape[1]):
            count += s >= at[:, k]
        codes = levels["low"] + count * levels["step"]
        self.by_thresholds += codes.size
        return self.pooled(codes.astype(np.int8 if about["dtype"] == "s8" else np.uint8), how)

    def pooled(self, codes, how):
        for name in how["then_pooled_by"]:
            codes = max_pool(codes, self.nodes[name])
        return codes

    def computed(self, node):
        inputs = [self.value(name) for name in node["inputs"]]
        op, dtype = node["op"], node["dtype"]
        shape = [len(self.pixels) if extent == "N" else extent for extent in node["shape"]]
        if op == "conv2d":
            return conv2d(*inputs, node)
        if op == "dense":
            return (inputs[0].astype(np.float64) @ inputs[1].astype(np.float64)).astype(np.int32)
        if op == "reshape":
            return inputs[0].reshape(shape)
        if op == "broadcast_to":
            return np.broadcast_to(inputs[0], shape)
        if op == "transpose":
            return np.swapaxes(inputs[0], *node["swap"])
        if dtype in ("s8", "u8"):
            codes = inputs[0].astype(np.int8 if dtype == "s8" else np.uint8)
            assert op == "cast" and (codes == inputs[0]).all()
            return codes
        if op == "constant":
            return np.full(shape, node["value"], np.float32)
        self.floats += int(np.prod(shape))
        if op == "cast":
            return rounded(inputs[0], dtype)
        if op == "max_pool":
            return max_pool(inputs[0], node)
        if op == "sum":
            return sum_in_order(inputs[0], shape)
        return rounded(ELEMENTWISE[op](*inputs), dtype)

    def run(self, pixels, about):
        self.pixels = pixels
        tables = self.arrays[about["input"]["tables"]]
        self.values = {about["input"]["value"]: tables[np.arange(tables.shape[0]), pixels]}
        if self.activations:
            del self.values[about["input"]["value"]]  # nothing may ask for floats there
        return self.value(about["output"]["value"])


def main(path, images, logits, mode, count):
    about, arrays = load(path)
    assert about["format"] == "qfw integer codes" and about["version"] == 1
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    assert shapes == {name: each["shape"] for name, each in about["arrays"].items()}
    _, height, width, channels = about["input"]["shape"]
    with gzip.open(images) as file:
        pixels = np.frombuffer(file.read(16 + count * height * width * channels)[16:], np.uint8)
    network = Network(about, arrays, mode == "integers")
    found = network.run(pixels.reshape(count, height, width, channels), about).astype("<f4")
    expected = np.fromfile(logits, "<f4").reshape(-1, found.shape[1])[:count]
    assert len(expected) == count and len(np.unique(expected)) > count
    differing = int((found.view(np.uint32) != expected.view(np.uint32)).any(1).sum())
    print(f"{count} images, {differing} differ; {network.by_thresholds} codes by thresholds, {network.floats} floats")
    if differing:
        sys.exit(1)
    for site in about["sites"]:
        sums = network.values[site["sums"]["value"]]
        assert (sums >= arrays[site["sums"]["least"]]).all() and (sums <= arrays[site["sums"]["greatest"]]).all()


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
