"""Contestants as processes, and the turns that they take."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Dict, IO, List, Optional

from .contestants import Contestant
from .environment import last_line
from .error import BenchError
from .machine import Machine, available_gib, busy_seconds, child_environment, peer_environment, read, seconds_of_own

START_LIMIT, TURN_LIMIT = 1800.0, 900.0  # seconds; a compiler may take minutes
SETTLE = 0.3  # until the threads of the turn before sleep
MOST_FOREIGN = 0.1  # cores
LEAST_GIB = 4  # for another peer and qfw beside it
LEAST_SECONDS = 1.0  # of a turn: processor time is counted in hundredths

Fields = Dict[str, Any]


def reason_in(log: str) -> str:
    """The last error that a log tells, else its last line."""
    lines = [line for line in read(log).splitlines() if re.search(r"\b\w*Error\b|\[error\]|Killed", line)]
    return lines[-1].strip() if lines else last_line(read(log))


def end(process: subprocess.Popen) -> None:
    """With all that it started, which is in its session: compilers have processes of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class LivePeer:
    """A process that was prepared once and waits for its turns."""

    def __init__(self, contestant: Contestant, environment: Dict[str, str], log: str):
        self.log = log
        with open(log, "w", encoding="utf-8") as errors:
            # In a session of its own: Ctrl-C is for this program, which then ends it.
            self.process = subprocess.Popen(contestant.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                            text=True, env=environment, start_new_session=True)
        self.lines: "queue.Queue[Optional[str]]" = queue.Queue()
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                if line.startswith("{"):
                    self.lines.put(line)
        self.lines.put(None)

    def answer(self, limit: float) -> Fields:
        try:
            line = self.lines.get(timeout=limit)
        except queue.Empty:
            raise BenchError(f"no answer within {limit:.0f} s") from None
        if line is None:
            status = self.process.wait()
            raise BenchError(f"ended with status {status}: {reason_in(self.log)}")
        return json.loads(line)

    def turn(self, contestant: Contestant) -> Fields:
        request = json.dumps({"steps": contestant.steps, "seconds": LEAST_SECONDS})
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended; answer() says why
        return {"seconds": self.answer(TURN_LIMIT)["steps"]}

    def close(self) -> None:
        end(self.process)
        self.reader.join()
        try:
            self.process.stdin.close()
        except OSError:
            pass  # a request that it did not live to read


def run_once(contestant: Contestant, environment: Dict[str, str], log: str) -> Fields:
    """A turn of qfw: a process of its own."""
    with open(log, "w", encoding="utf-8") as errors:
        process = subprocess.Popen(contestant.command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
                                   start_new_session=True)
        try:
            output, _ = process.communicate(timeout=TURN_LIMIT)
        except subprocess.TimeoutExpired:
            raise BenchError(f"no result within {TURN_LIMIT:.0f} s") from None
        finally:
            if process.poll() is None:
                end(process)
    if process.returncode != 0:
        raise BenchError(f"ended with status {process.returncode}: {reason_in(log)}")
    result = json.loads(output)
    turn = {"seconds": [milliseconds / 1000 for milliseconds in result["steps"]], "backend": result["backend"]}
    if result["peak_share"]:
        turn["peak_images_per_second"] = result["images_per_second"] / result["peak_share"]
    return turn


def foreign_cores(busy: float, own: float, wall: float) -> float:
    """Ticks of the two accounts fall at other moments, so little may come out below nothing."""
    return round(max(busy - own, 0.0) / wall, 3) if wall > 0 else 0.0


class Competition:
    """One stage: its peers are started, take turns with qfw, and are ended."""

    def __init__(self, machine: Machine, folder: str, repeats: int):
        self.machine, self.repeats = machine, repeats
        self.logs = os.path.join(folder, "logs")
        os.makedirs(self.logs, exist_ok=True)
        self.own_environment = child_environment(machine, dict(os.environ))
        self.peer_environment = peer_environment(machine, dict(os.environ))
        self.live: Dict[str, LivePeer] = {}

    def _log(self, contestant: Contestant) -> str:
        return os.path.join(self.logs, f"{contestant.key}.txt")

    def _say(self, text: str) -> None:
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def start(self, contestant: Contestant, record: Fields) -> None:
        self._say(f"starting {contestant.side} {contestant.label}, batch {contestant.batch}")
        try:
            available = available_gib(read("/proc/meminfo"))
            if available < LEAST_GIB:
                raise BenchError(f"not started: {available:.1f} GiB of memory are available, less than {LEAST_GIB}")
            peer = LivePeer(contestant, self.peer_environment, self._log(contestant))
            self.live[contestant.key] = peer
            record["about"] = peer.answer(START_LIMIT)
        except (BenchError, OSError) as error:
            self._give_up(contestant, record, error)

    def _give_up(self, contestant: Contestant, record: Fields, error: Exception) -> None:
        record["failure"] = str(error)
        self._say(f"{contestant.key}: {error}")
        if contestant.key in self.live:
            self.live.pop(contestant.key).close()

    def _measure(self, contestant: Contestant) -> Fields:
        peer = self.live.get(contestant.key)
        pids: List[int] = [peer.process.pid] if peer else []
        time.sleep(SETTLE)
        own, begin = seconds_of_own(pids), time.monotonic()
        busy = busy_seconds(read("/proc/stat"), self.machine.cores)
        turn = peer.turn(contestant) if peer else run_once(contestant, self.own_environment, self._log(contestant))
        wall = time.monotonic() - begin
        after = busy_seconds(read("/proc/stat"), self.machine.cores)
        known = busy is not None and after is not None
        turn["foreign_cores"] = foreign_cores(after - busy, seconds_of_own(pids) - own, wall) if known else None
        return turn

    def turn(self, contestant: Contestant, record: Fields, number: int) -> None:
        """Again while others take processor time; the least disturbed one counts."""
        attempts: List[Fields] = []
        try:
            while len(attempts) <= self.repeats:
                attempts.append(self._measure(contestant))
                if (attempts[-1]["foreign_cores"] or 0) <= MOST_FOREIGN:
                    break
        except (BenchError, OSError, ValueError, KeyError) as error:
            self._give_up(contestant, record, error)
            return
        best = min(attempts, key=lambda turn: turn["foreign_cores"] or 0)
        disturbed = (best["foreign_cores"] or 0) > MOST_FOREIGN
        record["turns"].append({**best, "round": number, "attempts": len(attempts), "disturbed": disturbed})

    def run(self, contestants: List[Contestant], records: Dict[str, Fields], rounds: int) -> None:
        try:
            for contestant in contestants:
                if contestant.stays_alive and not records[contestant.key]["failure"]:
                    self.start(contestant, records[contestant.key])
            for number in range(rounds):
                self._say(f"{contestants[0].stage}: round {number + 1} of {rounds}")
                for contestant in contestants:
                    if not records[contestant.key]["failure"]:
                        self.turn(contestant, records[contestant.key], number)
        finally:
            for peer in self.live.values():
                peer.close()
            self.live.clear()
