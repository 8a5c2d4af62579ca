"""Sends each prediction's webhooks when they are due, wrong in the ways that faults ask for."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from darkroom.simulators.faults import Subject
from darkroom.simulators.post import RETRIES
from darkroom.simulators.replicate.course import happenings
from darkroom.simulators.replicate.faults.webhooks import (
    WebhookDuplicated,
    WebhookFault,
    WebhookHuge,
    WebhookLate,
    WebhookLost,
    WebhookOutOfOrder,
    WebhookStale,
    WebhookUnsigned,
    WebhookWrongSecret,
)
from darkroom.simulators.replicate.prediction import Prediction
from darkroom.simulators.replicate.view import shown
from darkroom.simulators.replicate.world import World
from darkroom.simulators.signing import secret_of, signed_headers

Sending = Callable[[], Coroutine[Any, Any, None]]


class Happening(NamedTuple):
    """One event of a prediction: at which age, which, and the how manieth of its kind."""

    age: float
    event: str
    number: int


def numbered(due: list[tuple[float, str]]) -> list[Happening]:
    """The happenings, told apart."""
    events = [event for _, event in due]
    return [Happening(age, event, events[:place].count(event)) for place, (age, event) in enumerate(due)]


class Courier:
    """One task for each prediction with a webhook, until its last event has been sent."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()

    def attend(self, prediction: Prediction) -> None:
        """See to its webhooks from now on, if it wants any."""
        if prediction.ask.webhook:
            self._start(self._follow(prediction.id))

    async def stop(self) -> None:
        """Send nothing more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._world.post.close()

    def forget(self) -> None:
        """Stop attending to everything so far."""
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, prediction_id: str) -> None:
        done: set[tuple[str, int]] = set()
        held: list[Sending] = []
        while True:
            prediction = self._world.predictions[prediction_id]
            news = asyncio.ensure_future(self._world.bell(prediction_id).wait())
            try:
                happening = next((one for one in numbered(happenings(prediction.course)) if one[1:] not in done), None)
                if not await self._reached(prediction, happening, news):
                    continue
            finally:
                news.cancel()
            assert happening is not None  # noqa: S101 - never reached otherwise
            done.add(happening[1:])
            if happening.event in prediction.ask.events:
                held += await self._hand_over(prediction, happening, f"msg_{prediction.token[:24]}{len(done):03d}")
            if happening.event == "completed":
                self._world.changed.pop(prediction_id, None)
                for sending in held:
                    await sending()
                return

    async def _reached(self, prediction: Prediction, happening: Happening | None, news: "asyncio.Future[Any]") -> bool:
        """Wait until it happens. False when there is news of the prediction before: it may happen otherwise now."""
        if happening is None:
            await news
            return False
        if prediction.age(self._world.clock.now()) >= happening.age:
            return True
        alarm = self._world.clock.alarm(prediction.at(happening.age))
        try:
            await asyncio.wait([alarm, news], return_when=asyncio.FIRST_COMPLETED)
            return not news.done()
        finally:
            alarm.cancel()

    async def _hand_over(self, prediction: Prediction, happening: Happening, message_id: str) -> list[Sending]:
        """Send one event, now or later. What is to be sent after `completed` is handed back."""
        subject = Subject("webhook", prediction.ask.model.name, prediction.ask.input, happening.event)
        faults = self._world.plan.strike(subject, WebhookFault)
        kinds = {type(fault): fault for fault in faults}
        if WebhookLost in kinds:
            return []
        sending = partial(self._send, prediction, happening, message_id, faults)
        late = kinds.get(WebhookLate)
        if WebhookOutOfOrder in kinds:
            return [sending]
        if isinstance(late, WebhookLate):
            self._start(self._later(late.seconds, sending))
        elif happening.event == "completed":
            self._start(sending())  # its retries keep nobody waiting
            await asyncio.sleep(0)
        else:
            await sending()
        return []

    async def _later(self, seconds: float, sending: Sending) -> None:
        await self._world.clock.sleep(seconds)
        await sending()

    async def _send(
        self, prediction: Prediction, happening: Happening, message_id: str, faults: list[WebhookFault]
    ) -> None:
        world, event = self._world, happening.event
        body = shown(prediction, prediction.at(happening.age), world.links(prediction), world.base)
        copies = next((fault.copies for fault in faults if isinstance(fault, WebhookDuplicated)), 1)
        for fault in faults:
            if isinstance(fault, WebhookHuge):
                body["logs"] += "." * fault.size
        raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        about = {"prediction": prediction.id, "event": event, "status": body["status"]}
        tries = 1 + len(RETRIES) * (event == "completed")
        for _ in range(copies):
            headers = self._headers(message_id, raw, faults)
            await world.post.send(prediction.ask.webhook or "", raw, headers, about, tries=tries)

    def _headers(self, message_id: str, raw: bytes, faults: list[WebhookFault]) -> dict[str, str]:
        """Signed by the wall clock, not the simulator's: receivers compare with theirs."""
        secret, timestamp = self._world.secret, int(time.time())
        for fault in faults:
            if isinstance(fault, WebhookUnsigned):
                return {}
            if isinstance(fault, WebhookWrongSecret):
                secret = secret_of("of somebody else")
            if isinstance(fault, WebhookStale):
                timestamp -= fault.seconds
        return signed_headers(secret, message_id, timestamp, raw)
