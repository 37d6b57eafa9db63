"""Runs exported networks in ONNX Runtime and compares their logits with those of `qfw eval --logits`.

Reads lines `MODEL LOGITS EXPECTED BATCH` from the standard input: EXPECTED is `equal` (every bit, at each optimization level,
with one thread and with two), the percentage of images on which the best class must be the same, `altered`: with another
code of one weight the bits must differ, or `valid`: the file passes onnx.checker, which all must. Prints a line for each.
Exit status 77: something is not installed.
"""
import ctypes
import ctypes.util
import gzip
import itertools
import os
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print(f"{sys.executable} has no {error.name}")
    sys.exit(77)

LEVELS = {"disable_all": 0, "basic": 1, "extended": 2, "all": 99}


def read_hdf5(path, name):
    """A data set of f32, through the library that qfw itself is linked with."""
    found = next(filter(None, map(ctypes.util.find_library, ("hdf5_serial", "hdf5"))), None)
    if found is None:
        print("there is no HDF5 library")
        sys.exit(77)
    library = ctypes.CDLL(found)
    hid = ctypes.c_int64
    for function in ("H5Fopen", "H5Dopen2", "H5Dget_space"):
        getattr(library, function).restype = hid
    library.H5open()
    native = hid.in_dll(library, "H5T_NATIVE_FLOAT_g")
    file = hid(library.H5Fopen(path.encode(), ctypes.c_uint(0), hid(0)))
    data = hid(library.H5Dopen2(file, name.encode(), hid(0)))
    assert file.value >= 0 and data.value >= 0, f"cannot read {name} of {path}"
    extents = (ctypes.c_uint64 * 8)()
    rank = library.H5Sget_simple_extent_dims(hid(library.H5Dget_space(data)), extents, None)
    values = np.empty(tuple(extents[:rank]), np.float32)
    status = library.H5Dread(data, native, hid(0), hid(0), hid(0), values.ctypes.data_as(ctypes.c_void_p))
    assert status >= 0, f"cannot read {name} of {path}"
    library.H5Fclose(file)
    return values


def pictures(count):
    for folder in filter(None, (os.environ.get("QFW_FASHION_MNIST"), "/usr/share/dataset-fashion-mnist",
                                "/usr/share/datasets/fashion-mnist")):
        for name, opened in (("t10k-images-idx3-ubyte.gz", gzip.open), ("t10k-images-idx3-ubyte", open)):
            if os.path.exists(f"{folder}/{name}"):
                with opened(f"{folder}/{name}", "rb") as stream:
                    return np.frombuffer(stream.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)[:count]
    print("there are no pictures of Fashion-MNIST")
    sys.exit(77)


def fed(model, count):
    """The validation pictures as the model's input wants them."""
    given = model.graph.input[0]
    if given.name == "pixels":
        return pictures(count)
    table = ((np.arange(256) / 255.0 - 0.2860) / 0.3530).astype(np.float32)
    images = table[pictures(count)]
    axes = [d.dim_value for d in given.type.tensor_type.shape.dim][1:]
    return images if axes == [28, 28, 1] else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def run(model, images, batch, level, threads):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel(LEVELS[level])
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.x64quantprecision", "1")  # sums of u8 by s8 saturate on AVX2 otherwise
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = model.graph.input[0].name
    return np.concatenate([session.run(None, {name: images[k:k + batch]})[0] for k in range(0, len(images), batch)])


def compare(path, logits, expected, batch):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    if expected == "valid":
        print(f"ok {os.path.basename(path)}: opset {model.opset_import[0].version}, {len(model.graph.node)} nodes, valid", flush=True)
        return True
    if expected == "altered":
        codes = next(t for t in model.graph.initializer if t.name.startswith("dense/weights/codes"))
        codes.raw_data = bytes([codes.raw_data[0] ^ 1]) + codes.raw_data[1:]
    wanted = read_hdf5(logits, "logits")
    assert len(set(wanted.argmax(1))) > 1, f"the logits of {logits} say nothing"
    images = fed(model, len(wanted))
    equal, agreeing, largest = len(wanted), len(wanted), 0.0
    ways = list(itertools.product(LEVELS, (1, 2)))
    for level, threads in ways:
        found = run(model, images, batch, level, threads)
        equal = min(equal, int((found.view(np.uint32) == wanted.view(np.uint32)).all(1).sum()))
        agreeing = min(agreeing, int((found.argmax(1) == wanted.argmax(1)).sum()))
        largest = max(largest, float(np.abs(found - wanted).max()))
    if expected in ("equal", "altered"):
        passed = (equal == len(wanted)) == (expected == "equal")
    else:
        passed = 100 * agreeing >= float(expected) * len(wanted)
    note = ", one code altered" if expected == "altered" else ""
    print(f"{'ok' if passed else 'FAILED'} {os.path.basename(path)}{note}: opset {model.opset_import[0].version}, "
          f"{len(model.graph.node)} nodes, {os.path.getsize(path) // 1024} KiB, batch {batch}, {len(ways)} ways: equal bits on "
          f"{equal} of {len(wanted)} images, the same class on {agreeing}, max |d| {largest:.3g}", flush=True)
    return passed


onnxruntime.set_default_logger_severity(3)
print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
failed = [line for line in sys.stdin if not compare(*line.split()[:3], int(line.split()[3]))]
sys.exit(1 if failed else 0)
