"""What PostgreSQL said of keys a moment ago, and how it is asked: many keys at once, one question at a time."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.key_store import KeyStore, KnownKey
from stage.database import within
from stage.telemetry import get_logger

log = get_logger(__name__)

ANSWER_SECONDS = 2.0  # a question that takes longer counts as not answered
STRANGER_SECONDS = 5.0  # that a key was unknown is believed this long
MOST_STRANGERS = 10_000  # about 2 MB: whoever makes up keys must not fill our memory
SILENT_SECONDS = 5.0
"""After an unanswered question PostgreSQL counts as away for this long: longer than the next question may take to be
asked and to stay unanswered too, and so short that nobody goes by it once PostgreSQL is back.
"""
MOST_WAITING = 1_000  # strangers of one question


@dataclass(frozen=True, slots=True)
class Said:
    """What PostgreSQL said of a key, None when it knows none, and when it was asked."""

    key: KnownKey | None
    at: float


class KeyMemory:
    """Remembers answers. Strangers are remembered apart, so that they never drive out a key that is known."""

    def __init__(self, store: KeyStore, tick: Callable[[], float]) -> None:
        self._store, self._tick = store, tick
        self._known: dict[bytes, Said] = {}
        self._strangers: OrderedDict[bytes, Said] = OrderedDict()
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}
        self._asked: dict[bytes, asyncio.Future[bool]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._unanswered_at: float | None = None

    def silent_for(self) -> float | None:
        """Seconds since PostgreSQL left a question without an answer; None when it has answered since, or when that
        is too long ago to say anything of now.
        """
        seconds = math.inf if self._unanswered_at is None else self._tick() - self._unanswered_at
        return seconds if seconds < SILENT_SECONDS else None

    def recall(self, hashed: bytes) -> Said | None:
        """What was said last of this key."""
        said = self._known.get(hashed)
        if said is not None:
            return said
        said = self._strangers.get(hashed)
        return said if said is not None and self._tick() - said.at < STRANGER_SECONDS else None

    def ask(self, hashed: bytes) -> "asyncio.Future[bool] | None":
        """Have PostgreSQL asked of this key; whether it answered. None when it is a stranger's and too many others
        wait; one that was known before is always asked of, for there are only so many of those.

        Whoever asks of one key at the same time shares one answer. A made-up key with a right checksum costs a place
        in a question, never a question of its own: there is one at a time, however many keys there are.
        """
        shared = self._waiting.get(hashed) or self._asked.get(hashed)
        if shared is not None:
            return shared
        if len(self._waiting) >= MOST_WAITING and hashed not in self._known:
            return None
        answered = self._waiting[hashed] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_on())
        return answered

    def forget(self, older_than: float) -> None:
        """Drop what nobody may go by any more."""
        too_old = self._tick() - older_than
        self._known = {hashed: said for hashed, said in self._known.items() if said.at > too_old}

    async def _ask_on(self) -> None:
        """Ask until nobody waits."""
        while self._waiting:
            self._asked, self._waiting = self._waiting, {}
            answered = await self._ask(list(self._asked))
            for waiting in self._asked.values():
                waiting.set_result(answered)
            self._asked = {}
        self._asking = None

    async def _ask(self, hashes: list[bytes]) -> bool:
        at = self._tick()  # before, so that what is changed meanwhile counts as not seen yet
        try:
            known = await within(ANSWER_SECONDS, self._store.known(hashes))
        except Exception as fault:  # noqa: BLE001 - whatever it is: who was let in a while ago is not turned away for it
            log.warning("keys cannot be looked up", fault=type(fault).__name__, keys=len(hashes))
            self._unanswered_at = self._tick()
            return False
        self._unanswered_at = None
        for hashed in hashes:
            self._remember(hashed, Said(known.get(hashed), at))
        return True

    def _remember(self, hashed: bytes, said: Said) -> None:
        if said.key is not None:
            self._known[hashed] = said
            self._strangers.pop(hashed, None)
            return
        self._known.pop(hashed, None)
        self._strangers[hashed] = said
        self._strangers.move_to_end(hashed)
        while len(self._strangers) > MOST_STRANGERS:
            self._strangers.popitem(last=False)
