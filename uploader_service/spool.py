"""This instance's folder for outputs that cannot be stored at once."""

import asyncio
import errno
import os
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stage.telemetry import get_logger
from uploader_service.landing import Landing
from uploader_service.uploads import Claim

log = get_logger(__name__)

ABANDONED_SECONDS = 3_600.0
"""A file that was begun and not written to for so long belongs to a process that is no more."""
BROKEN = {errno.EIO, errno.EBADMSG}
"""What a disk answers that has lost a file. Other faults are the machine's or its operator's, and stop the service."""
OUTPUT = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,7})\.(\d)\.\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes in hand: where they are, and the name of the file that they are or may become."""

    file: str
    landing: Landing


class Spool:
    """The files of this instance. Names tell the output, so that even a file no row speaks of finds its way."""

    def __init__(self, root: Path, instance: str, memory_bytes: int) -> None:
        self.owner = instance
        self._root, self._folder, self._memory_bytes = root, root / quote(instance, safe=""), memory_bytes
        self._in_hand: dict[str, int] = {}
        self._left: dict[str, str] = {}

    async def open(self) -> None:
        """Make the folder, and see what an earlier life left in it. Raises OSError when it cannot be written to."""
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        if not os.access(self._folder, os.W_OK | os.X_OK):  # by asking: a full disk must not keep us from starting
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        await self.idle_files()

    def landing(self, claim: Claim) -> Held:
        """Room for what a claim fetches; no other claim has the same."""
        file = f"{_output(claim)}.{claim.fence}"
        return self._take(file, Landing(self._folder / file, self._memory_bytes))

    async def left_behind(self, claim: Claim) -> Held | None:
        """What was fetched for this output and kept before, though its row may not speak of it."""
        file = self._left.pop(_output(claim), None)
        return await self.kept(file) if file else None

    async def kept(self, file: str) -> Held | None:
        """A kept file, read through for its sum, or None when it is not there or the disk has lost it."""
        try:
            landing = await Landing.kept(self._folder / file, self._memory_bytes)
        except OSError as fault:
            if fault.errno not in BROKEN:
                raise
            log.error("a spool file cannot be read", file=file, fault=str(fault))
            return None
        return self._take(file, landing) if landing else None

    def release(self, held: Held) -> None:
        """It is in nobody's hands any more; what is left of it is for the rows to say."""
        self._in_hand[held.file] -= 1
        if not self._in_hand[held.file]:
            del self._in_hand[held.file]

    async def idle_files(self) -> dict[str, float]:
        """Every kept file that is in nobody's hands, with its age in seconds. Ends what was only begun, long ago."""
        there = await asyncio.to_thread(_files, self._folder)
        begun = {n: age for n, age in there.items() if n.endswith(".part") and n[: -len(".part")] not in self._in_hand}
        await self.remove([name for name, age in begun.items() if age > ABANDONED_SECONDS])
        kept = {n: age for n, age in there.items() if not n.endswith(".part") and n not in self._in_hand}
        self._left = {name.rpartition(".")[0]: name for name in kept}
        return kept

    async def remove(self, files: Collection[str]) -> None:
        """Remove files. One that is not there is fine."""
        for file in files:
            await asyncio.to_thread((self._folder / file).unlink, missing_ok=True)

    async def remove_others(self, older_than: float) -> int:
        """Remove what instances that are no more left beside us, after so many seconds. Returns how many files."""
        return await asyncio.to_thread(self._remove_others, older_than)

    def _remove_others(self, older_than: float) -> int:
        removed = 0
        for folder in self._root.iterdir():
            if folder != self._folder and folder.is_dir():
                for name in (name for name, age in _files(folder).items() if age > older_than):
                    (folder / name).unlink(missing_ok=True)
                    removed += 1
        return removed

    def _take(self, file: str, landing: Landing) -> Held:
        self._in_hand[file] = self._in_hand.get(file, 0) + 1
        return Held(file, landing)


def output_of(file: str) -> tuple[str, int, int] | None:
    """Job, revision and index that a file's name tells; None when it is no such name."""
    told = OUTPUT.fullmatch(file)
    return (told[1], int(told[2]), int(told[3])) if told else None


def _output(claim: Claim) -> str:
    return f"{claim.job_id}.{claim.revision}.{claim.index}"


def _files(folder: Path) -> dict[str, float]:
    now = time.time()
    ages: dict[str, float] = {}
    for file in folder.iterdir():
        try:
            ages[file.name] = now - file.stat().st_mtime
        except FileNotFoundError:
            continue  # gone since it was listed
    return ages
