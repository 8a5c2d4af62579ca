"""Who calls, and what they may do."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from fastapi import Depends, Request
from starlette.datastructures import Headers

from gateway.hosts import host_in, is_loopback
from gateway.problems import host_not_allowed, not_allowed


class Scope(StrEnum):
    """What a caller may do. None of them contains another."""

    SUBMIT = "submit"  # make jobs, cancel them, try them again, remove their data
    READ = "read"  # see jobs, their media and history
    OPERATE = "operate"  # see what only those need who run the service


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a tenant may ask for. None: as much as the gateway's settings say."""

    requests_per_minute: int | None = None
    jobs_queued: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose jobs a request is about, and what it may do with them. Without a key when everybody is let in."""

    tenant: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    limits: Limits = Limits()


class Door(Protocol):
    """Tells who calls."""

    async def admit(self, headers: Headers) -> Caller:
        """The caller, by what a request's headers say. Raises a 401 problem for nobody we know."""


class Counter(Protocol):
    """Counts what callers ask for."""

    async def count(self, request: Request, caller: Caller) -> None:
        """Count this request. Raises a 429 problem when it is one too many."""


class OpenDoor:
    """Everybody is the tenant `dev` and may do everything, who calls this machine by its own name.

    Any page in a browser here can reach us at the page's own host, once that host's name resolves to this machine. By
    that name it is known: loopback has others, and `hosts` are those that somebody has named beside them.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._hosts = hosts

    async def admit(self, headers: Headers) -> Caller:
        """Whoever calls. Raises a 403 problem when it calls a host that is not this machine by name."""
        host = host_in(headers.get("host", ""))
        if not is_loopback(host) and host not in self._hosts:
            raise host_not_allowed()
        return DEVELOPER


DEVELOPER = Caller("dev", frozenset(Scope))


class _May:
    """A route's need: a caller with this scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def __call__(self, request: Request) -> Caller:
        door: Door = request.app.state.door
        caller = await door.admit(request.headers)
        counter: Counter | None = request.app.state.counter
        if counter is not None:
            await counter.count(request, caller)
        if self._scope not in caller.scopes:
            raise not_allowed(self._scope)
        return caller


Submitter = Annotated[Caller, Depends(_May(Scope.SUBMIT))]
"""Whoever calls a route that makes or changes jobs."""
Reader = Annotated[Caller, Depends(_May(Scope.READ))]
"""Whoever calls a route that shows jobs."""
Operator = Annotated[Caller, Depends(_May(Scope.OPERATE))]
"""Whoever calls a route for those who run the service."""
