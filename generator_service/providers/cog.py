"""Any container that speaks Cog's HTTP API: your own models, on your own machines.

Cog tells a result once and keeps nothing: there is no GET for a prediction, and its webhook is one more way to lose
the bytes. So a call is one PUT that stays open until the model is done, and its answer holds the outputs themselves.
That costs a connection per running prediction, of which a container has as many as slots, mostly one; whoever finds
them taken (409) waits as a row. PUT under our own id joins what still runs; once that has ended, the same PUT runs it
again, for what the lost answer held is nowhere any more. It costs time on your machine, never money.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx

from generator_service.boot_time import boot_time
from generator_service.bucket import Stage, staging
from generator_service.calls import (
    Call,
    Capability,
    Failed,
    Found,
    NotSent,
    Polled,
    Running,
    Submitted,
    Throttled,
    Unknown,
)  # fmt: skip
from generator_service.errors import Code, code_of, failed, provider_code_in
from generator_service.providers.discretion import discreet
from generator_service.providers.outputs import finished
from generator_service.providers.protocol import Provider
from generator_service.providers.refusals import refused
from generator_service.providers.replicate_input import replicate_input
from generator_service.providers.transport import AnswerLost, NeverSent, OneShot, Refused, sending_by
from generator_service.settings import Settings
from stage.settings import refuse

BUSY = timedelta(seconds=1)
NOT_READY = timedelta(seconds=5)
LEFT_OVER = 5.0  # seconds of a claim in which the outputs are staged and recorded
SPENT_BEFORE = 10.0  # seconds of a claim: what it may wait before it is worked on, and what must be left when sending
LEAST_PATIENCE = 5.0


@asynccontextmanager
async def cog_provider(settings: Settings) -> AsyncIterator[Provider]:
    """The provider of the container at COG_URL, with as much patience as a claim leaves it."""
    if not settings.cog_url:
        refuse("generator", "COG_URL", "is missing: models are routed to cog")
    patience = settings.call_timeout.total_seconds() - SPENT_BEFORE - LEFT_OVER
    if patience < LEAST_PATIENCE:
        least = SPENT_BEFORE + LEFT_OVER + LEAST_PATIENCE
        refuse("generator", "GENERATOR_CALL_TIMEOUT", f"is too short to wait for Cog: {least:g}s at least")
    async with staging() as stage:
        provider = CogProvider(settings.cog_url, patience, stage)
        try:
            yield provider
        finally:
            await provider.close()


class CogProvider:
    """One container, at `url`. A prediction may take `patience` seconds, and no longer than its claim lasts."""

    name = "cog"
    capabilities = frozenset({Capability.CLIENT_ID})

    def __init__(self, url: str, patience: float, stage: Stage) -> None:
        self._patience, self._stage = patience, stage
        self._client = httpx.AsyncClient(base_url=url, transport=OneShot(patience + LEFT_OVER))

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def submit(self, call: Call, at: datetime) -> Submitted:
        """Have it made, and wait for it. A repeat while it runs is the same prediction; see above for later ones."""
        if call.send_by is not None and boot_time() + self._patience + LEFT_OVER > call.send_by:
            return NotSent("too little of the claim is left to wait for the model")
        try:
            with sending_by(call.send_by):
                async with asyncio.timeout(self._patience):
                    response = await self._client.put(f"/predictions/{id_of(call)}", json=_asked(call))
        except NeverSent as fault:
            return Throttled(NOT_READY, fault.why)  # of the whole container: whoever waits for it need not try as well
        except AnswerLost as fault:
            return Unknown(fault.why)
        except Refused as refusal:
            return _not_taken(refusal, call, at)
        except TimeoutError:
            # Hanging up makes Cog cancel it. Whatever it makes of it now, nobody will ever see.
            words = f"the model took longer than {self._patience:g} s: GENERATOR_CALL_TIMEOUT is what it is given"
            return replace(failed(Code.TIMED_OUT, words), provider_id=id_of(call))
        return await self._answered(response, call)

    async def poll(self, call: Call, at: datetime) -> Polled:
        """Have it made again, for Cog keeps nothing that could be asked about. Only a call whose answer came when
        another worker had asked for it again, or that an operator has adopted, is ever looked at.
        """
        match await self.submit(call, at):
            case Throttled(retry_after):
                return Running(id_of(call), at + retry_after)
            case NotSent(why):
                return Unknown(why)
            case told:
                return told

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        """Never needed either."""
        return {}

    async def find(self, call: Call, at: datetime) -> Found:
        """Cog has no list."""
        return Unknown("Cog has no list of what was asked of it")

    async def cancel(self, call: Call, at: datetime) -> None:
        """Cog cancels only what nobody waits for."""

    async def _answered(self, response: httpx.Response, call: Call) -> Submitted:
        try:
            told = json.loads(response.content)
        except (ValueError, RecursionError):
            told = None
        status = told.get("status") if isinstance(told, dict) else None
        match status:
            case "succeeded":
                return await finished(id_of(call), told.get("output"), call, self._stage, expires_at=None)
            case "failed":
                return replace(_broken(str(told.get("error") or ""), call), provider_id=id_of(call))
            case "canceled":
                stopped = failed(Code.CANCELLED, "the call was stopped before it was done")
                return replace(stopped, provider_id=id_of(call))
            case "starting" | "processing":
                return Unknown("it still runs for a connection that was lost")
            case _:
                return Unknown("the answer is no prediction")


def id_of(call: Call) -> str:
    """Our id for an attempt, as the container hears it."""
    return f"{call.generation_id.hex}-{call.attempt}"


def _asked(call: Call) -> dict[str, Any]:
    return {"id": id_of(call), "input": replicate_input(call)}


def _not_taken(refusal: Refused, call: Call, at: datetime) -> Failed | Throttled | Unknown:
    if refusal.status == 409:
        return Throttled(BUSY, "every slot of the container is taken")
    if refusal.status == 503 and b'"status"' in refusal.body:  # Cog's own, not a proxy's
        return Throttled(NOT_READY, "the model is not ready")
    return refused(refusal, call, at)


def _broken(text: str, call: Call) -> Failed:
    code, own = code_of(text), provider_code_in(text)
    if code is Code.CONTENT_POLICY:
        return failed(code, "the model refuses this content", own)
    return failed(code, f"the model failed: {discreet(text, call) or 'it did not say why'}", own)
