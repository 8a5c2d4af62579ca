"""The folder a local stack lives in: one supervisor at a time, and its secrets."""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from darkroom.local.part import LocalError


def home_from(environ: Mapping[str, str]) -> Path:
    """The home asked for by DARKROOM_HOME, or `.darkroom` in the current folder."""
    return Path(environ.get("DARKROOM_HOME") or ".darkroom")


def shown(path: Path) -> str:
    """The path as people would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def make_home(home: Path) -> None:
    """Make the folder, kept out of version control. `LocalError` when it cannot be written to."""
    try:
        (home / "logs").mkdir(parents=True, exist_ok=True)
        (home / ".gitignore").write_text("*\n")
    except OSError as error:
        raise LocalError(
            f"{shown(home)} cannot be written to ({error.strerror}): choose another folder with --home or DARKROOM_HOME"
        ) from error


@contextmanager
def sole_supervisor(home: Path) -> Iterator[None]:
    """Hold the home's lock, which the kernel gives back however we end. `LocalError` when another holds it."""
    make_home(home)
    with (home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LocalError(
                f"{shown(home)} is in use by the supervisor with pid {supervisor_of(home)}:"
                f" end it with `darkroom down --home {shown(home)}`, or choose another folder with --home"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def supervisor_of(home: Path) -> int | None:
    """The pid of the supervisor that holds this home now. None when nobody does."""
    try:
        with (home / "lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except FileNotFoundError:
        return None
    return None


def password(home: Path, name: str) -> str:
    """The password kept for `name`: made once, readable by the owner alone."""
    path = home / "secrets" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(24))
        fresh.replace(path)
    return path.read_text()
