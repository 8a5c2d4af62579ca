"""Keeps one part running: starts it, waits until it is ready, and starts it again whenever it dies."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from darkroom.local.backoff import Backoff
from darkroom.local.child import Child
from darkroom.local.home import shown
from darkroom.local.part import LocalError, Part
from darkroom.local.state import PartState, State

READY_WITHIN = 60.0  # seconds
LOOK_EVERY = 0.05  # seconds, while waiting to be ready


class Keeper:
    """One part and the task that keeps it.

    `changed` hears of every change of its state, `say` what people should know.
    """

    def __init__(self, part: Part, log: Path, changed: Callable[[], None], say: Callable[[str], None]) -> None:
        self.part = part
        self.state = State.STARTING
        self.restarts = 0
        self._log = log
        self._changed = changed
        self._say = say
        self._child: Child | None = None
        self._ready = asyncio.Event()
        self._at_once = asyncio.Event()  # set: do not wait for the backoff
        self._task: asyncio.Task[None] | None = None

    def describe(self) -> PartState:
        """The part as people see it, now."""
        child = self._child if self._child is not None and self._child.alive else None
        return PartState(
            name=self.part.name,
            pid=child.process.pid if child else None,
            created=child.created if child else None,
            port=self.part.port,
            url=self.part.url,
            state=self.state,
            restarts=self.restarts,
            log=str(self._log),
            stop_signal=self.part.stop_signal,
        )

    async def start(self) -> None:
        """Return when the part is ready, starting it first when it is not kept; a backoff is cut short.

        `LocalError` escapes when it dies before it was ever ready: what cannot start once is not tried again.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep(), name=f"keep {self.part.name}")
        self._at_once.set()
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._ready.is_set():
            await self._task

    async def stop(self, patience: float) -> None:
        """Stop the part and keep it stopped: asked first, killed after `patience` seconds. A repeat does nothing."""
        await self._let_go()
        if self._child is not None:
            await self._child.stop(self.part.stop_signal, patience)
        self._become(State.FAILED if self.state is State.FAILED else State.STOPPED)

    async def kill(self, *, revive: bool) -> None:
        """SIGKILL, and return when it is dead. It comes back as after any death, unless `revive` is false."""
        if not revive:
            await self._let_go()
        self._ready.clear()
        self.kill_now()
        if self._child is not None:
            await self._child.ended()
        if not revive:
            self._become(State.STOPPED)

    def kill_now(self) -> None:
        """SIGKILL without waiting."""
        if self._child is not None:
            self._child.kill()

    async def _let_go(self) -> None:
        self._ready.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, LocalError):
                await self._task

    async def _keep(self) -> None:
        backoff, was_ready = Backoff(), False
        while True:
            began = monotonic()
            self._child = child = await Child.start(self.part, self._log)
            self._become(State.RESTARTING if was_ready else State.STARTING)
            problem = await self._until_ready(child)
            if problem is None:
                was_ready = True
                self._greet(monotonic() - began)
                problem = await child.ended()
            self._ready.clear()
            if not was_ready:
                self._become(State.FAILED)
                raise LocalError(self._never_ready(child, problem))
            delay, backoff = backoff.after(monotonic() - began)
            await self._rest(problem, delay)

    async def _until_ready(self, child: Child) -> str | None:
        """Wait for it to be ready. What went wrong instead, with the process gone, or None."""
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not (await self.part.ready() and child.alive):
                    if not child.alive:
                        return await child.ended()
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            child.kill()
            await child.ended()
            return f"not ready within {READY_WITHIN:.0f} s"
        return None

    def _greet(self, took: float) -> None:
        self._ready.set()
        self._become(State.READY)
        self._say(f"{self.part.name:<12} ready in {took:4.1f} s   {self.part.url}")

    async def _rest(self, problem: str, delay: float) -> None:
        self.restarts += 1
        self._become(State.RESTARTING)
        self._say(f"{self.part.name} died ({problem}); starting it again in {delay:g} s. Its log: {shown(self._log)}")
        self._at_once.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._at_once.wait(), delay)

    def _never_ready(self, child: Child, problem: str) -> str:
        words = child.last_words()
        said = f" after saying: {words}" if words else ""
        return f"{self.part.name} did not start ({problem}){said}: its log is {shown(self._log)}"

    def _become(self, state: State) -> None:
        self.state = state
        self._changed()
