"""Processes by pid and creation time: a pid alone may have been given to a stranger."""

import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from darkroom.local.state import PartState, State

SAME = 1.0  # seconds: a creation time is told from the wall clock, which is slewed


def created(pid: int) -> float | None:
    """When process `pid` was created. None when there is no such process any more."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def living(part: PartState) -> psutil.Process | None:
    """The process of this part, when it still runs and is no stranger with a reused pid."""
    if part.pid is None or part.created is None:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(part.pid)
        if abs(process.create_time() - part.created) < SAME and _runs(process):
            return process
    return None


def as_it_is(part: PartState, supervised: bool) -> PartState:
    """The written state, corrected by what really runs: nobody writes down a kill -9."""
    if living(part) is not None:
        return part
    unseen = part.state in (State.STARTING, State.READY)
    gone = part.model_copy(update={"pid": None, "created": None})
    if not supervised and part.state is not State.FAILED:
        return gone.model_copy(update={"state": State.STOPPED})
    return gone.model_copy(update={"state": State.RESTARTING}) if unseen else gone


def end_leftovers(parts: Iterable[PartState], patience: float = 5.0) -> list[PartState]:
    """End the parts a killed supervisor left running, children included, and name those that were.

    Each is asked with its own stop signal first, and killed when it has not gone after `patience` seconds.
    """
    found = [(part, process) for part in parts if (process := living(part)) is not None]
    family = [member for _, process in found for member in _family(process)]
    for part, process in found:
        _tell(process, part.stop_signal)
    for process in _still_there(family, patience):
        _tell(process, signal.SIGKILL)
    _still_there(family, patience)
    return [part for part, _ in found]


def _still_there(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    """Those that still run after `patience` seconds; returns as soon as there are none."""
    deadline = time.monotonic() + patience
    while (there := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return there


def _runs(process: psutil.Process) -> bool:
    """False also for a zombie: in a container, nobody may ever bury it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return [process]


def _tell(process: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)  # psutil looks at the creation time once more
