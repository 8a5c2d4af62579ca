"""The provider that needs no account: it paints pictures and plays sounds, free, offline, always the same.

It keeps nothing: where a call stands follows from when it was submitted, and what it made is drawn again
each time somebody fetches it. `input` may ask for trouble: `fail_outputs` names outputs that fail for good,
`fail_attempts` is how many attempts fail in a way that is tried again.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from generator_service.boot_time import boot_time
from generator_service.calls import (
    Call,
    Candidates,
    Capability,
    Failed,
    Finished,
    Found,
    NotSent,
    Polled,
    Running,
    Submitted,
)  # fmt: skip
from generator_service.providers.painting import paint
from generator_service.providers.protocol import Provider
from generator_service.providers.tones import play
from generator_service.settings import Settings
from schemas.catalogue import catalogue
from schemas.events import UrlSource

LIFETIME = timedelta(hours=1)  # as Replicate's
PICTURES = {"jpg": "jpg", "jpeg": "jpg", "png": "png", "webp": "webp"}
LATENCY_SPREAD = 0.5  # of the latency: outputs of a job finish one after the other, as real ones do


@asynccontextmanager
async def fake_provider(settings: Settings) -> AsyncIterator[Provider]:
    """The provider, told where its files are reached and how long it takes."""
    yield FakeProvider(settings.reached_at, settings.fake_latency)


class FakeProvider:
    """Accepts everything, finishes after `latency` seconds or so, serves the result under `base_url`."""

    name = "fake"
    capabilities = frozenset({Capability.CLIENT_ID})

    def __init__(self, base_url: str, latency: float) -> None:
        self._base_url, self._latency = base_url, latency

    async def submit(self, call: Call, at: datetime) -> Submitted:
        if call.send_by is not None and boot_time() >= call.send_by:
            return NotSent("the claim had run out before the request could leave")
        if trouble := _trouble(call):
            return trouble
        if self._latency == 0:
            return self._finished(call, at)
        return Running(f"fake-{call.generation_id}", at + self._takes(call))

    async def poll(self, call: Call, at: datetime) -> Polled:
        ready = (call.submitted_at or at) + self._takes(call)
        return self._finished(call, at) if at >= ready else Running(f"fake-{call.generation_id}", ready)

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        return {call.provider_id: await self.poll(call, at) for call in calls if call.provider_id}

    async def find(self, call: Call, at: datetime) -> Found:
        return Candidates((), complete=False)  # never asked: asking again under our id is the same call

    async def cancel(self, call: Call, at: datetime) -> None:
        """Nothing to stop: it costs nothing and nobody waits."""

    def _takes(self, call: Call) -> timedelta:
        spread = call.generation_id.bytes[0] / 255 * LATENCY_SPREAD
        return timedelta(seconds=self._latency * (1 - LATENCY_SPREAD / 2 + spread))

    def _finished(self, call: Call, at: datetime) -> Finished:
        urls = (f"{self._base_url}/media/{call.generation_id}/{index}.{extension_of(call)}" for index in call.outputs)
        return Finished(
            f"fake-{call.generation_id}", tuple(UrlSource(url=url, expires_at=at + LIFETIME) for url in urls)
        )


def _trouble(call: Call) -> Failed | None:
    """What the request asked to go wrong."""
    for_good, attempts = call.input.get("fail_outputs"), call.input.get("fail_attempts")
    name = f"fake-{call.generation_id}-{call.attempt}"  # it says the same each time, so it speaks for a lost asking too
    if isinstance(for_good, list) and any(index in for_good for index in call.outputs):
        words = "the fake provider was asked to refuse this output"
        return Failed("content_policy", words, retryable=False, provider_id=name)
    if isinstance(attempts, int) and call.attempt <= attempts:
        words = "the fake provider was asked to fail this attempt"
        return Failed("provider_failed", words, retryable=True, provider_id=name)
    return None


def extension_of(call: Call) -> str:
    """The kind of file that a call makes: what was asked for when the fake can make it, else its own choice."""
    card = catalogue().get(call.model)
    if card and card.kind == "audio":
        return "wav"
    return PICTURES.get(call.output_format or "", "jpg")


def draw(call: Call, index: int) -> bytes:
    """The file of one output. The same bytes for the same model, prompt, seed and index, on every call."""
    extension = extension_of(call)
    if extension == "wav":
        return play(model=call.model, prompt=call.prompt, seed=call.seed, index=index)
    return paint(
        model=call.model, prompt=call.prompt, seed=call.seed, index=index,
        image_format=extension,  # type: ignore[arg-type]
    )  # fmt: skip
