"""ResNet50 v1.5 training on a GPU as PyTorch's users run it best, on random images: what bench/device/check.sh sets beside `qfw bench`.

    python3 peers.py MODE BATCH STEPS

MODE is eager, compile (torch.compile) or qat (FX quantization-aware training, 8 bits). Prints one line:
    MODE: 2712 img/s, 94.40 ms, batch 256, peak memory 21.3 GiB, torch 2.11.0
Where it cannot run, it says why and ends with status 77.
"""

from __future__ import annotations

import statistics
import sys
import warnings

LEFT_OUT = 77


def left_out(why: str) -> None:
    print(f"left out, {why}")
    sys.exit(LEFT_OUT)


def import_torch():
    try:
        import torch
        import torchvision
    except ImportError as error:
        left_out(f"{error}")
    if not torch.cuda.is_available():
        left_out("PyTorch sees no GPU")
    return torch, torchvision


def network(torch, torchvision, mode: str):
    model = torchvision.models.resnet50().train()
    if mode == "qat":
        try:
            from torch.ao.quantization import get_default_qat_qconfig_mapping
            from torch.ao.quantization.quantize_fx import prepare_qat_fx
        except ImportError as error:
            left_out(f"{error}")
        model = prepare_qat_fx(model, get_default_qat_qconfig_mapping("x86"), torch.randn(1, 3, 224, 224))
    return model.cuda().to(memory_format=torch.channels_last).train()


def main() -> None:
    if len(sys.argv) != 4 or sys.argv[1] not in ("eager", "compile", "qat"):
        sys.exit(__doc__)
    mode, batch, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    warnings.filterwarnings("ignore")
    torch, torchvision = import_torch()
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    model = network(torch, torchvision, mode)
    images = torch.randn(batch, 3, 224, 224, device="cuda").to(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (batch,), device="cuda")
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    run = torch.compile(model) if mode == "compile" else model

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = loss_of(run(images), labels)
        loss.backward()
        optimizer.step()

    for _ in range(12):
        step()
    torch.cuda.synchronize()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
    marks[0].record()
    for mark in marks[1:]:
        step()
        mark.record()
    torch.cuda.synchronize()
    milliseconds = statistics.median(a.elapsed_time(b) for a, b in zip(marks, marks[1:]))
    peak = torch.cuda.max_memory_allocated() / 2**30
    print(f"{mode}: {batch / milliseconds * 1e3:.0f} img/s, {milliseconds:.2f} ms, batch {batch}, peak memory {peak:.1f} GiB, torch {torch.__version__}")


if __name__ == "__main__":
    main()
