"""How a peer is measured: it prepares itself once, then takes a turn for every line on standard input.

Lines of standard output that begin with `{` are answers; libraries may print what else they like. The first answer describes
the peer, every other one has the seconds of a turn's steps. The end of standard input ends the process.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Callable


def answer(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def seconds_of(step: Callable[[], object]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def serve(step: Callable[[], object], warm_up: int, **description: object) -> None:
    begin = time.perf_counter()
    for _ in range(warm_up):
        step()
    answer(ready=True, warm_up_seconds=time.perf_counter() - begin, **description)
    for line in sys.stdin:
        turn = json.loads(line)
        begin = time.perf_counter()
        steps: list[float] = []
        while len(steps) < turn["steps"] or time.perf_counter() - begin < turn["seconds"]:
            steps.append(seconds_of(step))
        answer(steps=steps)
