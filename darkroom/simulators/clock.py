"""The time inside a simulator: as the wall clock's, until a test moves it on or stops it."""

import asyncio
import heapq
import time
from datetime import datetime, timedelta
from itertools import count

from schemas.clock import utc_now


class SimulatedClock:
    """Tells the time, and rings alarms. Never goes back.

    With a `start` and `frozen`, every time it tells is the same on every run.
    """

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._start = start or utc_now()
        self._skipped = 0.0
        self._running_since = None if frozen else time.monotonic()
        self._alarms: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def frozen(self) -> bool:
        """Whether the time stands still but for `advance`."""
        return self._running_since is None

    def now(self) -> datetime:
        """The time in the simulator, in UTC."""
        running = 0.0 if self._running_since is None else time.monotonic() - self._running_since
        return self._start + timedelta(seconds=self._skipped + running)

    def advance(self, seconds: float) -> datetime:
        """Move on at once, and ring what is due by then. Returns the new time."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back by {-seconds} s")
        self._skipped += seconds
        self._ring()
        return self.now()

    def freeze(self) -> None:
        """Stand still from now on. Repeating it changes nothing."""
        if self._running_since is not None:
            self._skipped += time.monotonic() - self._running_since
            self._running_since = None

    def resume(self) -> None:
        """Run again, from where it stands. Repeating it changes nothing."""
        if self._running_since is None:
            self._running_since = time.monotonic()
            self._ring()

    def alarm(self, moment: datetime) -> "asyncio.Future[None]":
        """Done once it is `moment`. Whoever waits may cancel it, or set it early."""
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._alarms, (moment, next(self._numbers), alarm))
        self._ring()
        return alarm

    async def sleep(self, seconds: float) -> None:
        """Wait so long, by this clock."""
        if seconds > 0:
            await self.alarm(self.now() + timedelta(seconds=seconds))

    def _ring(self) -> None:
        """Ring what is due, and come back when the next is."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        now = self.now()
        while self._alarms and (self._alarms[0][0] <= now or self._alarms[0][2].done()):
            alarm = heapq.heappop(self._alarms)[2]
            if not alarm.done():
                alarm.set_result(None)
        if self._alarms and not self.frozen:
            wait = (self._alarms[0][0] - now).total_seconds()
            self._timer = self._alarms[0][2].get_loop().call_later(wait, self._ring)
