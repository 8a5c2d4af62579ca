"""Which cores processes run on."""

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

ENOUGH = 4
"""Cores: one for the server that is measured, one for who asks it, two for Kafka and PostgreSQL."""


def apart(measured: Iterable[int], asking: int, others: Iterable[int]) -> bool:
    """Give those that are measured one core, in turns, who asks another one, and all others the rest.

    With too few cores nobody is moved, and False returned. Ourselves we leave where we are: we only wait.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < ENOUGH:
        return False
    for pid in measured:
        _pin(pid, {cores[-1]})
    _pin(asking, {cores[-2]})
    for pid in others:
        _pin(pid, set(cores[:-2]))
    return True


def _pin(pid: int, cores: set[int]) -> None:
    """A process and its children, with the threads that they have; later ones inherit it."""
    root = psutil.Process(pid)
    for member in (root, *root.children(recursive=True)):
        for thread in Path(f"/proc/{member.pid}/task").glob("*"):
            try:
                os.sched_setaffinity(int(thread.name), cores)
            except ProcessLookupError:
                continue  # it has ended meanwhile
