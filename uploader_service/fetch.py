"""Gets an output's bytes from where the provider left them, and from nowhere else."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from uploader_service.addresses import Allowed, ForbiddenError, PublicResolver, Way, parsed
from uploader_service.decide import NotStored
from uploader_service.landing import Landing
from uploader_service.ranges import Version
from uploader_service.settings import Settings

REDIRECTS = 3
MOVED = {301, 302, 303, 307, 308}
GONE = {403, 404, 410}
BREAKS = (aiohttp.ClientError, TimeoutError, OSError)
"""What a connection may raise. Nothing that touches the landing is tried under it: a disk raises OSError too."""
CONNECT_SECONDS = 10
RESUMES = 3
"""How often a body that broke off is taken up again within one fetch; the row's own retries come after."""
RESUME_PAUSE = 0.2
OVERLAP = 4_096
"""Bytes asked for once more when a body is taken up: they show whether a server gives the part that it says."""
SLOWEST = 512 * 1024
"""Bytes a second that a source must give once the fetch timeout is over: an endless trickle ends."""


class FetchError(Exception):
    """The bytes could not be had; carries the outcome that it becomes."""

    def __init__(self, code: str, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.outcome = NotStored(code, message, passing)


class BrokenOffError(Exception):
    """A body, or the wait for it, broke off; the rest may still be had."""


@dataclass
class Transfer:
    """One fetch under way: where it lands, and which bytes the server was giving."""

    landing: Landing
    version: Version | None = None
    believed: bool = True  # the server was not caught giving another part than it said
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def resumable(self) -> bool:
        """Whether the rest can be asked for."""
        return self.believed and self.landing.size > 0 and self.version is not None and self.version.resumable

    @property
    def goes_on(self) -> bool:
        """Whether another request may still end it: for the rest, or for all of it after the server was caught."""
        return self.resumable or (self.version is None and not self.believed)

    def rest(self) -> dict[str, str]:
        """The headers that ask for the rest, the last few bytes once more; none when all is asked for."""
        return self.version.rest(self._start) if self.version is not None and self.resumable else {}

    async def begin(self, headers: Mapping[str, str]) -> None:
        """The whole comes, whatever had landed before."""
        if self.landing.size:
            await self.landing.restart()
        self.version = Version.of(headers)
        self.landing.vouched = self.version.total is not None or "chunked" in headers.get("Transfer-Encoding", "")

    async def take_up(self, headers: Mapping[str, str]) -> bytes:
        """The rest comes: with which bytes it must begin, so that it surely is the rest."""
        self.version = self.version.goes_on(headers, self._start) if self.version is not None else None
        if self.version is None:
            await self.start_over("the source gave another part than was asked for")
        return await self.landing.read(self._start, OVERLAP)

    async def start_over(self, why: str) -> NoReturn:
        """Forget what has landed, and ask this server for no part again."""
        self.believed, self.version = False, None
        await self.landing.restart()
        raise BrokenOffError(why)

    @property
    def _start(self) -> int:
        return max(0, self.landing.size - OVERLAP)


class Fetcher:
    """Streams sources into landings. Public and inner places have connections, and rules, of their own."""

    def __init__(self, sessions: Mapping[Way, aiohttp.ClientSession], settings: Settings, allowed: Allowed) -> None:
        self._sessions, self._settings, self._allowed = sessions, settings, allowed
        self._patience, self._silence = settings.fetch_timeout.total_seconds(), _silence(settings)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Fetcher"]:
        """A fetcher with its own connections, closed at the end."""
        async with (
            _session(settings, PublicResolver()) as public,
            _session(settings, ThreadedResolver()) as private,
        ):
            yield cls({Way.PUBLIC: public, Way.PRIVATE: private}, settings, Allowed.of(settings))

    async def fetch(self, source_url: str, provider: str, landing: Landing) -> None:
        """Bring what lies at `source_url` into `landing`, whole, taking it up again where it broke off.

        Raises `FetchError`; the landing then holds a part of it at most. `SpoolFullError` escapes.
        """
        transfer = Transfer(landing)
        for resumes_left in range(RESUMES, -1, -1):
            try:
                await self._take(source_url, provider, transfer)
                break
            except BrokenOffError as fault:
                if not resumes_left or not transfer.goes_on:
                    raise FetchError("source_unavailable", str(fault), passing=True) from None
            await asyncio.sleep(RESUME_PAUSE)
        if not landing.size:
            raise FetchError("source_unavailable", "the source is empty", passing=True)

    async def _take(self, url: str, provider: str, transfer: Transfer) -> None:
        """One request, for the whole or for the rest."""
        rest = transfer.rest()
        async with await self._ask(url, provider, rest) as response:
            if response.status in GONE:
                raise FetchError("source_expired", f"the source answered {response.status}", passing=False)
            repeated = b""
            if rest and response.status == 206:
                repeated = await transfer.take_up(response.headers)
            elif rest and response.status == 416:
                await transfer.start_over("the source has no such part any more")
            elif response.status == 200:
                await transfer.begin(response.headers)
            else:
                raise BrokenOffError(f"the source answered {response.status}")
            await self._receive(response, transfer, repeated)

    async def _ask(self, url: str, provider: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """The answer, after a few redirects, each checked like the first."""
        way: Way | None = None
        for _ in range(REDIRECTS + 1):
            try:
                target = parsed(url)
                way = self._allowed.admit(target, provider, way)
                async with asyncio.timeout(self._patience):  # a head may trickle as well
                    response = await self._sessions[way].get(target, headers=headers, allow_redirects=False)
            except (*BREAKS, ForbiddenError) as fault:
                raise _named(fault) from None
            if response.status not in MOVED:
                return response
            response.close()
            url = _joined(url, response.headers.get("Location", ""))
        raise FetchError("source_forbidden", f"the source redirects more than {REDIRECTS} times", passing=False)

    async def _receive(self, response: aiohttp.ClientResponse, transfer: Transfer, repeated: bytes) -> None:
        """Land the body, without the `repeated` bytes that it must begin with."""
        landing, total = transfer.landing, transfer.version.total if transfer.version else None
        self._refuse_too_large(total or 0)
        while chunk := await _next(response, self._silence):
            if repeated:
                common = min(len(chunk), len(repeated))
                if chunk[:common] != repeated[:common]:
                    await transfer.start_over("the source gave another part than it said")
                chunk, repeated = chunk[common:], repeated[common:]
            self._refuse_too_large(landing.size + len(chunk))
            await landing.write(chunk)
            self._refuse_trickle(transfer)
        if total is not None and landing.size != total:
            raise BrokenOffError(f"the source broke off: {landing.size} of {total} bytes")

    def _refuse_too_large(self, size: int) -> None:
        if size > self._settings.max_bytes:
            words = f"the source is larger than {self._settings.max_bytes} bytes: see UPLOADER_MAX_BYTES"
            raise FetchError("output_too_large", words, passing=False)

    def _refuse_trickle(self, transfer: Transfer) -> None:
        """The time allowed grows with what has come. Silence is the stall timeout's business."""
        elapsed = asyncio.get_running_loop().time() - transfer.began
        if elapsed > self._patience + transfer.landing.size / SLOWEST:
            words = f"the source is too slow: {transfer.landing.size} bytes in {elapsed:.0f} s"
            raise FetchError("source_unavailable", words, passing=True)


@asynccontextmanager
async def _session(settings: Settings, resolver: AbstractResolver) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections that send nothing of ours along. The workers' slots limit their number."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, resolver=resolver), cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=_silence(settings)),
        auto_decompress=False, headers={"Accept-Encoding": "identity"},
    ) as session:  # fmt: skip
        yield session


def _silence(settings: Settings) -> float:
    """Seconds without a byte after which nobody waits for the next one."""
    return min(settings.stall_timeout, settings.fetch_timeout).total_seconds()


async def _next(response: aiohttp.ClientResponse, seconds: float) -> bytes:
    """What has come of the body; nothing at its end. What frames its chunks may come without end, and is none of it."""
    try:
        async with asyncio.timeout(seconds):
            return await response.content.readany()
    except BREAKS as fault:
        raise BrokenOffError(f"the source broke off: {type(fault).__name__}") from None


def _named(fault: Exception) -> Exception:
    """What a fault on the way to an answer becomes. Refusals may come wrapped, out of the resolver."""
    refused = fault if isinstance(fault, ForbiddenError) else fault.__cause__
    if isinstance(refused, ForbiddenError):
        return FetchError("source_forbidden", str(refused), passing=False)
    if isinstance(fault, aiohttp.InvalidURL):
        return FetchError("source_forbidden", "the source is not a URL", passing=False)
    return BrokenOffError(f"the source broke off: {type(fault).__name__}")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise FetchError("source_forbidden", "the source redirects to what is not a URL", passing=False) from None
