"""Sending webhooks, and remembering what came of each try."""

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict

from darkroom.simulators.clock import SimulatedClock

PATIENCE = 5.0  # seconds: "answer within a few seconds"
RETRIES = (1.0, 3.0, 7.0, 15.0, 31.0)  # seconds between tries: the last about a minute after the end


class Delivery(BaseModel):
    """One try to send one webhook."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    prediction: str
    event: str
    status: str  # the prediction's, in the body
    url: str
    webhook_id: str | None
    attempt: int
    answered: int | None  # None: no connection, or no answer in time
    size: int


class Post:
    """The way out. A redirect is not followed, and counts as sent: the real platform loses it silently as well."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.deliveries: list[Delivery] = []
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, url: str, body: bytes, headers: Mapping[str, str], about: Mapping[str, Any], *, tries: int = 1
    ) -> bool:
        """Post the body, up to `tries` times while there is no connection, or a 4xx or 5xx. True when it arrived."""
        for attempt in range(1, tries + 1):
            answered = await self._once(url, body, headers)
            self.deliveries.append(
                Delivery(
                    at=self._clock.now(), url=url, webhook_id=headers.get("webhook-id"), attempt=attempt,
                    answered=answered, size=len(body), **about,
                )
            )  # fmt: skip
            if answered is not None and answered < 400:
                return True
            if attempt < tries:
                await self._clock.sleep(RETRIES[attempt - 1])
        return False

    async def _once(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        every = {"content-type": "application/json", "user-agent": "Replicate-Webhooks/1.0 (simulated)"}
        try:
            async with self._session.post(
                url, data=io.BytesIO(body), headers=every | dict(headers), allow_redirects=False
            ) as answer:
                return answer.status
        except (TimeoutError, aiohttp.ClientError, ValueError):  # ValueError: not a URL
            return None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session:
            await self._session.close()
            self._session = None
