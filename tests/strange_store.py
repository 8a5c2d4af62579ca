"""A faulty S3 in front of a real one: passes requests on, and goes wrong as it is told."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PIECE = 1 << 16
ANY = ""


@dataclass(frozen=True)
class Refuses:
    """An error of the store's, such as 503 SlowDown."""

    status: int
    code: str


@dataclass(frozen=True)
class Silent:
    """Takes the request and says nothing."""


@dataclass(frozen=True)
class Slow:
    """Passes on at so many bytes a second."""

    bytes_per_second: int


@dataclass(frozen=True)
class Resets:
    """Breaks the connection after so many bytes of the request's body, or of the answer's."""

    after: int
    answer: bool = False


@dataclass(frozen=True)
class Forgets:
    """Says 200 to a PUT and keeps nothing. `tag`: the right one, another, or none."""

    tag: str = "right"


@dataclass(frozen=True)
class WrongTag:
    """Keeps it, and answers with a tag that is no sum of it, or none."""

    tag: str = '"0123456789abcdef0123456789abcdef"'


@dataclass(frozen=True)
class LosesAnswer:
    """Does it, and breaks the connection instead of saying so."""


Fault = LosesAnswer | Refuses | Silent | Slow | Resets | Forgets | WrongTag


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]


class StrangeStore:
    """Listens on a port of its own and remembers what it was asked. Signatures hold: nothing that is signed changes."""

    def __init__(self, real: str) -> None:
        self._real = urlsplit(real)
        self.url = ""
        self.asked: list[Asked] = []
        self._faults: list[tuple[str, Fault | None]] = []
        self._always: tuple[str, Fault] | None = None
        self._open_for: set[asyncio.StreamWriter] = set()
        self._news = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def before(cls, real: str) -> AsyncIterator["StrangeStore"]:
        """One in front of the store at `real`, well for now."""
        store = cls(real)
        async with await asyncio.start_server(store._serve, "127.0.0.1", 0, limit=1 << 20) as server:
            store.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield store
            finally:
                for writer in store._open_for:
                    writer.transport.abort()

    def goes_wrong(self, *faults: Fault | None, on: str = "PUT") -> None:
        """The next requests of this kind go wrong, one after the other; None lets one pass."""
        self._faults += [(on, fault) for fault in faults]

    def stays_wrong(self, fault: Fault, on: str = ANY) -> None:
        """Every request of this kind goes wrong, until it `recovers`."""
        self._always = (on, fault)

    def recovers(self) -> None:
        """From now on it is as good as the real one."""
        self._always, self._faults = None, []

    def count(self, method: str) -> int:
        """How many such requests came."""
        return sum(asked.method == method for asked in self.asked)

    async def seen(self, method: str, count: int) -> None:
        """Return once so many such requests have come."""
        async with self._news:
            await self._news.wait_for(lambda: self.count(method) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        self._open_for.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            asked = _asked(head)
            async with self._news:
                self.asked.append(asked)
                self._news.notify_all()
            await self._answer(asked, head, reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # one side hung up; the other sees it as it would see it of a real store
        finally:
            self._open_for.discard(writer)
            writer.close()

    async def _answer(
        self, asked: Asked, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match self._fault_for(asked.method):
            case Refuses(status, code):
                await _swallow(asked, reader, writer)
                words = f"<Error><Code>{code}</Code><Message>so it goes</Message></Error>".encode()
                _say(writer, status, {"Content-Type": "application/xml"}, words)
            case Silent():
                await reader.read()  # until they hang up
            case Forgets(tag):
                right = f'"{await _swallow(asked, reader, writer)}"'
                tags = {"right": {"ETag": right}, "none": {}}
                _say(writer, 200, tags.get(tag, {"ETag": tag}))
            case fault:
                await self._pass_on(asked, head, reader, writer, fault)

    def _fault_for(self, method: str) -> Fault | None:
        for number, (on, fault) in enumerate(self._faults):
            if on in (ANY, method):
                del self._faults[number]
                return fault
        if self._always and self._always[0] in (ANY, method):
            return self._always[1]
        return None

    async def _pass_on(
        self, asked: Asked, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None
    ) -> None:
        real_reader, real = await asyncio.open_connection(self._real.hostname, self._real.port)
        try:
            head = re.sub(rb"(?im)^connection:.*\r\n", b"", head)
            real.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            up = asyncio.create_task(_carry(reader, real, _speed(fault), _cut(fault, answer=False)))
            down = asyncio.create_task(_answered(real_reader, writer, fault))
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            if up.done() and up.result():
                writer.transport.abort()
                down.cancel()
            else:
                await down
                up.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(up, down)
        finally:
            real.transport.abort()


async def _answered(real: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> bool:
    """Hand the answer down. What goes before it (100 Continue) is none yet."""
    while True:
        head = await real.readuntil(b"\r\n\r\n")
        if isinstance(fault, LosesAnswer) and not head.startswith(b"HTTP/1.1 100"):
            writer.transport.abort()
            return True
        if isinstance(fault, WrongTag):
            head = re.sub(rb"(?im)^etag:.*\r\n", f"ETag: {fault.tag}\r\n".encode() if fault.tag else b"", head)
        writer.write(head)
        if not head.startswith(b"HTTP/1.1 100"):
            break
    cut = await _carry(real, writer, None, _cut(fault, answer=True))
    if cut:
        await asyncio.sleep(0.05)  # what was written should leave before the reset overtakes it
        writer.transport.abort()
    return cut


async def _carry(source: asyncio.StreamReader, to: asyncio.StreamWriter, speed: int | None, cut: int | None) -> bool:
    """Carry bytes over until they end. Whether they were cut."""
    carried = 0
    while piece := await source.read(min(PIECE, speed // 20 if speed else PIECE)):
        if cut is not None and carried + len(piece) > cut:
            to.write(piece[: cut - carried])
            return True
        to.write(piece)
        await to.drain()
        carried += len(piece)
        if speed:
            await asyncio.sleep(len(piece) / speed)
    return False


def _speed(fault: Fault | None) -> int | None:
    return fault.bytes_per_second if isinstance(fault, Slow) else None


def _cut(fault: Fault | None, *, answer: bool) -> int | None:
    return fault.after if isinstance(fault, Resets) and fault.answer is answer else None


def _asked(head: bytes) -> Asked:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Asked(method, target, headers)


async def _swallow(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Take the body and its MD5. Who waits for a sign to send it gets one."""
    if "expect" in asked.headers:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    md5, left = hashlib.md5(usedforsecurity=False), int(asked.headers.get("content-length", 0))
    while left and (piece := await reader.read(min(PIECE, left))):
        md5.update(piece)
        left -= len(piece)
    return md5.hexdigest()


def _say(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    headers = headers | {"Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status} So", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
