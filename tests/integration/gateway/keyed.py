"""Gateways that want keys, made of what production makes them of, and somebody who gives keys out."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from darkroom.local.stack import Stack
from gateway.app import assemble
from gateway.callers import Scope
from gateway.limit_headers import LimitHeaders
from gateway.operations import NewKey, Operations
from gateway.request_id import RequestIds
from gateway.settings import Settings
from gateway.tables import SCHEMA
from schemas.clock import utc_now
from stage.database import Pool, new_pool

EVERYTHING = tuple(Scope)
ASK = {"model": "fake/painter-batch", "prompt": "a desert"}


@dataclass(frozen=True)
class Keyed:
    """One gateway, called without a port."""

    app: FastAPI
    http: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls, servers: Stack) -> AsyncIterator["Keyed"]:
        """A gateway as it starts when nobody says who may call."""
        told = {name: value for name, value in servers.environ.items() if name != "GATEWAY_AUTH"}
        settings = Settings.model_validate(told | {"requests_per_minute": 0, "jobs_queued": 0})  # nobody is held back
        async with AsyncExitStack() as opened:
            app, _ = await assemble(settings, "test", opened)
            transport = httpx.ASGITransport(app=RequestIds(LimitHeaders(app)), raise_app_exceptions=False)
            http = await opened.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
            yield cls(app, http)


@asynccontextmanager
async def gateway_tables(servers: Stack) -> AsyncIterator[Pool]:
    """The gateway's tables, as its role sees them."""
    async with await new_pool(servers.environ["GATEWAY_DATABASE_URL"], schema=SCHEMA, name="test", size=2) as pool:
        yield pool


async def a_key(doors: Operations, tenant: str, scopes: Sequence[Scope] = EVERYTHING) -> NewKey:
    """A key of this tenant, who is made when nobody knows it."""
    new = tenant not in {each.name for each in await doors.tenants(utc_now())}
    return await doors.create(tenant, "test", scopes, None, utc_now(), word="test", new_tenant=new)


def bearing(key: NewKey | str) -> dict[str, str]:
    """The headers of a request with this key."""
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key.key}"}
