"""`/`, `/health` and `/health/ready`: who answers here, and how it is."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.routing import BaseRoute

from stage.service import Check, readiness


class Welcome(BaseModel):
    """Who answers here, in the original's words."""

    message: str = Field("Media Generation Microservice", description="What this service is.")
    status: Literal["running"] = Field("running", description="Always this word.")


class Health(BaseModel):
    """The process lives."""

    status: Literal["healthy"] = Field("healthy", description="Always this word, as the original said.")


class Readiness(BaseModel):
    """Whether what a gateway needs answers."""

    status: Literal["ready", "not ready"] = Field(
        description="`ready` when Kafka answers, and the process was not told to stop."
    )
    checks: dict[str, str] = Field(description="`ok`, or the kind of fault, by what was asked.")


class StoppingError(Exception):
    """This gateway was told to stop: whoever has the choice asks another one."""


class Staying:
    """Whether this gateway was not told to stop. `run` must run."""

    def __init__(self) -> None:
        self._stopping = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Hear of it."""
        await stopping.wait()
        self._stopping = True

    async def check(self) -> None:
        """Raise `StoppingError` from then on."""
        if self._stopping:
            raise StoppingError


def welcome() -> APIRouter:
    """The route that people try first."""
    router = APIRouter(tags=["service"])

    @router.get("/", summary="Who answers here")
    async def root() -> Welcome:
        """Needs no key. `/docs` shows what else there is."""
        return Welcome()

    return router


def health_routes(needed: Mapping[str, Check], helpful: Mapping[str, Check] = MappingProxyType({})) -> list[BaseRoute]:
    """For load balancers and supervisors: no key is asked for, and nothing is said that is worth hiding.

    A gateway is ready when what is `needed` answers. What is only `helpful` is shown as well: its absence is the same
    for every replica, so nobody is helped by taking them all away.
    """
    router = APIRouter(tags=["service"])

    @router.head("/health", include_in_schema=False)
    @router.get("/health", summary="Is the process alive?")
    async def live() -> Health:
        """Says so without asking anybody else: restart what does not answer."""
        return Health()

    @router.head("/health/ready", include_in_schema=False)
    @router.get(
        "/health/ready", summary="Can it work?",
        responses={503: {"model": Readiness, "description": "Something that it needs does not answer."}},
    )  # fmt: skip
    async def ready(response: Response) -> Readiness:
        """Asks Kafka and the job store, for two seconds at most. Accepting jobs needs Kafka alone, so that decides, and
        whether this server is about to stop.
        """
        (good, parts), (_, others) = await asyncio.gather(readiness(needed), readiness(helpful))
        response.status_code = 200 if good else 503
        return Readiness(status="ready" if good else "not ready", checks=parts | others)

    return list(router.routes)
