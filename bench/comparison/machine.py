"""The processor that everything is measured on: its kind, its cores, and what others take of it meanwhile."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Set

from .error import BenchError

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def list_of_cpus(text: str) -> List[int]:
    """`0-2,8` as the kernel writes it."""
    cpus: List[int] = []
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def one_cpu_per_core(allowed: Set[int], siblings: Dict[int, List[int]]) -> List[int]:
    """The first allowed one of those that share a core."""
    chosen: List[int] = []
    taken: Set[int] = set()
    for cpu in sorted(allowed):
        if cpu not in taken:
            chosen.append(cpu)
            taken.update(siblings.get(cpu, [cpu]), [cpu])
    return chosen


def physical_cores() -> List[int]:
    allowed = os.sched_getaffinity(0)
    folder = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    siblings = {cpu: list_of_cpus(read(folder.format(cpu))) for cpu in allowed}
    return one_cpu_per_core(allowed, siblings)


def processor_fields(cpuinfo: str) -> Dict[str, str]:
    """Of the first processor."""
    lines = (line.partition(":") for line in cpuinfo.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def kind_of(flags: Set[str], architecture: str) -> str:
    """A name for processors whose results compare: those with the same instructions for f32, bf16 and int8."""
    if "amx_int8" in flags:
        return "amx"
    if "avx512f" in flags:
        parts = ["avx512"] + ["vnni"] * ("avx512_vnni" in flags) + ["bf16"] * ("avx512_bf16" in flags)
        return "-".join(parts)
    if "avx2" in flags:
        return "avx2-vnni" if "avx_vnni" in flags else "avx2"
    return architecture


@dataclass(frozen=True)
class Cap:
    """A lower set of instructions that a processor is held to, in the words of those who can be told."""

    one_dnn: str  # qfw's own kernels follow it, too
    aten: str
    mkl: str
    has_bf16: bool
    flags: Set[str]  # of a processor that has it

    def environment(self) -> Dict[str, str]:
        return {"ONEDNN_MAX_CPU_ISA": self.one_dnn, "ATEN_CPU_CAPABILITY": self.aten, "MKL_ENABLE_INSTRUCTIONS": self.mkl}


AVX512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
CAPS = {
    "avx2": Cap("AVX2", "avx2", "AVX2", False, {"avx2", "fma"}),
    "avx512": Cap("AVX512_CORE", "avx512", "AVX512", False, AVX512),
    "avx512-vnni": Cap("AVX512_CORE_VNNI", "avx512", "AVX512", False, AVX512 | {"avx512_vnni"}),
    "avx512-vnni-bf16": Cap("AVX512_CORE_BF16", "avx512", "AVX512", True, AVX512 | {"avx512_vnni", "avx512_bf16"}),
}


@dataclass(frozen=True)
class Machine:
    processor: str
    kind: str
    cores: List[int]
    memory_gib: float
    has_bf16: bool
    cap: Optional[str] = None

    @property
    def threads(self) -> int:
        return len(self.cores)


def capped(machine: Machine, cap: str, flags: Set[str]) -> Machine:
    lacking = CAPS[cap].flags - flags
    if lacking:
        raise BenchError(f"--isa={cap}: this processor has no {', '.join(sorted(lacking))}", "choose a set that it has")
    return replace(machine, kind=f"{cap}-capped", has_bf16=CAPS[cap].has_bf16, cap=cap)


def this_machine(cap: Optional[str] = None) -> Machine:
    fields = processor_fields(read("/proc/cpuinfo"))
    flags = set(fields.get("flags", "").split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = Machine(
        processor=fields.get("model name", "unknown"),
        kind=kind_of(flags, os.uname().machine),
        cores=physical_cores(),
        memory_gib=round(memory, 1),
        has_bf16=bool(flags & {"avx512_bf16", "amx_bf16"}),
    )
    return capped(machine, cap, flags) if cap else machine


def available_gib(meminfo: str) -> float:
    """Without a limit where the kernel does not tell."""
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) / 2**20
    return float("inf")


def busy_seconds(stat: str, cpus: List[int]) -> Optional[float]:
    """What all processes and, as stolen time, other guests have had of these processors, from /proc/stat."""
    total, found = 0, 0
    wanted = {f"cpu{cpu}" for cpu in cpus}
    for line in stat.splitlines():
        name, *values = line.split()
        if name in wanted and len(values) >= 8:
            user, nice, system, _, _, irq, soft_irq, steal = map(int, values[:8])
            total += user + nice + system + irq + soft_irq + steal
            found += 1
    return total / TICKS_PER_SECOND if found == len(wanted) else None


def process_seconds(stat: str) -> float:
    """Processor time of a process and of its children that have ended, from /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND if len(fields) > 14 else 0.0


def seconds_of_own(pids: List[int]) -> float:
    """This process with what has ended below it, and those that are alive."""
    return sum(process_seconds(read(f"/proc/{pid}/stat")) for pid in [os.getpid(), *pids])


def child_environment(machine: Machine, base: Dict[str, str]) -> Dict[str, str]:
    """What every contestant starts with: as many threads as cores, the machine's cap, and nothing that the caller's shell sets
    for OpenMP, for instructions or for memory."""
    dropped = ("OMP_", "KMP_", "GOMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "OPENBLAS_", "MALLOC_", "GLIBC_TUNABLES", "QFW_DUMP",
               "LD_PRELOAD")
    kept = {name: value for name, value in base.items() if not name.startswith(dropped)}
    cap = CAPS[machine.cap].environment() if machine.cap else {}
    threads = str(machine.threads)
    return {**kept, **cap, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONDONTWRITEBYTECODE": "1"}


def peer_environment(machine: Machine, base: Dict[str, str]) -> Dict[str, str]:
    """The peers' best setting: memory of tensors is kept on huge pages instead of being given back and faulted in again."""
    tunables = {"hugetlb": 1, "mmap_threshold": 1 << 32, "trim_threshold": 1 << 34, "arena_max": 1}
    return {
        **child_environment(machine, base),
        "GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in tunables.items()),
        "THP_MEM_ALLOC_ENABLE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
