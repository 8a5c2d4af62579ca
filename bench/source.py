"""Where a provider would leave its outputs: `python -m bench.source FOLDER PORT` serves a folder's files.

A process of its own, so that it takes no time from whoever measures, and as little as it can from the machine.
"""

import asyncio
import mmap
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from bench.running import say
from darkroom.local.home import make_home
from darkroom.local.part import Part
from darkroom.local.ports import HOST, claim
from darkroom.local.prepare import exchange
from darkroom.local.supervisor import Supervisor

NAME = "source"
TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4"}


@dataclass(frozen=True, slots=True)
class Source:
    """A server that runs."""

    pid: int
    address: str
    """HOST:PORT, as UPLOADER_ALLOWED_PRIVATE names it."""

    def url(self, name: str) -> str:
        """Where the file of that name lies."""
        return f"http://{self.address}/{name}"


@asynccontextmanager
async def source(folder: Path) -> AsyncIterator[Source]:
    """Serve the files of `folder` until the end, from another process, whose log lies in `folder`/source."""
    home, port = folder / NAME, claim(NAME)
    make_home(home)

    async def ready() -> bool:
        return (await exchange(port, b"GET /none HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")

    argv = (sys.executable, "-m", "bench.source", str(folder), str(port))
    part = Part(name=NAME, argv=argv, env=dict(os.environ), port=port, url=f"http://{HOST}:{port}", ready=ready)
    supervisor = Supervisor(home, say)
    try:
        await supervisor.start(part, 0)
        yield Source(supervisor.keeper(NAME).describe().pid or 0, f"{HOST}:{port}")
    finally:
        await supervisor.stop()


class Files(asyncio.Protocol):
    """Answers each GET of a connection with a file: no more of HTTP than a fetch needs, and no copy of the bytes."""

    def __init__(self, folder: Path, kept: dict[str, mmap.mmap]) -> None:
        self._folder, self._kept = folder, kept
        self._heard = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own kind of it

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            request, _, self._heard = self._heard.partition(b"\r\n\r\n")
            self._answer(request.split(b" ", 2)[1].decode().lstrip("/"))

    def _answer(self, name: str) -> None:
        content = self._content(name)
        if content is None:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        kind = TYPES.get(Path(name).suffix, "application/octet-stream")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        self._transport.writelines([head.encode(), memoryview(content)])

    def _content(self, name: str) -> mmap.mmap | None:
        if name not in self._kept:
            path = self._folder / name
            if path.parent != self._folder or not path.is_file():
                return None
            with path.open("rb") as file:
                self._kept[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._kept[name]


async def serve(folder: Path, port: int) -> None:
    """Serve until the process is ended."""
    kept: dict[str, mmap.mmap] = {}
    server = await asyncio.get_running_loop().create_server(lambda: Files(folder, kept), HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
