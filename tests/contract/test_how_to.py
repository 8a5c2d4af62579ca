"""The provider in the how-to page works as it stands there."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from darkroom.simulators.answers import CutShort
from darkroom.simulators.server import LOCAL, listen, serving
from generator_service.calls import Call, Capability
from generator_service.providers.protocol import Provider
from generator_service.providers.transport import OneShot
from schemas.clock import utc_now
from tests.contract.bench import Bucket, Trouble, a_call
from tests.contract.conformance import Check, checks

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-provider.md"
TROUBLES = frozenset({Trouble.LOST_ANSWER, Trouble.ERROR_AFTER, Trouble.THROTTLED, Trouble.REFUSED})


class Acme:
    """The API that the page speaks of."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.trouble: Trouble | None = None

    async def images(self, request: Request) -> Response:
        asked, trouble = await request.json(), self.trouble
        self.trouble = None
        if trouble is Trouble.THROTTLED:
            return JSONResponse({}, 429, {"Retry-After": "2"})
        if trouble is Trouble.REFUSED:
            return JSONResponse({"detail": "That violates our content policy."}, 400)
        key = request.headers["idempotency-key"]
        urls = [f"https://acme.example/{key}/{number}.png" for number in range(asked["n"])]
        answer = JSONResponse(self.made.setdefault(key, {"id": f"acme-{len(self.made)}", "images": urls}))
        await asyncio.sleep(0.05)
        if trouble is Trouble.LOST_ANSWER:
            return CutShort(answer, "half")
        return PlainTextResponse("Bad gateway", 502) if trouble is Trouble.ERROR_AFTER else answer


class AcmeBench:
    """The page's provider on top of it."""

    troubles = TROUBLES
    most_outputs = 3

    def __init__(self, acme: Acme, provider: Provider) -> None:
        self._acme, self.provider = acme, provider

    def call(self, trouble: Trouble | None = None, **changes: Any) -> Call:
        self._acme.trouble = trouble
        return a_call(**{"model": "acme/pictures"} | changes)

    def charged(self) -> int | None:
        return len(self._acme.made)

    def now(self) -> datetime:
        return utc_now()


def the_file() -> ModuleType:
    """The page's first block of Python, as the module that it says it is."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    module = ModuleType("acme")
    exec(compile(code, "acme.py", "exec"), module.__dict__)  # noqa: S102 - our own documentation
    return module


@asynccontextmanager
async def acme_bench() -> AsyncIterator[AcmeBench]:
    acme, listening = Acme(), listen(LOCAL, 0)
    app = Starlette(routes=[Route("/v1/images", acme.images, methods=["POST"])])
    url = f"http://{LOCAL}:{listening.getsockname()[1]}"
    async with serving(app, listening), httpx.AsyncClient(base_url=url, transport=OneShot(5)) as client:
        yield AcmeBench(acme, the_file().AcmeProvider(client, Bucket().stage))


@pytest.mark.parametrize(
    "check", checks(TROUBLES, frozenset({Capability.IDEMPOTENCY_KEY})), ids=lambda check: check.__name__
)
async def test_the_pages_provider_keeps_the_protocol(check: Check) -> None:
    async with acme_bench() as bench:
        await check(bench)


def test_the_page_declares_what_is_tested() -> None:
    acme = the_file().AcmeProvider

    assert (acme.name, acme.capabilities) == ("acme", {Capability.IDEMPOTENCY_KEY})


def test_the_page_names_every_capability() -> None:
    page = PAGE.read_text()

    assert [name.name for name in Capability if f"`{name.name}`" not in page] == []
