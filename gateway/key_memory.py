"""What PostgreSQL said of keys a moment ago, and how it is asked: many keys at once, one question at a time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.key_store import KeyStore, KnownKey
from stage.telemetry import get_logger

log = get_logger(__name__)

ANSWER_SECONDS = 2.0  # a question that takes longer counts as not answered
STRANGER_SECONDS = 5.0  # that a key was unknown is believed this long
MOST_STRANGERS = 10_000  # about 2 MB: whoever makes up keys must not fill our memory
MOST_WAITING = 1_000  # keys of one question


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
        self.silent_since: float | None = None
        """When PostgreSQL last left a question without an answer, unless it has answered since."""

    def recall(self, hashed: bytes) -> Said | None:
        """What was said last of this key."""
        said = self._known.get(hashed)
        if said is not None:
            return said
        said = self._strangers.get(hashed)
        return said if said is not None and self._tick() - said.at < STRANGER_SECONDS else None

    def ask(self, hashed: bytes) -> "asyncio.Future[bool] | None":
        """Have PostgreSQL asked of this key; whether it answered. None when too many others wait.

        Whoever asks of one key at the same time shares one answer. A made-up key with a right checksum costs a place
        in a question, never a question of its own: there is one at a time, however many keys there are.
        """
        shared = self._waiting.get(hashed) or self._asked.get(hashed)
        if shared is not None:
            return shared
        if len(self._waiting) >= MOST_WAITING:
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
            async with asyncio.timeout(ANSWER_SECONDS):
                known = await self._store.known(hashes)
        except Exception as fault:  # noqa: BLE001 - whatever it is: who was let in a while ago is not turned away for it
            log.warning("keys cannot be looked up", fault=type(fault).__name__, keys=len(hashes))
            self.silent_since = self._tick()
            return False
        self.silent_since = None
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
