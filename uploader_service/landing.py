"""Where the bytes of one output land: in memory while they are few, in a file beyond that."""

import asyncio
import errno
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PORTION = 1 << 20
"""What is written or read at once: a thread is started per portion, not per packet."""
FULL = {errno.ENOSPC, errno.EDQUOT}


class SpoolFullError(Exception):
    """There is no room on the spool's disk; there may be some later."""


class Landing:
    """The bytes of one output, with their size and sum as they come.

    Up to `in_memory` bytes touch no disk. Beyond, they go to `path` with `.part` behind its name; at `path` itself
    there is only ever a whole, kept file. A fault of the disk other than a full one escapes as the OSError it is.
    """

    def __init__(self, path: Path, in_memory: int) -> None:
        self.size = 0
        self.vouched = True  # False: nobody said how long it is, so its end may be missing
        self._path, self._part, self._in_memory = path, path.with_name(f"{path.name}.part"), in_memory
        self._sum = hashlib.sha256()
        self._memory: bytes | None = b""  # everything, or None once a file holds it
        self._gathered: list[bytes] = []  # what came and is in neither yet
        self._gathered_size = 0
        self._file: io.FileIO | None = None
        self._written = 0
        self._on_disk = False  # a file is there, or a thread is about to make one
        self._kept = self._gone = False
        self._lock = threading.Lock()  # a cancelled caller leaves its thread running

    @property
    def sha256(self) -> str:
        """The sum of all bytes so far, in hex."""
        return self._sum.hexdigest()

    @property
    def content(self) -> bytes | None:
        """All of the bytes while they are in memory, else None."""
        if self._memory is not None and self._gathered:
            self._memory = b"".join([self._memory, *self._gathered])
            self._gathered, self._gathered_size = [], 0
        return self._memory

    @classmethod
    async def kept(cls, path: Path, in_memory: int) -> "Landing | None":
        """What an earlier life kept at `path`, read through once for its sum; None when nothing is there."""
        landing = cls(path, in_memory)
        return landing if await asyncio.to_thread(landing._read_kept) else None

    async def write(self, chunk: bytes) -> None:
        """Add bytes at the end. Raises `SpoolFullError`: they are in memory then, and go to the file with the next."""
        self._sum.update(chunk)
        self.size += len(chunk)
        self._gathered.append(chunk)
        self._gathered_size += len(chunk)
        if self.size > self._in_memory and (self._memory is not None or self._gathered_size >= PORTION):
            self._on_disk = True
            await asyncio.to_thread(self._write_out)

    async def restart(self) -> None:
        """Forget what was written: the next byte is the first."""
        await self.discard()
        self._memory, self._sum, self.size, self.vouched, self._gone = b"", hashlib.sha256(), 0, True, False

    async def keep(self) -> None:
        """See to it that everything is in the file and survives a crash, name included. A repeat does nothing.

        After a `SpoolFullError` everything is where it was, and may be kept later.
        """
        if not self._kept:
            self._on_disk = True
            await asyncio.to_thread(self._keep)

    async def read(self, start: int, count: int) -> bytes:
        """Some of the bytes, without holding up anybody else."""
        content = self.content
        if content is not None:
            return content[start : start + count]
        return await asyncio.to_thread(self._read, start, count)

    def head(self, n: int) -> bytes:
        """The first `n` bytes, fewer when there are fewer."""
        content = self.content
        return content[:n] if content is not None else self._read(0, n)

    def open(self) -> BinaryIO:
        """The bytes for reading, from the first. A file may block: what reads a lot of it belongs in a thread."""
        content = self.content
        if content is not None:
            return io.BytesIO(content)
        if self._gathered:
            self._write_out()
        return (self._path if self._kept else self._part).open("rb")

    async def discard(self) -> None:
        """Remove the file, if there is one, and forget what is in memory. A repeat does nothing."""
        self._memory, self._gathered, self._gathered_size, self._gone = None, [], 0, True
        if self._on_disk:
            await asyncio.to_thread(self._remove)
            self._on_disk = False

    def _write_out(self) -> None:
        """Bring what was in memory, and what has gathered since, into the file."""
        with self._lock, _full_disk_named():
            if self._gone:
                return
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file, self._written = self._part.open("wb", buffering=0), 0
            content = b"".join([self._memory or b"", *self._gathered])
            _write_all(self._file, content, after=self._written)
            self._written += len(content)
            self._memory, self._gathered, self._gathered_size = None, [], 0

    def _keep(self) -> None:
        self._write_out()
        with self._lock, _full_disk_named():
            if self._gone or self._file is None:
                return
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
            _sync_folder(self._path.parent)
            self._file, self._kept = None, True

    def _read_kept(self) -> bool:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return False
        with file:
            while portion := file.read(PORTION):
                self._sum.update(portion)
                self.size += len(portion)
        self._memory, self._kept, self._on_disk = None, True, True
        return True

    def _read(self, start: int, count: int) -> bytes:
        with self.open() as file:
            file.seek(start)
            return file.read(count)

    def _remove(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._part.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
            self._kept = False


def _write_all(file: io.FileIO, content: bytes, *, after: int) -> None:
    """Write everything behind the first `after` bytes, or leave nothing there."""
    left = memoryview(content)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError:
        file.truncate(file.seek(after))
        raise


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        if fault.errno in FULL:
            raise SpoolFullError from fault
        raise


def _sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
