"""Asks an HTTP server over and over: `python -m bench.load` reads one load per line, and says what came of it.

A process of its own, so that the server has its core to itself. It knows no more of HTTP than our own servers say:
an answer has a `content-length` and its connection is kept.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle
from time import perf_counter
from typing import Any, cast

from bench.place import NoFigureError
from darkroom.local.ports import HOST

LINE_BYTES = 2**26
PATIENCE = 30.0
"""Seconds beyond its time that a load may take; then the server is stuck."""
LENGTH = b"\r\ncontent-length: "
MILLISECONDS = 1_000


@dataclass(frozen=True)
class Load:
    """So many connections, each asking the next of `requests` as soon as it was answered, for so many seconds."""

    port: int
    connections: int
    seconds: float
    requests: Sequence[str]
    status: int
    """What each answer has to be."""


@dataclass(frozen=True)
class Answered:
    """What came of a load: milliseconds of each answer, and how long it took until the last one."""

    times: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        """Answers."""
        return len(self.times) / self.seconds


@dataclass
class _Run:
    status: bytes
    until: float
    requests: Iterator[bytes]
    times: list[float] = field(default_factory=list)
    wrong: str = ""


class _Lane(asyncio.Protocol):
    """One connection. `done` is set when its time is over, or when an answer was not the right one."""

    def __init__(self, run: _Run) -> None:
        self._run, self._heard, self._asked = run, b"", 0.0
        self.done = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own kind of it
        self._ask()

    def data_received(self, data: bytes) -> None:
        heard = self._heard + data if self._heard else data
        end = heard.find(b"\r\n\r\n")
        if end < 0 or len(heard) < end + 4 + _length(heard, end):
            self._heard = heard
            return
        now, self._heard = perf_counter(), b""
        self._run.times.append(MILLISECONDS * (now - self._asked))
        if heard[9:12] != self._run.status:
            self._run.wrong = heard[:300].decode(errors="replace")
        if now < self._run.until and not self._run.wrong:
            self._ask()
        else:
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._run.wrong = f"the connection was lost: {exc}"
            self.done.set_result(None)

    def _ask(self) -> None:
        self._asked = perf_counter()
        self._transport.write(next(self._run.requests))


def _length(heard: bytes, end: int) -> int:
    at = heard.index(LENGTH, 0, end) + len(LENGTH)
    return int(heard[at : heard.index(b"\r\n", at)])


async def ask(load: Load) -> Answered:
    """Make that load from this process. Raises `NoFigureError` with the first answer that was not the right one."""
    loop, began = asyncio.get_running_loop(), perf_counter()
    run = _Run(str(load.status).encode(), began + load.seconds, cycle([each.encode() for each in load.requests]))
    lanes = [await loop.create_connection(lambda: _Lane(run), HOST, load.port) for _ in range(load.connections)]
    async with asyncio.timeout(load.seconds + PATIENCE):
        await asyncio.gather(*(lane.done for _, lane in lanes))
    if run.wrong:
        raise NoFigureError(f"an answer was not the right one: {run.wrong}")
    return Answered(run.times, perf_counter() - began)


@dataclass(frozen=True)
class Loader:
    """The other process."""

    process: Process

    async def ask(self, load: Load) -> Answered:
        """Make that load from there. Raises `NoFigureError` when it could not be made."""
        told, said = self.process.stdin, self.process.stdout
        assert told is not None and said is not None  # noqa: S101, PT018 - both are piped
        told.write(json.dumps(asdict(load)).encode() + b"\n")
        async with asyncio.timeout(load.seconds + 2 * PATIENCE):
            line = await said.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"fault": "the loader ended: see above"}
        if "fault" in answer:
            raise NoFigureError(answer["fault"])
        return Answered(**answer)


@asynccontextmanager
async def loader() -> AsyncIterator[Loader]:
    """A loader that waits for loads, until the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", stdin=PIPE, stdout=PIPE, limit=LINE_BYTES, env=dict(os.environ)
    )
    try:
        yield Loader(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def main() -> None:
    """Make each load of stdin, and write what came of it to stdout."""
    import uvloop

    from bench.running import as_a_service_collects

    as_a_service_collects()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            try:
                said = asdict(runner.run(ask(Load(**json.loads(line)))))
            except (NoFigureError, OSError, TimeoutError) as fault:
                said = {"fault": str(fault) or type(fault).__name__}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
