"""Who is measured, how each is started, and what is aimed at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

QFW, PYTORCH, ONNX_RUNTIME = "qfw", "PyTorch", "ONNX Runtime"
TRAINING, QUANTIZED, EVALUATION = "training", "quantized training", "evaluation"
# Each is one alternating run. Its processes end with it: all peers at once would need more than 24 GB.
STAGES = (TRAINING, QUANTIZED, EVALUATION)
WORKS = ("f32", "bf16", "quantized", "weights only", "int8")


@dataclass(frozen=True)
class Setting:
    """What holds for all of them."""

    source: str  # the tree
    binaries: str  # of qfw
    python: str  # the peers'
    folder: str  # for models
    threads: int
    has_bf16: bool
    quick: bool = False
    compiled: bool = True
    steps: int = 5

    @property
    def size(self) -> int:
        return 64 if self.quick else 224

    @property
    def training_batch(self) -> int:
        return 2 if self.quick else 16

    @property
    def evaluation_batches(self) -> Tuple[int, int]:
        return (1, 2) if self.quick else (1, 16)


@dataclass(frozen=True)
class Contestant:
    key: str
    stage: str
    work: str  # what is compared: rows of the same work, stage and batch belong together
    side: str
    label: str
    batch: int
    command: Tuple[str, ...]
    steps: int
    ceiling: Tuple[str, ...] = ()  # columns of bench_matmul that add up to its convolutions

    @property
    def stays_alive(self) -> bool:
        return self.side != QFW


EIGHT_BITS = ("--quantizer.weight_prec=8", "--quantizer.act_prec=8")
FLOAT = ("--quantizer.name=none",)
WINOGRAD = ("--backend.winograd=true",)


def qfw_command(setting: Setting, recipe: str, options: Tuple[str, ...], steps: int) -> Tuple[str, ...]:
    small = ("--augment.name=none", f"--dataset.shape={setting.size},{setting.size},3") if setting.quick else ()
    program = os.path.join(setting.binaries, "qfw")
    path = os.path.join(setting.source, "recipes", recipe)
    threads = f"--backend.threads={setting.threads}"
    return (program, "bench", path, "--json", f"--steps={steps}", threads, *options, *small)


def own_training(setting: Setting) -> List[Contestant]:
    steps, batch = setting.steps, setting.training_batch
    number = "bf16" if setting.has_bf16 else "f32"  # of what is not integer: what this processor is faster with
    compute = f"--backend.compute={number}"
    back = (f"{number}.bd", f"{number}.bw")
    base, weights_only = "resnet50_w4a4.ini", "imagenet/resnet50_w4.ini"
    floats = {work: (work, work, base, (*FLOAT, f"--backend.compute={work}"), (work, f"{work}.bd", f"{work}.bw"))
              for work in ("f32", "bf16")}
    rows = (
        (TRAINING, "f32", *floats["f32"]),
        (TRAINING, "f32.winograd", "f32", "f32, winograd", base, (*FLOAT, "--backend.compute=f32", *WINOGRAD),
         ("f32.w", "f32.bd.w", "f32.bw")),
        (TRAINING, "bf16", *floats["bf16"]),
        (QUANTIZED, f"{number}.again", *floats[number]),
        (QUANTIZED, "w8a8", "quantized", f"W8A8, integer forward, {number} backward", base, (*EIGHT_BITS, compute),
         ("w8a8", *back)),
        (QUANTIZED, "w8a8.int8", "quantized", f"W8A8, integer forward and data gradient, {number} weight gradient", base,
         (*EIGHT_BITS, compute, "--quantizer.backward=int8"), ("w8a8", *back)),
        (QUANTIZED, "w4a4", "quantized", f"W4A4, integer forward, {number} backward", base, (compute,), ("w4a4", *back)),
        (QUANTIZED, "w4", "weights only", f"4-bit weights only, {number}", weights_only, (compute,), (number, *back)),
    )
    return [
        Contestant(f"qfw.train.{key}", stage, work, QFW, label, batch,
                   qfw_command(setting, recipe, (*options, f"--train.batch_size={batch}"), steps), steps, ceiling)
        for stage, key, work, label, recipe, options, ceiling in rows
    ]


def own_evaluation(setting: Setting) -> List[Contestant]:
    rows = (
        ("f32", "f32", "f32", (*FLOAT, "--backend.compute=f32"), ("f32",)),
        ("f32.winograd", "f32", "f32, winograd", (*FLOAT, "--backend.compute=f32", *WINOGRAD), ("f32.w",)),
        ("bf16", "bf16", "bf16", (*FLOAT, "--backend.compute=bf16"), ("bf16",)),
        ("int8", "int8", "W8A8, integers", EIGHT_BITS, ("w8a8",)),
    )
    found = []
    for batch in setting.evaluation_batches:
        steps = evaluation_steps(setting, batch)
        for key, work, label, options, ceiling in rows:
            more = (*options, "--eval", f"--eval.batch_size={batch}")
            command = qfw_command(setting, "resnet50_w4a4.ini", more, steps)
            found.append(Contestant(f"qfw.eval.{key}.{batch}", EVALUATION, work, QFW, label, batch, command, steps, ceiling))
    return found


def evaluation_steps(setting: Setting, batch: int) -> int:
    return setting.steps if setting.quick else setting.steps * (8 if batch == 1 else 2)


FX_WAYS = ("channels_last", "contiguous")  # which is faster differs by machine; its fused modules do not take bf16


def torch_contestant(setting: Setting, stage: str, work: str, number: str, way: str, batch: int) -> Contestant:
    what = "eval" if stage == EVALUATION else "train"
    mode = "-".join(filter(None, (what, number, way)))
    script = os.path.join(setting.source, "bench", "peers", "torch_peer.py")
    command = (setting.python, script, mode, str(setting.threads), str(batch), str(setting.size))
    label = f"{number} {way}"
    if number == "fx":
        label = "FX int8" if stage == EVALUATION else f"FX QAT {way}"
    steps = evaluation_steps(setting, batch) if stage == EVALUATION else setting.steps
    key = f"torch.{what}.{number}{'.' + way if way else ''}.{batch}"
    return Contestant(key, stage, work, PYTORCH, label, batch, command, steps)


def torch_contestants(setting: Setting) -> List[Contestant]:
    """Without instructions for bf16 its steps in bf16 take minutes, many times those in f32: nobody would choose them."""
    found = []
    numbers = ("f32", "bf16") if setting.has_bf16 else ("f32",)
    places = [(TRAINING, setting.training_batch)] + [(EVALUATION, batch) for batch in setting.evaluation_batches]
    for stage, batch in places:
        for number in numbers:
            for way in ("eager", "compiled") if setting.compiled else ("eager",):
                found.append(torch_contestant(setting, stage, number, number, way, batch))
    for batch in setting.evaluation_batches:
        found.append(torch_contestant(setting, EVALUATION, "int8", "fx", "", batch))
    for way in FX_WAYS:
        found.append(torch_contestant(setting, QUANTIZED, "quantized", "fx", way, setting.training_batch))
    return found


def onnx_contestants(setting: Setting) -> List[Contestant]:
    script = os.path.join(setting.source, "bench", "peers", "onnx_peer.py")
    found = []
    for batch in setting.evaluation_batches:
        for work in ("f32", "int8"):
            command = (setting.python, script, work, str(setting.threads), str(batch), str(setting.size), setting.folder)
            label = "f32" if work == "f32" else "QDQ, u8 and s8 per channel"
            found.append(Contestant(f"onnx.eval.{work}.{batch}", EVALUATION, work, ONNX_RUNTIME, label, batch, command,
                                    evaluation_steps(setting, batch)))
    return found


def all_contestants(setting: Setting) -> List[Contestant]:
    """Those that are compared stand side by side, so that their turns are close in time."""
    found = own_training(setting) + own_evaluation(setting) + torch_contestants(setting) + onnx_contestants(setting)
    order: Dict[Tuple[int, int, int], List[Contestant]] = {}
    for contestant in found:
        place = (STAGES.index(contestant.stage), contestant.batch, WORKS.index(contestant.work))
        order.setdefault(place, []).append(contestant)
    return [contestant for place in sorted(order) for contestant in order[place]]


@dataclass(frozen=True)
class Aim:
    """`faster` at least `factor` times as fast as the fastest of `others`."""

    text: str
    faster: str
    others: Tuple[str, ...]
    factor: float
    note: Optional[str] = None


def aims_for(setting: Setting) -> List[Aim]:
    train, (one, many) = setting.training_batch, setting.evaluation_batches

    def torch(number: str) -> Tuple[str, ...]:
        return tuple(f"torch.train.{number}.{way}.{train}" for way in ("eager", "compiled"))

    fx = tuple(f"torch.train.fx.{way}.{train}" for way in FX_WAYS)
    aims = [
        Aim("f32 training against PyTorch's best", "qfw.train.f32", torch("f32"), 1.2),
        Aim("the same with backend.winograd = true", "qfw.train.f32.winograd", torch("f32"), 1.2),
    ]
    if setting.has_bf16:
        aims += [
            Aim("W8A8 training against FX QAT's best", "qfw.train.w8a8", fx, 4.3),
            Aim("the same with backward = int8", "qfw.train.w8a8.int8", fx, 5),
            Aim("bf16 training against PyTorch's best", "qfw.train.bf16", torch("bf16"), 1.25),
            Aim("W8A8 training against own bf16", "qfw.train.w8a8", ("qfw.train.bf16.again",), 1 / 0.85,
                "a step takes at most 0.85 of it"),
        ]
    else:
        aims.append(Aim("W4A4 training against own f32", "qfw.train.w4a4", ("qfw.train.f32.again",), 1 / 0.9,
                        "a step takes at most 0.9 of it"))
    for batch, factor in ((many, 1.25), (one, 1.1)):
        peer = (f"onnx.eval.f32.{batch}",)
        aims += [
            Aim(f"f32 evaluation against ONNX Runtime, batch {batch}", f"qfw.eval.f32.{batch}", peer, 1.1),
            Aim("the same with backend.winograd = true", f"qfw.eval.f32.winograd.{batch}", peer, 1.1),
        ]
        if setting.has_bf16:
            aims.append(Aim(f"int8 evaluation against ONNX Runtime, batch {batch}", f"qfw.eval.int8.{batch}",
                            (f"onnx.eval.int8.{batch}",), factor))
    if setting.has_bf16:
        aims.append(
            Aim(f"int8 evaluation against own f32, batch {many}", f"qfw.eval.int8.{many}", (f"qfw.eval.f32.{many}",), 3.3))
    return aims
