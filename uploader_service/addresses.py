"""Where sources may lie, by the provider that names them: on which hosts, and never inside the network unawares."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from uploader_service.settings import Settings

ANY = ""
"""The provider of what a setting allows to all of them."""
RESOLVE_SECONDS = 10
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
INSIDE = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))  # older Pythons call them global


class ForbiddenError(Exception):
    """Nothing may be fetched from there; says why."""


class Way(Enum):
    """Through which door a source is reached."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Public hosts by pattern, and named HOST:PORT pairs inside the network, by provider."""

    hosts: Mapping[str, tuple[str, ...]]
    private: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, settings: Settings) -> "Allowed":
        """What the settings allow."""
        return cls(by_provider(settings.allowed_hosts), by_provider(settings.allowed_private))

    def admit(self, url: URL, provider: str, before: Way | None = None) -> Way:
        """How this provider's `url` is reached, when a redirect led to it from `before`. Raises `ForbiddenError`."""
        host = (url.raw_host or "").lower()
        if url.user is not None or url.password is not None:
            raise ForbiddenError("the source carries credentials")
        if f"{host}:{url.port}" in self._of(self.private, provider):
            if url.scheme not in ("http", "https"):
                raise ForbiddenError(f"the source is {url.scheme[:20]}, not http")
            if before is Way.PUBLIC:
                raise ForbiddenError("the source redirects from outside to a place inside the network")
            return Way.PRIVATE
        if url.scheme != "https":
            raise ForbiddenError("the source is not https")
        if not any(fnmatchcase(host, pattern) for pattern in self._of(self.hosts, provider)):
            raise ForbiddenError(f"the source's host {host[:100]} is not allowed: see UPLOADER_ALLOWED_HOSTS")
        if not host or _is_inner_address(host):
            raise ForbiddenError("the source is a private address" if host else "the source names no host")
        return Way.PUBLIC

    @staticmethod
    def _of(places: Mapping[str, tuple[str, ...]], provider: str) -> tuple[str, ...]:
        return places.get(ANY, ()) + places.get(provider, ())


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses what leads inside the network, whatever the name was."""

    def __init__(self, resolver: Callable[[], AbstractResolver] = ThreadedResolver) -> None:
        self._resolver = resolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises `ForbiddenError` when even one of them is not public."""
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await self._resolver.resolve(host, port, family)
        except UnicodeError:
            raise ForbiddenError("the source's host is no name") from None
        if any(_is_inner_address(address["host"]) for address in found):
            raise ForbiddenError("the source leads to a private address")
        return found

    async def close(self) -> None:
        """Nothing is kept open."""
        await self._resolver.close()


def by_provider(setting: str) -> dict[str, tuple[str, ...]]:
    """`A,B;PROVIDER=C,D` read: A and B for any provider, C and D for that one beside them."""
    places: dict[str, tuple[str, ...]] = {}
    for part in setting.lower().split(";"):
        provider, _, listed = part.rpartition("=")
        names = tuple(name.strip() for name in listed.split(",") if name.strip())
        places[provider.strip()] = places.get(provider.strip(), ()) + names
    return places


def parsed(url: str) -> URL:
    """`url` as it will be asked for, to the letter where it can be: a signature may cover it. `ForbiddenError`."""
    try:
        read = URL(url, encoded=url.isascii() and all(33 <= ord(letter) <= 126 for letter in url))
        _ = read.port  # reads lazily, and raises when it is none
    except ValueError:
        raise ForbiddenError("the source is not a URL") from None
    return read


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


def _is_inner_address(host: str) -> bool:
    """Whether `host` is an address, not a name, and inside."""
    try:
        return not is_public(ipaddress.ip_address(host))
    except ValueError:
        return False
