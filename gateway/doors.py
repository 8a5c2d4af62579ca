"""The door that opens with a key. Most requests cost it a look into memory; none waits for PostgreSQL for long."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from starlette.datastructures import Headers

from gateway.callers import Caller
from gateway.key_memory import KeyMemory, Said
from gateway.key_store import KeyStore, KnownKey
from gateway.keys import hash_of, well_formed
from gateway.problems import tenant_suspended, unauthenticated, unavailable
from schemas.clock import Clock
from stage.database import PASSING
from stage.telemetry import get_logger

log = get_logger(__name__)

# A revoked key is refused everywhere within 30 s: half of that leaves time for a slow question.
FRESH = 15.0
AGEING = 10.0
"""From here on PostgreSQL is asked again beside the request, so that a key in use never makes one wait."""
SEEN = 3_600.0
"""How long a key goes on opening while PostgreSQL is away: an hour bounds what a replica that is cut off may believe of
a key that was revoked meanwhile, and mends most outages."""
ASK_AGAIN = 1.0  # seconds between questions while PostgreSQL leaves them without an answer
WRITE_USES = 60.0
WORDS = ("bearer", "token", "key")  # what comes before a key in `Authorization`: ours, old Replicate's, fal's
NO_KEY = "give a key: `Authorization: Bearer <key>` or `X-API-Key: <key>`"
BAD_KEY = "this key opens nothing: it is mistyped, unknown, expired or revoked"
AWAY = "keys cannot be looked up at the moment, and this one was not seen lately"


class KeyDoor:
    """Lets in whoever brings a key that we gave out, and that is neither expired nor revoked."""

    def __init__(self, store: KeyStore, now: Clock, tick: Callable[[], float] = time.monotonic) -> None:
        self._store, self._now, self._tick = store, now, tick
        self._memory = KeyMemory(store, tick)
        self._used: dict[str, datetime] = {}

    async def admit(self, headers: Headers) -> Caller:
        """The caller, by the key in the headers.

        Raises 401 for no key and for one that opens nothing, without a word on why; 403 when its tenant is suspended;
        503 when PostgreSQL is away and the key was not seen within the hour.
        """
        key = key_in(headers)
        if key is None:
            raise unauthenticated(NO_KEY)
        hashed = hash_of(key)
        said = self._memory.recall(hashed)
        age = self._tick() - said.at if said is not None else SEEN
        if age > FRESH:
            if said is None and not well_formed(key):
                raise unauthenticated(BAD_KEY)
            said = await self._asked(hashed, said)
        elif age > AGEING:
            self._ask(hashed)
        return self._let_in(said.key if said is not None else None)

    def _let_in(self, key: KnownKey | None) -> Caller:
        at = self._now()
        if key is None or not key.good(at):
            raise unauthenticated(BAD_KEY)
        if key.suspended:
            raise tenant_suspended()
        self._used[key.caller.key_id or ""] = at
        return key.caller

    async def _asked(self, hashed: bytes, before: Said | None) -> Said | None:
        """What PostgreSQL says now; while it says nothing, what it said `before`, up to an hour ago."""
        lately = before is not None and self._tick() - before.at < SEEN
        silent = self._memory.silent_for() is not None
        asked = self._ask(hashed)
        if asked is not None and not (lately and silent) and await asyncio.shield(asked):
            return self._memory.recall(hashed)
        if lately:
            return before
        raise unavailable(AWAY)

    def _ask(self, hashed: bytes) -> "asyncio.Future[bool] | None":
        silent_for = self._memory.silent_for()
        return None if silent_for is not None and silent_for < ASK_AGAIN else self._memory.ask(hashed)

    async def run(self, stopping: asyncio.Event) -> None:
        """Write down once a minute, and at the end, which keys were used; never in a request's way."""
        while not stopping.is_set():
            try:
                await asyncio.wait_for(stopping.wait(), WRITE_USES)
            except TimeoutError:
                pass  # a minute is over
            await self.write_uses()
            self._memory.forget(SEEN)

    async def write_uses(self) -> None:
        """Write it now. What cannot be written is kept for the next time."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._store.used(used)
        except PASSING as fault:
            log.warning("the use of keys cannot be written", fault=type(fault).__name__)
            self._used = used | self._used


def key_in(headers: Headers) -> str | None:
    """The key that a request brings."""
    word, _, key = headers.get("authorization", "").partition(" ")
    if word.lower() in WORDS and (key := key.strip()):
        return key
    return headers.get("x-api-key") or None
