"""ResNet50 under ONNX Runtime, as a peer of bench/compare.py.

    onnx_peer.py f32|int8 THREADS BATCH SIZE FOLDER

The model has random weights, folded batch norm, and where it is int8 QuantizeLinear and DequantizeLinear around every
convolution (u8 activations, s8 weights with a scale for each channel): the form that ONNX Runtime makes int8 kernels of. It is
written to FOLDER once.
"""

from __future__ import annotations

import os
import sys

import numpy
import onnxruntime

from onnx_resnet import write_resnet50
from serving import serve


def session_of(path: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main() -> None:
    number, threads, batch, size, folder = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
    path = os.path.join(folder, f"resnet50_{number}_{size}.onnx")
    if not os.path.exists(path):
        write_resnet50(path, quantized=number == "int8", size=size)
    session = session_of(path, threads)
    images = numpy.random.default_rng(0).standard_normal((batch, 3, size, size), dtype=numpy.float32)
    serve(lambda: session.run(None, {"images": images}), warm_up=3, version=onnxruntime.__version__)


if __name__ == "__main__":
    main()
