"""Writes ResNet50 (v1.5, batch norm folded into the convolutions) as an ONNX file, without the onnx package.

An ONNX file is a protobuf message; the few kinds of field that a network needs are written by `varint`, `number` and `message`.
Field numbers are those of onnx.proto3. Weights are random, in sizes that keep activations near 1.
"""

from __future__ import annotations

import math
import os
from typing import Sequence, Union

import numpy

FLOAT, UINT8, INT8, INT32 = 1, 2, 3, 6  # TensorProto.DataType
ACTIVATION_SCALE = 0.05
WEIGHT_CODES = 40.0  # the standard deviation of random codes
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # channels within, blocks, stride of the first


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, value: Union[bytes, str]) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name: str, data_type: int, values: numpy.ndarray) -> bytes:
    dimensions = b"".join(number(1, size) for size in values.shape)
    return dimensions + number(2, data_type) + message(8, name) + message(9, values.tobytes())


def attribute(name: str, value: Union[int, Sequence[int]]) -> bytes:
    if isinstance(value, int):
        return message(1, name) + number(3, value) + number(20, 2)
    return message(1, name) + b"".join(number(8, item) for item in value) + number(20, 7)


def node(op: str, inputs: Sequence[str], output: str, attributes: dict) -> bytes:
    fields = [message(1, name) for name in inputs]
    fields += [message(2, output), message(3, output), message(4, op)]
    fields += [message(5, attribute(name, value)) for name, value in attributes.items()]
    return b"".join(fields)


def value_info(name: str, shape: Sequence[Union[int, str]]) -> bytes:
    sizes = [message(2, size) if isinstance(size, str) else number(1, size) for size in shape]
    dimensions = b"".join(message(1, size) for size in sizes)
    return message(1, name) + message(2, message(1, number(1, FLOAT) + message(2, dimensions)))


class Writer:
    """Nodes and constants in order; every method gives the name of what it adds."""

    def __init__(self, quantized: bool):
        self.quantized = quantized
        self.random = numpy.random.default_rng(0)
        self.nodes: list[bytes] = []
        self.constants: list[bytes] = []

    def constant(self, data_type: int, values: numpy.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(tensor(name, data_type, values))
        return name

    def add(self, op: str, *inputs: str, **attributes: Union[int, Sequence[int]]) -> str:
        output = f"value{len(self.nodes)}"
        self.nodes.append(node(op, inputs, output, attributes))
        return output

    def on_grid(self, value: str, signed: bool = False) -> str:
        """Rounded to u8 and back, where the network is quantized; behind a ReLU zero is the lowest code."""
        if not self.quantized:
            return value
        scale = self.constant(FLOAT, numpy.array(ACTIVATION_SCALE, numpy.float32))
        zero = self.constant(UINT8, numpy.array(128 if signed else 0, numpy.uint8))
        return self.add("DequantizeLinear", self.add("QuantizeLinear", value, scale, zero), scale, zero)

    def codes(self, data_type: int, codes: numpy.ndarray, scale: float) -> str:
        """Integers with a scale for each output channel."""
        channels = codes.shape[0]
        scales = self.constant(FLOAT, numpy.full(channels, scale, numpy.float32))
        zeros = self.constant(data_type, numpy.zeros(channels, codes.dtype))
        return self.add("DequantizeLinear", self.constant(data_type, codes), scales, zeros, axis=0)

    def weights_and_bias(self, shape: Sequence[int]) -> tuple[str, str]:
        deviation = math.sqrt(2 / math.prod(shape[1:]))
        weights = self.random.standard_normal(shape, dtype=numpy.float32)
        if not self.quantized:
            bias = numpy.zeros(shape[0], numpy.float32)
            return self.constant(FLOAT, deviation * weights), self.constant(FLOAT, bias)
        codes = numpy.clip(numpy.rint(weights * WEIGHT_CODES), -127, 127).astype(numpy.int8)
        scale = deviation / WEIGHT_CODES
        bias = self.codes(INT32, numpy.zeros(shape[0], numpy.int32), ACTIVATION_SCALE * scale)
        return self.codes(INT8, codes, scale), bias

    def conv(self, value: str, channels: tuple[int, int], kernel: int, stride: int, relu: bool = True) -> str:
        weights, bias = self.weights_and_bias((channels[1], channels[0], kernel, kernel))
        result = self.add("Conv", value, weights, bias, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)
        return self.on_grid(self.add("Relu", result)) if relu else self.on_grid(result, signed=True)

    def block(self, value: str, incoming: int, width: int, stride: int, project: bool) -> str:
        inner = self.conv(value, (incoming, width), 1, 1)
        inner = self.conv(inner, (width, width), 3, stride)
        inner = self.conv(inner, (width, 4 * width), 1, 1, relu=False)
        shortcut = self.conv(value, (incoming, 4 * width), 1, stride, relu=False) if project else value
        return self.on_grid(self.add("Relu", self.add("Add", inner, shortcut)))

    def network(self, images: str) -> str:
        value = self.conv(self.on_grid(images, signed=True), (3, 64), 7, 2)
        value = self.on_grid(self.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4))
        incoming = 64
        for width, blocks, first_stride in STAGES:
            for index in range(blocks):
                value = self.block(value, incoming, width, first_stride if index == 0 else 1, index == 0)
                incoming = 4 * width
        value = self.on_grid(self.add("GlobalAveragePool", value))
        value = self.on_grid(self.add("Flatten", value, axis=1))
        weights, bias = self.weights_and_bias((1000, incoming))
        return self.on_grid(self.add("Gemm", value, weights, bias, transB=1), signed=True)


def write_resnet50(path: str, quantized: bool, size: int) -> None:
    writer = Writer(quantized)
    logits = writer.network("images")
    graph = b"".join(message(1, item) for item in writer.nodes) + message(2, "resnet50")
    graph += b"".join(message(5, item) for item in writer.constants)
    graph += message(11, value_info("images", ("batch", 3, size, size))) + message(12, value_info(logits, ("batch", 1000)))
    model = number(1, 8) + message(7, graph) + message(8, message(1, "") + number(2, 13))  # IR version 8, operator set 13
    partial = f"{path}.{os.getpid()}"
    with open(partial, "wb") as file:
        file.write(model)
    os.replace(partial, path)
