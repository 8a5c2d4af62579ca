"""Gets an output's bytes from where the provider left them, and from nowhere else."""

import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from uploader_service.decide import NotStored
from uploader_service.settings import Settings

REDIRECTS = 3
GONE = {403, 404, 410}
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
INSIDE = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))  # older Pythons call them global


class FetchError(Exception):
    """The bytes could not be had; carries the outcome that it becomes."""

    def __init__(self, code: str, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.outcome = NotStored(code, message, passing)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where sources may lie: public hosts by pattern, and named HOST:PORT pairs inside the network."""

    hosts: tuple[str, ...]
    private: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "Allowed":
        """What the settings allow."""
        hosts = tuple(host.strip().lower() for host in settings.allowed_hosts.split(",") if host.strip())
        private = frozenset(pair.strip().lower() for pair in settings.allowed_private.split(",") if pair.strip())
        return cls(hosts, private)

    def refuse(self, url: str) -> str | None:
        """Why `url` may not be fetched, or None when it may."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return "the source is not a URL"
        if self.is_private(host, port):
            return None if parts.scheme in ("http", "https") else f"the source is {parts.scheme}, not http"
        if parts.scheme != "https":
            return "the source is not https"
        if not any(fnmatchcase(host, pattern) for pattern in self.hosts):
            return f"the source's host {host[:100]} is not allowed: see UPLOADER_ALLOWED_HOSTS"
        return None

    def is_private(self, host: str, port: int | None) -> bool:
        """Whether this host and port were named as one of our own."""
        return f"{host}:{port}" in self.private


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses what leads inside the network, whatever the name was."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed, self._resolver = allowed, ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises `FetchError` when one of them is not public and the host is not our own."""
        try:
            found = await self._resolver.resolve(host, port, family)
        except UnicodeError:
            raise FetchError("source_forbidden", "the source's host is no name", passing=False) from None
        if not self._allowed.is_private(host.lower(), port):
            for address in found:
                if not is_public(ipaddress.ip_address(address["host"])):
                    raise FetchError("source_forbidden", "the source leads to a private address", passing=False)
        return found

    async def close(self) -> None:
        """Nothing is kept open."""
        await self._resolver.close()


class Fetcher:
    """Fetches sources whole into memory, up to the size limit."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings, allowed: Allowed) -> None:
        self._session, self._settings, self._allowed = session, settings, allowed

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Fetcher"]:
        """A fetcher with its own connections, closed at the end."""
        allowed = Allowed.of(settings)
        connector = aiohttp.TCPConnector(limit=64, resolver=PublicResolver(allowed))
        timeout = aiohttp.ClientTimeout(total=settings.fetch_timeout.total_seconds(), connect=10, sock_read=20)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, headers={"Accept-Encoding": "identity"}
        ) as session:
            yield cls(session, settings, allowed)

    async def fetch(self, url: str) -> bytes:
        """The bytes at `url`, following a few redirects, each checked like the first. Raises `FetchError`."""
        for _ in range(REDIRECTS + 1):
            if why := self._allowed.refuse(url):
                raise FetchError("source_forbidden", why, passing=False)
            _refuse_literal_address(url, self._allowed)
            answer = await self._get(url)
            if isinstance(answer, bytes):
                return answer
            url = _joined(url, answer)
        raise FetchError("source_forbidden", f"the source redirects more than {REDIRECTS} times", passing=False)

    async def _get(self, url: str) -> bytes | str:
        """The bytes, or where a redirect leads."""
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308):
                    return response.headers.get("Location", "")
                if response.status != 200:
                    gone = response.status in GONE
                    code = "source_expired" if gone else "source_unavailable"
                    raise FetchError(code, f"the source answered {response.status}", passing=not gone)
                return await self._read(response)
        except FetchError:
            raise
        except aiohttp.InvalidURL:
            raise FetchError("source_forbidden", "the source is not a URL", passing=False) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            if isinstance(fault.__cause__, FetchError):
                raise fault.__cause__ from None
            raise FetchError(
                "source_unavailable", f"the source broke off: {type(fault).__name__}", passing=True
            ) from None

    async def _read(self, response: Any) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            content += chunk
            if len(content) > self._settings.max_bytes:
                words = f"the source is larger than {self._settings.max_bytes} bytes: see UPLOADER_MAX_BYTES"
                raise FetchError("output_too_large", words, passing=False)
        if not content:
            raise FetchError("source_unavailable", "the source is empty", passing=True)
        return bytes(content)


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether `address` is somebody's on the internet, the IPv4 address that an IPv6 one may carry included."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        carried = address.ipv4_mapped or address.sixtofour
        if carried is not None:
            return is_public(carried)
        if address.teredo or address.is_site_local or any(address in network for network in INSIDE):
            return False
    return address.is_global and not address.is_multicast


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise FetchError("source_forbidden", "the source redirects to what is not a URL", passing=False) from None


def _refuse_literal_address(url: str, allowed: Allowed) -> None:
    """A URL that names an address needs no resolver, so it is checked here."""
    parts = urlsplit(url)
    try:
        address = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return
    if not is_public(address) and not allowed.is_private(str(parts.hostname), parts.port):
        raise FetchError("source_forbidden", "the source is a private address", passing=False)
