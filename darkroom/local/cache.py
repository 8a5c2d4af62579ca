"""Folders and files that survive two of us at once, and a kill in the middle."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from darkroom.local.part import LocalError


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where this user keeps what can be fetched again: DARKROOM_CACHE, or the place this system has for caches."""
    if given := environ.get("DARKROOM_CACHE"):
        return Path(given).expanduser().absolute()
    if sys.platform == "darwin":
        return Path("~/Library/Caches/darkroom").expanduser()
    # The XDG specification asks to ignore a relative path.
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()) / "darkroom"


def usable_folder(path: Path, *, setting: str) -> Path:
    """`path` as a folder we can write in, made if need be. `LocalError` names `setting` as the way to another."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise cannot_write(path, error, setting=setting) from error


def cannot_write(path: Path, error: OSError, *, setting: str) -> LocalError:
    """What to tell a person when writing at `path` failed."""
    if error.errno == errno.ENOSPC:
        return LocalError(f"no space left at {path}: free some, or name another place with {setting}")
    return LocalError(
        f"cannot write in {path} ({error.strerror}): make it writable, or name another place with {setting}"
    )


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Put `text` at `path`, so that a reader sees all of it or what was there before, also after a crash."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Be the only process of this machine in here for `folder`; the others wait. A kill lets go."""
    import fcntl  # not on Windows, where we want to get as far as saying so

    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
