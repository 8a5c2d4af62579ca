"""What people ask a provider by hand: its own list, to hold against ours (an extra in it is money nobody meant to
spend), and whether a call of this id is the one that we lost.

Optional: a provider that keeps no list has nothing here.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from pydantic import SecretStr

from generator_service.calls import Call
from generator_service.providers.replicate import SKEW, ReplicateProvider
from generator_service.providers.replicate_answers import kept, moment
from generator_service.providers.replicate_input import canonical, replicate_input
from generator_service.providers.replicate_transport import AN_ID
from generator_service.providers.transport import Fault, Refused
from schemas.events import StagedSource

CANCEL_AFTER = timedelta(minutes=30)  # of creates; a bill makes none


class BillUnreadable(Exception):
    """The provider's list could not be read back as far as was asked for, or a call of it not looked at: says why."""


class SettingMissing(Exception):
    """The provider cannot be asked without this setting: names it."""


@dataclass(frozen=True, slots=True)
class Billed:
    """One call in the provider's list."""

    provider_id: str
    created_at: datetime
    status: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One call as the provider shows it, beside a call of ours."""

    provider_id: str
    model: str
    created_at: datetime | None
    status: str
    same: bool | None
    """Whether it asks for the same as ours. None: nobody can tell any more."""


class Biller(Protocol):
    """A provider that lists what it was asked for."""

    def bill(self, since: datetime) -> AsyncIterator[Billed]:
        """Every call it was asked for since then, the newest first. `BillUnreadable` escapes, never a short list."""

    async def show(self, provider_id: str, call: Call) -> Shown | None:
        """What it has under this id, beside `call`. None: surely nothing. `BillUnreadable` when it does not say."""


class ReplicateBiller(ReplicateProvider):
    """Replicate's list of predictions, read by pages. Those made on its web site count: they cost the same."""

    async def bill(self, since: datetime) -> AsyncIterator[Billed]:
        """Every prediction of the account since then, the newest first. `BillUnreadable` escapes."""
        page = None
        try:
            async for page in self._pages():
                for prediction in page.results:
                    made_at = moment(prediction.created_at)
                    if made_at is not None and made_at < since - SKEW:
                        return
                    if made_at is None or made_at >= since:
                        yield Billed(prediction.id, made_at or since, kept(prediction, "status") or prediction.status)
        except Fault as fault:
            raise BillUnreadable(f"Replicate's list cannot be read ({fault})") from None
        if page is not None and page.next is not None:
            raise BillUnreadable("Replicate's list is longer than what is read of it at once: give a later --since")

    async def show(self, provider_id: str, call: Call) -> Shown | None:
        """The prediction of this id. Replicate does not tell one of another account from one that never was."""
        if not AN_ID.fullmatch(provider_id):
            return None
        try:
            prediction = await self._predictions.async_get(provider_id)
        except Fault as fault:
            if isinstance(fault, Refused) and fault.status == 404:
                return None
            raise BillUnreadable(f"Replicate does not say what it has under this id ({fault})") from None
        if prediction.id != provider_id:
            raise BillUnreadable("Replicate's answer is about another call")
        same = self._same(prediction, call, canonical(replicate_input(call)))
        status = kept(prediction, "status") or prediction.status
        return Shown(prediction.id, prediction.model, moment(prediction.created_at), status, same)


@asynccontextmanager
async def replicate_biller(environ: Mapping[str, str]) -> AsyncIterator[Biller]:
    """Replicate with the account's token: REPLICATE_API_TOKEN, and REPLICATE_BASE_URL when it is not Replicate's own.

    `SettingMissing` when there is no token.
    """
    if not environ.get("REPLICATE_API_TOKEN"):
        raise SettingMissing("REPLICATE_API_TOKEN")
    token = SecretStr(environ["REPLICATE_API_TOKEN"])
    base_url = environ.get("REPLICATE_BASE_URL") or "https://api.replicate.com"
    biller = ReplicateBiller(token, base_url, CANCEL_AFTER, _stage_nothing)
    try:
        yield biller
    finally:
        await biller.close()


async def _stage_nothing(generation_id: UUID, index: int, content: bytes) -> StagedSource:
    raise AssertionError("a bill makes nothing")


BILLERS: Mapping[str, Callable[[Mapping[str, str]], AbstractAsyncContextManager[Biller]]] = {
    "replicate": replicate_biller
}
"""Who can be asked, by the provider's name."""
