"""A server of outputs that goes wrong as it is told: once per fault, then it serves the file whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from darkroom.simulators.ranges import Span, UnsatisfiableError, span_of

PIECE = 1 << 16


class Content(Protocol):
    """What lies at a place; large files need not be in memory."""

    def __len__(self) -> int: ...

    def pieces(self, first: int, last: int) -> Iterator[bytes]:
        """The bytes from `first` up to `last`, in pieces."""


class Whole:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return len(self._content)

    def pieces(self, first: int, last: int) -> Iterator[bytes]:
        for start in range(first, last, PIECE):
            yield self._content[start : min(last, start + PIECE)]


class Endless:
    """A head and so many zeros, made as they go out."""

    def __init__(self, head: bytes, size: int) -> None:
        self._head, self._size, self._zeros = head, size, bytes(PIECE)

    def __len__(self) -> int:
        return self._size

    def pieces(self, first: int, last: int) -> Iterator[bytes]:
        yield self._head[first:last]
        at = max(first, len(self._head))
        while at < last:
            yield self._zeros[: last - at]
            at += PIECE


@dataclass(frozen=True)
class Answers:
    """This status, and a page."""

    status: int


@dataclass(frozen=True)
class Moved:
    """A redirect."""

    to: str
    status: int = 302


@dataclass(frozen=True)
class BreaksOff:
    """The connection is reset after so many bytes of the body."""

    after: int


@dataclass(frozen=True)
class EndsEarly:
    """No length is said, and the connection is closed as if this were all."""

    after: int


@dataclass(frozen=True)
class Trickles:
    """So many bytes at a time, twenty times a second, for ever."""

    bytes_at_once: int = 1


@dataclass(frozen=True)
class Silent:
    """The request is taken, and nothing is said."""


@dataclass(frozen=True)
class Chunked:
    """The whole file, without saying beforehand how long it is."""


@dataclass(frozen=True)
class Lies:
    """Asked for a part, it gives the beginning, and calls it what `says` says: nothing means the part asked for."""

    says: str = ""


@dataclass(frozen=True)
class GivesLess:
    """Asked for a part, it gives the first so many bytes of it, and says so."""

    count: int


@dataclass(frozen=True)
class Replaced:
    """From now on another file lies there."""

    content: bytes
    etag: str = '"two"'


Fault = Answers | Moved | BreaksOff | EndsEarly | Trickles | Silent | Chunked | Lies | GivesLess | Replaced


@dataclass
class Place:
    """One file, what is known of it, and what goes wrong next."""

    content: Content
    faults: list[Fault] = field(default_factory=list)
    etag: str = '"one"'
    last_modified: str = ""
    in_ranges: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)

    def headers(self) -> dict[str, str]:
        """What every answer says of the file."""
        said = {"ETag": self.etag, "Last-Modified": self.last_modified}
        return {name: value for name, value in said.items() if value} | (
            {"Accept-Ranges": "bytes"} if self.in_ranges else {}
        )


class StrangeSources:
    """Files by name, over HTTP/1.1 as plain as can be: one request a connection. Remembers what each was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.places: dict[str, Place] = {}
        self._open_for: set[asyncio.StreamWriter] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["StrangeSources"]:
        """A server on a port of its own, empty."""
        sources = cls()
        async with await asyncio.start_server(sources._serve, "127.0.0.1", 0) as server:
            sources.port = server.sockets[0].getsockname()[1]
            try:
                yield sources
            finally:
                for writer in sources._open_for:
                    writer.transport.abort()

    def put(self, name: str, content: bytes | Content, *faults: Fault) -> Place:
        """Lay a file at `name`; the next requests go wrong one after the other, as told."""
        self.places[name] = Place(Whole(content) if isinstance(content, bytes) else content, list(faults))
        return self.places[name]

    def at(self, name: str) -> str:
        """The URL of `name`."""
        return f"http://127.0.0.1:{self.port}/{name}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open_for.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.rstrip().split("\r\n")
            asked = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            place = self.places.get(request.split()[1].removeprefix("/"))
            if place is None:
                _say(writer, 404, {}, b"<html>no such file</html>")
            else:
                place.asked.append(asked)
                await _answer(reader, writer, place, asked)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # they hung up, as they may
        finally:
            self._open_for.discard(writer)
            writer.close()


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place, asked: dict[str, str]
) -> None:
    fault = place.faults.pop(0) if place.faults else None
    match fault:
        case Answers(status):
            _say(writer, status, {}, b"<html>what happened</html>")
        case Moved(to, status):
            _say(writer, status, {"Location": to})
        case Silent():
            await reader.read()  # until they hang up
        case Trickles(bytes_at_once):
            _head(writer, 200, place.headers())
            while True:
                writer.write(bytes(bytes_at_once))
                await writer.drain()
                await asyncio.sleep(0.05)
        case Replaced(content, etag):
            place.content, place.etag = Whole(content), etag
            await _give(writer, place, asked, None)
        case _:
            await _give(writer, place, asked, fault)


async def _give(
    writer: asyncio.StreamWriter,
    place: Place,
    asked: dict[str, str],
    fault: BreaksOff | EndsEarly | Chunked | Lies | GivesLess | None,
) -> None:
    """The file, or the part asked for; cut off or wrong if so told."""
    size, headers = len(place.content), place.headers()
    same = asked.get("if-range", place.etag) in (place.etag, place.last_modified)
    try:
        part = span_of(asked.get("range"), size) if place.in_ranges and same else None
    except UnsatisfiableError:
        _say(writer, 416, headers | {"Content-Range": f"bytes */{size}"})
        return
    first, last = part or Span(0, size)
    if part and isinstance(fault, GivesLess):
        last = first + fault.count
    if part:
        headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
    if part and isinstance(fault, Lies):
        headers["Content-Range"] = fault.says or headers["Content-Range"]
        first, last = 0, last - first
    if isinstance(fault, Chunked):
        headers["Transfer-Encoding"] = "chunked"
    elif not isinstance(fault, EndsEarly):
        headers["Content-Length"] = str(last - first)
    _head(writer, 206 if part else 200, headers)
    end = first + fault.after if isinstance(fault, BreaksOff | EndsEarly) else last
    for piece in place.content.pieces(first, min(end, last)):
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if isinstance(fault, Chunked) else piece)
        await writer.drain()
    if isinstance(fault, Chunked):
        writer.write(b"0\r\n\r\n")
    if isinstance(fault, BreaksOff):
        await asyncio.sleep(0.05)  # what was written should leave before the reset overtakes it
        writer.transport.abort()


def _say(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], page: bytes = b"") -> None:
    if status == 204:
        _head(writer, status, headers)
        return
    _head(writer, status, headers | {"Content-Length": str(len(page)), "Content-Type": "text/html"})
    writer.write(page)


def _head(writer: asyncio.StreamWriter, status: int, headers: dict[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} So", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
