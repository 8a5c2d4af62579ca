"""Processes that fold partition numbers beside this one: Python folds on one core, and a long log is worth several.

Each has connections of its own. Nobody hands the numbers out: they lie in a pipe as one byte each, and whoever has time
reads the next. What a worker must know comes over its stdin, because it holds secrets; the same pipe, which we never
close before, tells it by its end that we are gone.
"""

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ledger_service.filling import Filling, Tell
from schemas.identity import PARTITIONS
from stage.cores import cores
from stage.settings import KafkaSettings
from stage.sift import Partition

MOST = 4  # PostgreSQL writes behind them, on cores of its own if there are some
WORTH = 50_000  # records for each process: a worker is ready after about a second, in which we fold half as many
SIZE_BYTES = 4  # before each message of a worker


class WorkerDiedError(Exception):
    """A process that folded a part of the log has ended too early: what it folded is not whole."""


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do, and all that a worker must know for it."""

    kafka: KafkaSettings
    database_url: str = field(repr=False)
    ends: Mapping[Partition, int]
    limit: int
    """Bytes, as `gather.LIMIT`, for one process."""
    numbers: int
    """The pipe's descriptor."""

    def left(self) -> Iterator[list[int]]:
        """Takes one partition number after the other, which nobody else has taken, until there is none."""
        while taken := os.read(self.numbers, 1):
            yield list(taken)


@dataclass(frozen=True, slots=True)
class Workers:
    """How workers reach the log and the ledger's tables. `processes` is how many fold, if people said so."""

    kafka: KafkaSettings
    database_url: str = field(repr=False)
    processes: int | None = None

    def worth(self, records: int) -> int:
        """How many processes shall fold so many records, this one included."""
        return self.processes or max(1, min(cores(), MOST, records // WORTH))

    async def fold(
        self, ends: Mapping[Partition, int], filling: Filling, limit: int, processes: int, tell: Tell
    ) -> None:  # fmt: skip
        """Have everything below `ends` folded by so many processes, of which this one fills `filling`.

        What fails in a worker is raised here, `WorkerDiedError` when it could not say what. At the end, whatever it is,
        no worker is left.
        """
        with _numbers() as numbers:
            work = Work(self.kafka, self.database_url, ends, limit, numbers)
            folding = [asyncio.create_task(_worker(work, tell)) for _ in range(processes - 1)]
            folding.append(asyncio.create_task(filling.fill(ends, work.left(), tell)))
            try:
                await asyncio.gather(*folding)
            finally:
                for each in folding:
                    each.cancel()
                await asyncio.wait(folding)


async def _worker(work: Work, tell: Tell) -> None:
    """One worker, from its start to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ledger_service.folding", stdin=PIPE, stdout=PIPE, pass_fds=[work.numbers],
        start_new_session=True,  # a Ctrl-C is for us to hear
    )  # fmt: skip
    try:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        process.stdin.write(pickle.dumps(work))
        async for told in _messages(process.stdout):
            if isinstance(told, Exception):
                raise told
            tell(told)
        if code := await process.wait():
            raise WorkerDiedError(f"a process that folded a part of the log has ended too early, with {code}")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _messages(told: asyncio.StreamReader) -> AsyncIterator[Any]:
    with suppress(asyncio.IncompleteReadError):
        while True:
            size = int.from_bytes(await told.readexactly(SIZE_BYTES))
            yield pickle.loads(await told.readexactly(size))  # noqa: S301 - our own process wrote it


def message(told: int | Exception) -> bytes:
    """What a worker says: how many facts more it has folded, or why it cannot go on."""
    said = pickle.dumps(told)
    try:
        pickle.loads(said)  # noqa: S301 - written above
    except TypeError:  # an exception that needs more than its words to be made
        said = pickle.dumps(WorkerDiedError(f"{type(told).__name__}: {told}"))
    return len(said).to_bytes(SIZE_BYTES) + said


@contextmanager
def _numbers() -> Iterator[int]:
    """A pipe that holds every partition number once."""
    numbers, filled = os.pipe()
    try:
        os.write(filled, bytes(range(PARTITIONS)))
        os.close(filled)
        yield numbers
    finally:
        os.close(numbers)
