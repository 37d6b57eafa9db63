#!/usr/bin/env python3
"""Speed of ResNet50 training and evaluation: qfw, PyTorch, ONNX Runtime and what this processor allows, in one alternating run.

    make bench                                   # builds what is measured, then runs this
    python3 bench/compare.py --quick             # a trial of a few minutes: does every contestant run?
    python3 bench/compare.py --only 'train.*fx|qfw.train'
    python3 bench/compare.py --results build/bench/results.json --update-docs     # measures nothing

Every contestant is a process on the same cores, with as many threads. Peers are prepared once and then take turns with qfw,
round by round; what other processes took of the cores is recorded for each turn, and a turn with more than 0.1 cores of it is
repeated.
Peers come from PyPI, into build/bench/venv; one that cannot be had is named with the reason. Results go to build/bench:
results.json, results.txt, chart.svg, and a log for each contestant. Ctrl-C leaves what was measured until then.
"""

from __future__ import annotations

import sys

sys.dont_write_bytecode = True  # the tree stays as it is

import argparse
import dataclasses
import datetime
import json
import os
import re
import signal
import subprocess
from typing import Any, Dict, List, Optional, Sequence

from comparison.ceilings import measure_ceilings
from comparison.chart import chart
from comparison.contestants import ONNX_RUNTIME, QFW, STAGES, Contestant, Setting, aims_for, all_contestants
from comparison.environment import Environment
from comparison.error import BenchError
from comparison.machine import CAPS, Machine, child_environment, this_machine
from comparison.report import markdown_report, text_report, with_section
from comparison.turns import Competition

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENT = os.path.join(SOURCE, "docs", "performance.md")

RESULTS = ("results.json", "results.txt", "chart.svg")

Fields = Dict[str, Any]


def at_least(least: int):
    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return whole_number


def pattern(text: str) -> "re.Pattern[str]":
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--build", default=os.path.join(SOURCE, "build", "release"), metavar="DIR", help="build of qfw (build/release)")
    add("--out", default=os.path.join(SOURCE, "build", "bench"), metavar="DIR", help="where results go (build/bench)")
    add("--rounds", type=at_least(1), help="turns of each contestant (3)")
    add("--steps", type=at_least(1), help="steps of a training turn, more for evaluations (5)")
    add("--repeats", type=at_least(0), help="how often a disturbed turn is repeated (3)")
    add("--only", type=pattern, metavar="REGEX", help="contestants whose key matches; --list shows the keys")
    add("--isa", choices=CAPS, help="hold qfw and PyTorch to a lower set of instructions, as if this were such a processor")
    add("--no-compile", action="store_true", help="leave torch.compile out: it takes minutes to start")
    add("--torch-index", metavar="URL", help="where pip takes torch from: wheels for CPUs alone save gigabytes")
    add("--quick", action="store_true", help="a trial: 1 round of 2 steps, batch 2, images of 64 x 64")
    add("--update-docs", action="store_true", help="put the results into docs/performance.md, for this kind of processor")
    add("--results", metavar="FILE", help="show these results; nothing is measured")
    add("--list", action="store_true", help="print the keys of all contestants")
    arguments = parser.parse_args(words)
    if arguments.results:
        measuring = ("rounds", "steps", "repeats", "only", "isa", "torch_index", "quick", "no_compile", "list")
        given = [f"--{name.replace('_', '-')}" for name in measuring if getattr(arguments, name)]
        if given:
            parser.error(f"--results measures nothing, so {', '.join(given)} would change nothing: leave one of them out")
    defaults = {"rounds": 3, "steps": 5, "repeats": 3}
    trial = {"rounds": 1, "steps": 2, "repeats": 0}
    for name, value in (trial if arguments.quick else defaults).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def setting_of(arguments: argparse.Namespace, machine: Machine, python: str) -> Setting:
    return Setting(source=SOURCE, binaries=os.path.join(arguments.build, "bin"), python=python, folder=arguments.out,
                   threads=machine.threads, has_bf16=machine.has_bf16, quick=arguments.quick,
                   compiled=not arguments.no_compile, steps=arguments.steps)


def chosen(arguments: argparse.Namespace, setting: Setting) -> List[Contestant]:
    every = all_contestants(setting)
    found = [one for one in every if not arguments.only or arguments.only.search(one.key)]
    if not found:
        raise BenchError(f"--only={arguments.only.pattern} matches none of {len(every)} contestants", "--list shows their keys")
    return found


def record_of(contestant: Contestant) -> Fields:
    fields = dataclasses.asdict(contestant)
    for name in ("command", "steps"):
        del fields[name]
    return {**fields, "turns": [], "failure": None, "about": {}}


def version_of_qfw(setting: Setting) -> str:
    program = os.path.join(setting.binaries, "qfw")
    try:
        output = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        remedy = "`make programs` builds it; --build=DIR names another build"
        raise BenchError(f"{program} does not run: {error}", remedy) from error
    return output.splitlines()[0].replace("qfw", "", 1).strip()


def empty_results(arguments: argparse.Namespace, machine: Machine, setting: Setting, taking_part: List[Contestant]) -> Fields:
    described = {**dataclasses.asdict(machine), "threads": machine.threads}
    return {
        "date": datetime.date.today().isoformat(),
        "quick": arguments.quick,
        "interrupted": False,
        "partial": bool(arguments.only or arguments.no_compile),
        "rounds": arguments.rounds,
        "machine": described,
        "versions": {"qfw": version_of_qfw(setting)},
        "ceilings": None,
        "contestants": [record_of(one) for one in taking_part],
        "aims": [dataclasses.asdict(aim) for aim in aims_for(setting)],
    }


def prepare_peers(machine: Machine, environment: Environment, taking_part: List[Contestant],
                  records: Dict[str, Fields]) -> None:
    failures: Dict[str, Optional[str]] = {}
    for side in sorted({one.side for one in taking_part} - {QFW}):
        if side == ONNX_RUNTIME and machine.cap:
            failures[side] = "it cannot be held to a lower set of instructions"
        else:
            failures[side] = environment.prepare(side)
    for one in taking_part:
        records[one.key]["failure"] = failures.get(one.side)
    for side, failure in failures.items():
        if failure:
            print(f"bench: {side} takes no part: {failure}", file=sys.stderr)


def note_versions(results: Fields) -> None:
    for record in results["contestants"]:
        about = record["about"]
        if "version" in about:
            results["versions"][record["side"]] = about["version"]
        if "torchvision" in about:
            results["versions"]["torchvision"] = about["torchvision"]


def measure(arguments: argparse.Namespace, machine: Machine, setting: Setting, environment: Environment) -> Fields:
    taking_part = chosen(arguments, setting)
    results = empty_results(arguments, machine, setting, taking_part)
    records = {record["key"]: record for record in results["contestants"]}
    # Threads and children keep to these: one processor of each core.
    os.sched_setaffinity(0, machine.cores)
    try:
        prepare_peers(machine, environment, taking_part, records)
        results["ceilings"] = measure_ceilings(setting, taking_part, child_environment(machine, dict(os.environ)))
        competition = Competition(machine, arguments.out, arguments.repeats)
        for stage in STAGES:
            staged = [one for one in taking_part if one.stage == stage]
            if staged:
                competition.run(staged, records, arguments.rounds)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        results["interrupted"] = True
    note_versions(results)
    return results


def write(path: str, content: str) -> None:
    partial = f"{path}.partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(content)
    os.replace(partial, path)


def has_turns(results: Fields) -> bool:
    return any(record["turns"] for record in results["contestants"])


def make_folder(folder: str) -> None:
    """Before anything is measured, so that an hour is not lost to a wrong name."""
    try:
        os.makedirs(folder, exist_ok=True)
        for name in RESULTS:
            if os.path.isdir(os.path.join(folder, name)):
                raise OSError(f"{name} is a folder there")
        probe = os.path.join(folder, f".{RESULTS[0]}.partial")
        with open(probe, "w", encoding="utf-8"):
            pass
        os.remove(probe)
    except OSError as error:
        raise BenchError(f"--out={folder} takes no results: {error}", "name a folder that may be written") from error


def keep_earlier(results: Fields, folder: str) -> None:
    """Whole results of an earlier run stay beside those of one that was interrupted, or measured less."""
    path = os.path.join(folder, RESULTS[0])
    if not (results["interrupted"] or results["partial"]) or not os.path.exists(path):
        return
    try:
        earlier = read_results(path)
    except BenchError:
        return
    if earlier["interrupted"] or earlier.get("partial"):
        return
    for name in RESULTS:
        whole = os.path.join(folder, name)
        if os.path.exists(whole):
            os.replace(whole, os.path.join(folder, f"whole_{name}"))
    print(f"bench: the whole results of {earlier['date']} are now whole_{RESULTS[0]} there", file=sys.stderr)


def save(results: Fields, folder: str) -> None:
    keep_earlier(results, folder)
    for name, content in zip(RESULTS, (json.dumps(results, indent=1) + "\n", text_report(results) + "\n", chart(results))):
        write(os.path.join(folder, name), content)


def update_document(results: Fields) -> None:
    reasons = {"quick": "these results are of a trial", "interrupted": "these results were interrupted",
               "partial": "these results are of some contestants only (--only, --no-compile)"}
    for reason in (reasons[name] for name in reasons if results.get(name)):
        raise BenchError(f"docs/performance.md stays as it is: {reason}", "measure in full")
    kind = results["machine"]["kind"]
    picture = f"performance_{kind}.svg"
    with open(DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    renewed = with_section(document, kind, markdown_report(results, picture))
    if renewed is None:
        raise BenchError(f"docs/performance.md has no complete section for {kind} and no line `<!-- bench: more -->`",
                         "put that line where sections of further processors belong")
    write(os.path.join(SOURCE, "docs", picture), chart(results))
    write(DOCUMENT, renewed)
    print(f"bench: docs/performance.md and docs/{picture} are renewed", file=sys.stderr)


KNOWN = {"date", "quick", "interrupted", "rounds", "machine", "versions", "ceilings", "contestants", "aims"}


def read_results(path: str) -> Fields:
    try:
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
        missing = KNOWN - set(results if isinstance(results, dict) else ())
        if missing:
            raise ValueError(f"it holds no {', '.join(sorted(missing))}")
        text_report(results)
        return results
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise BenchError(f"{path} cannot be read as results: {what}", "give a results.json of this program") from error


def run(arguments: argparse.Namespace) -> int:
    arguments.out = os.path.abspath(arguments.out)
    environment = Environment(arguments.out, arguments.torch_index)
    if arguments.results:
        results = read_results(arguments.results)
    else:
        machine = this_machine(arguments.isa)
        setting = setting_of(arguments, machine, environment.python)
        if arguments.list:
            print("\n".join(one.key for one in chosen(arguments, setting)))
            return 0
        if arguments.quick and arguments.update_docs:
            raise BenchError("--update-docs does not go with --quick: its numbers mean nothing", "leave one of them out")
        if arguments.update_docs and (arguments.only or arguments.no_compile):
            raise BenchError("--update-docs goes with all contestants: a part of them would replace a whole section",
                             "leave out --only and --no-compile")
        make_folder(arguments.out)
        results = measure(arguments, machine, setting, environment)
        if not has_turns(results):
            print(f"bench: nothing was measured, so {arguments.out} stays as it is", file=sys.stderr)
            return 130 if results["interrupted"] else 1
        save(results, arguments.out)
    print(text_report(results))
    if results["interrupted"]:
        return 130
    if arguments.update_docs:
        update_document(results)
    return 0 if has_turns(results) else 1


def main() -> int:
    # Like Ctrl-C, so that an end by either leaves no process behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(parse(sys.argv[1:]))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
