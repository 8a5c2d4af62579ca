"""Who kills and pauses the generators: at random, and at every named point in turn. Chosen by the seed."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from darkroom.local.keeper import Keeper
from tests.chaos.moves import Orphans, orphans_of
from tests.chaos.points import Point
from tests.chaos.site import Site

PATIENCE = 5.0  # seconds for somebody to come to a point; then it is done to anybody, anywhere
LONGEST_PAUSE = 12.0  # seconds: longer than a claim's 9
LOOK_EVERY = 0.01

Blow = tuple[signal.Signals, Point | None]


def blows(kills: int, dice: random.Random, points: Sequence[Point]) -> Iterator[Blow]:
    """So many kills, and a pause for every third; half of each at the points, each point as often as the others."""
    for blow, count in ((signal.SIGKILL, kills), (signal.SIGSTOP, kills // 3)):
        turn = [*points]
        dice.shuffle(turn)
        for number in range(count):
            yield blow, turn[number // 2 % len(turn)] if number % 2 == 0 and turn else None


@dataclass
class Nemesis:
    """Strikes the generators of a site, and brings them back."""

    site: Site
    dice: random.Random
    kills: int = 0
    pauses: int = 0
    orphaned: list[Orphans] = field(default_factory=list)
    struck: Counter[Point] = field(default_factory=Counter)
    missed: Counter[Point] = field(default_factory=Counter)

    async def strike(self, blow: Blow) -> None:
        """One kill, or one pause with what follows; returns when the victim works again."""
        number, point = blow
        victim = await self._at(number, point) if point else None
        victim = victim or await self._anywhere(number)
        if number is signal.SIGKILL:
            self.kills += 1
            self.orphaned.append(await orphans_of(self.site.admin, victim.part.name))
            await victim.start()
        else:
            self.pauses += 1
            await asyncio.sleep(self.dice.uniform(0.5, LONGEST_PAUSE))
            _process(victim).send_signal(signal.SIGCONT)

    async def _at(self, number: signal.Signals, point: Point) -> Keeper | None:
        """Who was struck at the point; None when nobody came there in time."""
        before = {keeper.part.name: keeper.describe().pid for keeper in self.site.generators}
        self.site.orders.give(number, point)
        deadline = time.monotonic() + PATIENCE
        while not self.site.orders.obeyed:
            if time.monotonic() > deadline and self.site.orders.take_back():
                self.missed[point] += 1
                return None
            await asyncio.sleep(LOOK_EVERY)
        self.struck[point] += 1
        while True:  # who took the order is about to obey
            for keeper in self.site.generators:
                pid = keeper.describe().pid
                if number is signal.SIGKILL and pid != before[keeper.part.name]:
                    return keeper
                if number is signal.SIGSTOP and pid and psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                    return keeper
            await asyncio.sleep(LOOK_EVERY)

    async def _anywhere(self, number: signal.Signals) -> Keeper:
        victim = self.dice.choice(self.site.generators)
        await asyncio.sleep(self.dice.uniform(0, 1))
        if number is signal.SIGKILL:
            await victim.kill(revive=True)
        else:
            _process(victim).send_signal(signal.SIGSTOP)
        return victim

    def where(self) -> str:
        """How often a blow fell at each point, for people."""
        told = (f"{point} {self.struck[point]}" for point in Point if self.struck[point] + self.missed[point])
        return f"blows at points: {', '.join(told)}; nobody came in time: {self.missed.total()}"


def _process(keeper: Keeper) -> psutil.Process:
    pid = keeper.describe().pid
    assert pid is not None, f"{keeper.part.name} does not run"
    return psutil.Process(pid)


async def revived(keepers: Sequence[Keeper]) -> None:
    """Return once all of them work, paused ones included."""
    for keeper in keepers:
        with suppress(psutil.NoSuchProcess, AssertionError):
            _process(keeper).send_signal(signal.SIGCONT)
        await keeper.start()
