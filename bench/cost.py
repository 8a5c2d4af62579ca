"""What processes took of the machine, as the kernel counts it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import psutil

OURS = "bench"
"""The process that measures: in a limit, its client."""
REST = "rest"
"""What nobody we know took on our cores: the kernel's own threads, and whoever else works on this machine."""


@dataclass(frozen=True)
class Meter:
    """Reads the CPU time of named processes, each with all that it started, and of this one alone."""

    pids: Mapping[str, int]

    def seconds(self) -> dict[str, float]:
        """CPU seconds by name since each process began, and of the rest since the machine was started."""
        taken = {name: _family_seconds(pid) for name, pid in self.pids.items()} | {OURS: process_time()}
        return taken | {REST: _busy_seconds() - sum(taken.values())}


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was taken between two readings of one meter."""
    return {name: max(after[name] - before[name], 0.0) for name in before}


def _busy_seconds() -> float:
    """Of the cores that we may use, whoever used them."""
    ours = os.sched_getaffinity(0)
    cores = [times for number, times in enumerate(psutil.cpu_times(percpu=True)) if number in ours]
    # Guests are counted within user and nice already.
    return sum(core.user + core.nice + core.system + core.irq + core.softirq for core in cores)


def _family_seconds(pid: int) -> float:
    """Of a process and its children; what those that ended took stands in their parent's account."""
    root = psutil.Process(pid)
    return sum(sum(member.cpu_times()[:4]) for member in (root, *root.children(recursive=True)))


class Memory:
    """The resident memory of one process, and the most it ever was since `forget`."""

    def __init__(self, pid: int) -> None:
        self._proc = Path("/proc") / str(pid)

    def now(self) -> int:
        """Bytes."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """Bytes, at its highest: the kernel misses no moment, as a sampler would."""
        return self._status("VmHWM")

    def forget(self) -> None:
        """Let the peak begin again at what is resident now."""
        (self._proc / "clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1_024
        raise KeyError(name)
