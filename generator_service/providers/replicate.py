"""Replicate: paid models by the second or the picture, at its hosted API.

It has no idempotency key, so a lost create is never repeated in here: it is found again by its callback, or in the
list of predictions by model and exact input.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr
from replicate.client import Client
from replicate.pagination import Page
from replicate.prediction import Prediction

from generator_service.bucket import Stage, staging
from generator_service.calls import (
    Call,
    Candidates,
    Capability,
    Found,
    NotSent,
    Polled,
    Running,
    Submitted,
    Unknown,
)  # fmt: skip
from generator_service.errors import Code, failed
from generator_service.providers.protocol import Provider
from generator_service.providers.refusals import refused
from generator_service.providers.replicate_answers import UNDER_WAY, answered, kept, moment, not_told
from generator_service.providers.replicate_input import Names, aimed_at, canonical, replicate_input
from generator_service.providers.replicate_transport import AN_ID, ReplicateTransport
from generator_service.providers.transport import AnswerLost, Fault, NeverSent, Refused, sending_by
from generator_service.settings import Settings
from stage.settings import refuse
from stage.telemetry import get_logger

log = get_logger(__name__)

SECONDS = 30.0  # one request, altogether
SKEW = timedelta(seconds=60)  # between our clock and Replicate's
MOST_PAGES = 200  # of a hundred predictions each


@asynccontextmanager
async def replicate_provider(settings: Settings) -> AsyncIterator[Provider]:
    """The provider with the account's token. Without one the process ends, exit code 2."""
    token = settings.replicate_api_token.get_secret_value()
    if not (token and token.isascii() and token.isprintable()):
        why = "is no token" if token else "is missing: models are routed to replicate"
        refuse("generator", "REPLICATE_API_TOKEN", why)
    seconds = min(SECONDS, settings.call_timeout.total_seconds() / 2)
    async with staging() as stage:
        provider = ReplicateProvider(
            settings.replicate_api_token, settings.replicate_base_url, settings.replicate_cancel_after, stage, seconds
        )
        try:
            yield provider
        finally:
            await provider.close()


class ReplicateProvider:
    """Replicate's API through its own client, given our transport: see `ReplicateTransport` for why."""

    name = "replicate"
    capabilities = frozenset({Capability.LIST_MATCH, Capability.CALLBACK, Capability.CANCEL})

    def __init__(
        self, token: SecretStr, base_url: str, cancel_after: timedelta, stage: Stage, seconds: float = SECONDS
    ) -> None:
        self._transport = ReplicateTransport(seconds, cancel_after)
        client = Client(api_token=token.get_secret_value(), base_url=base_url, transport=self._transport)
        self._predictions, self._stage, self._names = client.predictions, stage, Names()

    async def close(self) -> None:
        """Give back the connections."""
        await self._transport.aclose()

    async def submit(self, call: Call, at: datetime) -> Submitted:
        """Create a prediction. What was accepted is always `Running`, even when it is over already: a poll tells."""
        aim, sent = aimed_at(call.model), replicate_input(call)
        if aim is None:
            return failed(Code.NOT_FOUND, "that is no name of a model, version or deployment at Replicate")
        back: dict[str, Any] = {}
        if call.callback_url is not None:
            back = {"webhook": call.callback_url, "webhook_events_filter": ["start", "completed"]}
        try:
            with sending_by(call.send_by):
                made = await self._predictions.async_create(**aim, input=sent, **back)  # type: ignore[call-overload]
        except NeverSent as fault:
            return NotSent(fault.why)
        except AnswerLost as fault:
            return Unknown(fault.why)
        except Refused as refusal:
            return refused(refusal, call, at)
        self._names.learn(call.model, made.model)
        return Running(made.id, None if made.status in UNDER_WAY else at)

    async def poll(self, call: Call, at: datetime) -> Polled:
        """Look at one prediction."""
        if call.provider_id is None or not AN_ID.fullmatch(call.provider_id):
            return failed(Code.NOT_FOUND, "that is no id of a call at Replicate")
        try:
            prediction = await self._predictions.async_get(call.provider_id)
        except Fault as fault:
            return _not_told(fault, call, at)
        if prediction.id != call.provider_id:
            return Unknown("the answer is about another call")
        return await answered(prediction, call, at, self._stage)

    async def poll_many(self, calls: Sequence[Call], at: datetime) -> Mapping[str, Polled]:
        """Look at many by list pages, newest first, until all are seen or passed. What the list does not show, or
        shows without what it made, is left out.
        """
        waiting = {call.provider_id: call for call in calls if call.provider_id is not None}
        oldest = min((call.intent_at or call.submitted_at or at for call in calls), default=at)
        seen: dict[str, Polled] = {}
        try:
            async for page in self._pages():
                for prediction in page.results:
                    call = waiting.get(prediction.id)
                    if call is not None and not _bare(prediction):
                        seen[prediction.id] = await answered(prediction, call, at, self._stage)
                if seen.keys() == waiting.keys() or _reaches(page, oldest - SKEW):
                    break
        except Fault as fault:
            # Of the list, whatever it is, and not of any call: a 404 does not mean that they are gone.
            lost, throttled = Unknown(f"the list could not be read ({fault})"), _is_throttle(fault)
            return {n: _not_told(fault, call, at) if throttled else lost for n, call in waiting.items()} | seen
        return seen

    async def find(self, call: Call, at: datetime) -> Found:
        """The predictions of the same model and exactly the same input, made since the intent, oldest first.

        `complete` only when the list was read back to the intent and nothing in it was unreadable: an erased input,
        or the same input under the name of a model that may or may not be ours.
        """
        since, wanted = (call.intent_at or at) - SKEW, canonical(replicate_input(call))
        listed: dict[str, tuple[datetime, bool | None]] = {}
        read_back = False
        try:
            async for page in self._pages():
                for prediction in page.results:
                    made_at = moment(prediction.created_at) or at
                    if made_at >= since:
                        listed[prediction.id] = made_at, self._same(prediction, call, wanted)
                read_back = page.next is None or _reaches(page, since)
                if read_back:
                    break
        except Fault as fault:
            return Unknown(f"the list could not be read ({fault})")
        ours = sorted((made_at, name) for name, (made_at, same) in listed.items() if same)
        clear = all(same is not None for _, same in listed.values())
        return Candidates(tuple(name for _, name in ours), complete=read_back and clear)

    async def cancel(self, call: Call, at: datetime) -> None:
        """Ask for the prediction to be stopped. Whether it was, a poll tells."""
        if call.provider_id is None or not AN_ID.fullmatch(call.provider_id):
            return
        try:
            await self._predictions.async_cancel(call.provider_id)
        except Fault as fault:
            log.warning("the provider did not take a cancel", provider=self.name, why=str(fault))

    def _same(self, prediction: Prediction, call: Call, wanted: str) -> bool | None:
        """Whether a prediction in the list may be this call. None when nobody can tell."""
        if kept(prediction, "source") == "web":
            return False
        deployment = kept(prediction, "deployment")
        of_model = self._names.same(call.model, prediction.model, prediction.version, deployment)
        if of_model is False:
            return False
        if not prediction.input:
            return None
        try:
            return of_model if canonical(prediction.input) == wanted else False
        except ValueError:
            return False  # ours was read without trouble

    async def _pages(self) -> AsyncIterator[Page[Prediction]]:
        """The list of predictions, newest first. Always read from where we were told Replicate is, so that a `next`
        that points elsewhere never gets our token.
        """
        cursor: Any = ...
        for _ in range(MOST_PAGES):
            page = await self._predictions.async_list(cursor)
            yield page
            if page.next is None:
                return
            cursor = f"/v1/predictions?{page.next.partition('?')[2]}"


def _not_told(fault: NeverSent | AnswerLost | Refused, call: Call, at: datetime) -> Polled:
    return not_told(fault, call, at) if isinstance(fault, Refused) else Unknown(fault.why)


def _is_throttle(fault: Exception) -> bool:
    return isinstance(fault, Refused) and fault.status == 429


def _bare(prediction: Prediction) -> bool:
    """A success that a list shows without its output. The prediction itself says whether there is one."""
    return prediction.status == "succeeded" and prediction.output is None and not kept(prediction, "data_removed")


def _reaches(page: Page[Prediction], since: datetime) -> bool:
    """Whether a page, newest first, goes back beyond this moment."""
    last = moment(page.results[-1].created_at) if page.results else None
    return last is not None and last < since
