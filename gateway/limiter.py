"""Holds callers to their requests per minute, over all replicas together; most requests touch no database."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request

from gateway.callers import Caller
from gateway.limit_store import NO_ANSWER, PATIENCE, LimitStore
from gateway.meter import Bucket, Meter
from gateway.problems import rate_limited
from stage.telemetry import get_logger

log = get_logger(__name__)

SWEEP = 1.0  # seconds between looks for tokens that nobody used
AWAY = 1.0  # seconds before a database that did not answer is asked again
FORGET = 600.0  # seconds after which a caller who does not come any more takes no memory


class Standing(NamedTuple):
    """Where a caller stands after a request."""

    per_minute: int
    left: int
    retry_after: int
    """Seconds after which to call again; 0 when this request was let in."""


class Tab:
    """What a replica keeps of one caller."""

    def __init__(self, name: str, meter: Meter) -> None:
        self.name, self.meter = name, meter
        self.waiting = 0
        self.asking: asyncio.Task[None] | None = None
        self.alone: Bucket | None = None
        """What the caller may still do here while the database is away."""
        self.ask_again_at = -math.inf


class Limiter:
    """Counts requests. While PostgreSQL answers, all replicas together let in no more than the shared bucket gives."""

    def __init__(self, store: LimitStore, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        """`per_minute` for each key, where its tenant has no limit of its own. 0: none."""
        self._store, self._per_minute, self._now = store, per_minute, now
        self._tabs: dict[str, Tab] = {}

    async def count(self, request: Request, caller: Caller) -> None:
        """Count this request, and keep for the answer's headers where its caller stands.

        Raises a `rate-limited` problem when it is one too many.
        """
        standing = await self.admit(caller)
        if standing is not None:
            request.state.standing = standing
            if standing.retry_after:
                raise rate_limited(standing.per_minute, standing.retry_after)

    async def admit(self, caller: Caller) -> Standing | None:
        """Count one request, and say whether it may go on; None where there is no limit.

        Never waits long: while the database is away this replica limits by itself.
        """
        per_minute = caller.limits.requests_per_minute or self._per_minute
        if not per_minute:
            return None
        tab = self._tab(caller, per_minute)
        meter = tab.meter
        while not meter.take(at := self._now()):
            if tab.alone is not None:
                return self._alone(tab, tab.alone, at)
            if seconds := meter.refused_for(at):
                return Standing(meter.per_minute, 0, math.ceil(seconds))
            await self._ask(tab)
        return Standing(meter.per_minute, meter.left(at), 0)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`: give back what nobody used. At the end all of it."""
        while not stopping.is_set():
            try:
                await asyncio.wait_for(stopping.wait(), SWEEP)
            except TimeoutError:
                await self.sweep(self._now())
        await self.sweep(math.inf)

    async def sweep(self, at: float) -> None:
        """Give back what nobody used, and forget who does not come any more. Tokens may be lost, never made."""
        for tab in list(self._tabs.values()):
            if back := tab.meter.give_back(at):
                try:
                    await self._store.give_back(tab.name, tab.meter.per_minute, back)
                except NO_ANSWER:
                    return  # whether they went back is unknown, so these are not given back again
            if tab.meter.idle_for(at) > FORGET and not tab.waiting and tab.alone is None:
                del self._tabs[tab.name]

    def _tab(self, caller: Caller, per_minute: int) -> Tab:
        name = f"key {caller.key_id}" if caller.key_id else f"tenant {caller.tenant}"
        tab = self._tabs.get(name)
        if tab is None:
            tab = self._tabs[name] = Tab(name, Meter(per_minute, self._now()))
        tab.meter.per_minute = per_minute
        return tab

    async def _ask(self, tab: Tab) -> None:
        """Wait for more tokens. Requests of one caller that find none wait for the same answer."""
        tab.waiting += 1
        try:
            asking = self._asking(tab)
            await asyncio.wait([asking], timeout=PATIENCE)
            if not asking.done():
                self._go_alone(tab)
            else:
                asking.result()  # a bug is everybody's
        finally:
            tab.waiting -= 1

    def _asking(self, tab: Tab) -> "asyncio.Task[None]":
        if tab.asking is None or tab.asking.done():
            tab.asking = asyncio.create_task(self._lease(tab))
        return tab.asking

    async def _lease(self, tab: Tab) -> None:
        at = self._now()  # of the question: whatever its answer takes, tokens are not kept for longer
        try:
            lease = await self._store.lease(tab.name, tab.meter.per_minute, tab.meter.wanted(tab.waiting, at))
        except NO_ANSWER as fault:
            if tab.alone is None:
                log.warning("the database does not answer: this replica limits by itself", fault=type(fault).__name__)
            self._go_alone(tab)
        else:
            tab.meter.leased(lease, at)
            tab.alone = None

    def _go_alone(self, tab: Tab) -> None:
        at = self._now()
        tab.ask_again_at = at + AWAY
        if tab.alone is None:
            tab.alone = Bucket(tab.meter.per_minute, tab.meter.left(at), at)

    def _alone(self, tab: Tab, bucket: Bucket, at: float) -> Standing:
        if at >= tab.ask_again_at:
            tab.ask_again_at = at + AWAY
            _ = self._asking(tab)  # nobody waits for it
        if bucket.take(1, at):
            return Standing(bucket.per_minute, int(bucket.tokens), 0)
        return Standing(bucket.per_minute, 0, math.ceil((1 - bucket.tokens) * 60 / bucket.per_minute))
