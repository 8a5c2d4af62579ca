"""The end of a log, and what is added to it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from darkroom.local.child import log_file
from darkroom.local.services import full_name

BLOCK = 64 * 1024
LOOK_EVERY = 0.2  # seconds


class UnknownLogError(Exception):
    """There is no log of that name: names those there are."""


def log_of(home: Path, name: str) -> Path:
    """The log of a part of `home`, whether it runs or not. `UnknownLogError` when it never did."""
    log = log_file(home, full_name(name))
    known = sorted(log.stem for log in log.parent.glob("*.log"))
    if log.stem not in known:
        there = f"choose one of {', '.join(known)}" if known else f"nothing ever ran in {home}"
        raise UnknownLogError(f"there is no log of {name!r}: {there}")
    return log


def last_lines(log: Path, count: int) -> list[str]:
    """The last `count` lines of `log`, read from its end: a long log costs no more than a short one."""
    with log.open("rb") as file:
        position, tail = file.seek(0, os.SEEK_END), b""
        while position and tail.count(b"\n") <= count:
            step = min(BLOCK, position)
            position -= step
            file.seek(position)
            tail = file.read(step) + tail
    lines = tail.decode(errors="replace").splitlines()
    return lines[-count:] if count else []


def follow(log: Path) -> Iterator[str]:
    """What is added to `log` from now on, for ever; goes on in the new file when the log is put aside."""
    file = log.open("rb")
    file.seek(0, os.SEEK_END)
    while True:
        if added := file.read():
            yield added.decode(errors="replace")
        elif log.exists() and os.fstat(file.fileno()).st_ino != log.stat().st_ino:
            file.close()
            file = log.open("rb")
        else:
            time.sleep(LOOK_EVERY)
