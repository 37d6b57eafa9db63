"""What no program on this processor can exceed: its memory's bandwidth, and the convolutions without all the rest."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any, Dict, List, Sequence

from .contestants import Contestant, Setting
from .error import BenchError


def network_milliseconds(output: str) -> Dict[str, float]:
    """Of what bench_matmul prints: the sum over all layers, by column."""
    columns: List[str] = []
    for line in output.splitlines():
        if line.startswith("channels kernel size"):
            columns = line.split()[3:]
        elif line.startswith("network, ms"):
            return dict(zip(columns, map(float, line.split()[2:])))
    raise BenchError("bench_matmul printed no line `network, ms`", "has its output changed? mend bench/comparison/ceilings.py")


def output_of(command: Sequence[str], environment: Dict[str, str]) -> str:
    try:
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"{os.path.basename(command[0])} failed: {error}", "`make bench` builds it") from error


def columns_of(contestants: Sequence[Contestant], batch: int) -> List[str]:
    return sorted({column for one in contestants if one.batch == batch for column in one.ceiling})


def measure_ceilings(setting: Setting, contestants: Sequence[Contestant], environment: Dict[str, str]) -> Dict[str, Any]:
    """Memory in GB/s; milliseconds of a network's convolutions by batch and column."""
    folder, threads = setting.binaries, str(setting.threads)
    megabytes = "32" if setting.quick else "256"
    memory = json.loads(output_of((os.path.join(folder, "bench_memory"), threads, megabytes), environment))
    convolutions: Dict[str, Dict[str, float]] = {}
    seconds = "0.001" if setting.quick else "0.1"
    for batch in sorted({one.batch for one in contestants if one.ceiling}):
        command = (os.path.join(folder, "bench_matmul"), threads, str(batch), seconds, *columns_of(contestants, batch))
        convolutions[str(batch)] = network_milliseconds(output_of(command, environment))
    return {"memory": memory, "convolutions": convolutions}
