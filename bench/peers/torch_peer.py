"""ResNet50 of torchvision under PyTorch, as a peer of bench/compare.py.

    torch_peer.py MODE THREADS BATCH SIZE

MODE is train or eval, of f32 or bf16 (autocast), eager or compiled: `train-f32-eager`. Or it is PyTorch's FX graph mode
quantization: `eval-fx` in int8; `train-fx-channels_last` and `train-fx-contiguous` with fake quantization.
"""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Callable

import torch
import torchvision
from torch import nn

from serving import serve

CLASSES = 1000


def fx_prepared(size: int, training: bool) -> nn.Module:
    """Observed, and if training fake-quantized; fails where a later PyTorch has dropped this."""
    from torch.ao.quantization import get_default_qat_qconfig_mapping, get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_fx, prepare_qat_fx

    torch.backends.quantized.engine = "x86"
    example = (torch.randn(2, 3, size, size),)
    model = torchvision.models.resnet50()
    if training:
        return prepare_qat_fx(model.train(), get_default_qat_qconfig_mapping("x86"), example)
    prepared = prepare_fx(model.eval(), get_default_qconfig_mapping("x86"), example)
    prepared(*example)
    return prepared


def training_step(model: nn.Module, images: torch.Tensor, bf16: bool, compiled: bool) -> Callable[[], object]:
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9, weight_decay=1e-4)
    labels = torch.randint(0, CLASSES, (images.shape[0],))
    forward = torch.compile(model) if compiled else model

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = nn.functional.cross_entropy(forward(images).float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def evaluation_step(model: nn.Module, images: torch.Tensor, bf16: bool, compiled: bool) -> Callable[[], object]:
    if compiled:
        from torch._inductor import config

        config.freezing = True  # weights are constants, packed once
        model = torch.compile(model)

    def step() -> torch.Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return model(images)

    return step


def step_of(mode: str, batch: int, size: int) -> Callable[[], object]:
    what, number, *way = mode.split("-")
    training, bf16, compiled = what == "train", number == "bf16", way == ["compiled"]
    layout = torch.contiguous_format if way == ["contiguous"] else torch.channels_last
    images = torch.randn(batch, 3, size, size).to(memory_format=layout)
    if number == "fx":
        model = fx_prepared(size, training)
        if not training:
            from torch.ao.quantization.quantize_fx import convert_fx

            model = convert_fx(model)
    else:
        model = torchvision.models.resnet50()
        model = model.train() if training else model.eval()
    build = training_step if training else evaluation_step
    return build(model.to(memory_format=layout), images, bf16, compiled)


def main() -> None:
    mode, threads, batch, size = sys.argv[1], *map(int, sys.argv[2:5])
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = step_of(mode, batch, size)
    serve(step, warm_up=3, version=torch.__version__, torchvision=torchvision.__version__)


if __name__ == "__main__":
    main()
