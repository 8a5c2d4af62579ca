"""Folds the log once more beside the live ledger: to check it, or to take its place.

Nothing live is changed but by the one transaction that swaps the tables. What it needs of the live ledger it sees at
one moment: how far that had heard each place of the log, what it held, and what it still had to say.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from ledger_service import beside, shadow, store
from ledger_service.announce import announcement
from ledger_service.digest import Comparison
from ledger_service.fold import standing
from ledger_service.handlers import TOPICS
from ledger_service.history import SAID, History, Say, places
from ledger_service.log import Log
from ledger_service.workers import Workers
from schemas.events import DataRemoved, JobCompleted
from schemas.wire import Position, UnreadableRecordError, decode, encode
from stage import offsets, outbox
from stage.database import PASSING, Connection
from stage.sift import Partition

CLOSE = 1_000
"""So few facts behind the live ledger, the rest is folded within the last transaction."""
ROUNDS = 10
TOLD_AT_ONCE = 1_000
SAYS = {JobCompleted.topic: "announced", DataRemoved.topic: "removal_said"}


class CannotRebuildError(Exception):
    """The log and the ledger do not belong together, or another command is at it: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it. `told` counts the jobs of whose end somebody is told now, for the first time."""

    comparison: Comparison
    facts: int
    seconds: float
    told: int = 0


async def check(connection: Connection, log: Log, say: Say, workers: Workers | None = None) -> Rebuilt:
    """Compare the live ledger with what the log says, to exactly the offset that it has heard of each place.

    Live traffic goes on; nothing live is changed, locked or said. `CannotRebuildError` when the live ledger is empty.
    """
    async with _Course.begin(connection, log, say, workers) as course:
        if await course.emptied():
            raise CannotRebuildError("the ledger is empty and the log is not: run `darkroom ledger rebuild`")
        await course.fold_history()
        return course.result(await course.compare())


async def rebuild(connection: Connection, log: Log, say: Say, workers: Workers | None = None) -> Rebuilt:
    """Put tables in the live ones' place that hold what the log says, and tell what nobody was told.

    The comparison shows what the live ledger held. Services may run: whoever writes waits for the last moment, and
    whoever reads sees the old tables or the new. Until that moment a crash changes nothing; then it is all done.
    """
    async with _Course.begin(connection, log, say, workers) as course:
        course.from_nothing = await store.is_empty(connection)
        await course.fold_history()
        comparison = await course.compare()
        await course.close_up()  # to compare takes long, and what came meanwhile is not to be folded under the locks
        say("swapping the tables")
        told = await course.take_over()
        return course.result(comparison, told)


class _Course:
    """One check or rebuild. `from_nothing`: the live ledger has lost all it knew, and is to know the whole log."""

    def __init__(self, connection: Connection, log: Log, say: Say, workers: Workers | None) -> None:
        self._connection, self._log, self._say = connection, log, say
        self._history = History(connection, log, say, workers)
        self.from_nothing = False

    @classmethod
    @asynccontextmanager
    async def begin(
        cls, connection: Connection, log: Log, say: Say, workers: Workers | None
    ) -> AsyncIterator["_Course"]:
        """With an empty shadow, of which nothing is left at the end."""
        if not await shadow.take_turn(connection):
            raise CannotRebuildError("another check or rebuild is running")
        await connection.execute("SET statement_timeout = 0")  # of this command's own session
        await shadow.make(connection)
        try:
            yield cls(connection, log, say, workers)
        finally:
            with suppress(*PASSING):  # without a connection the next command drops it
                await shadow.drop(connection)

    async def emptied(self) -> bool:
        """Whether the live ledger knows nothing, though ends of jobs were announced."""
        return await store.is_empty(self._connection) and any((await self._log.ends(places(SAID))).values())

    async def fold_history(self) -> None:
        """Fold until the shadow is close behind the live ledger."""
        ends = await self._reached()
        behind = sum(ends.values())
        self._say(f"folding about {behind:,} records")
        await self._history.fold_to(ends)
        await self.close_up()

    async def close_up(self) -> None:
        """Fold what came meanwhile, until little is left or it comes as fast as it is folded."""
        for _ in range(ROUNDS):
            if await self._history.catch_up(await self._reached()) < CLOSE:
                return

    async def _reached(self) -> dict[Partition, int]:
        """How far to fold now: what the live ledger has heard, and what it had said before that moment."""
        said = await self._log.ends(places(SAID))  # asked first: what is said was heard before
        return await self._heard() | said

    async def _heard(self) -> dict[Partition, int]:
        """How far the live ledger has heard each place. One that lost all it knew is taken to have heard everything."""
        wanted = places(*TOPICS)
        live = await shadow.heard(self._connection, wanted)
        begins, ends = await self._log.begins([*wanted, *places(SAID)]), await self._log.ends(wanted)
        _refuse_a_cut_log(begins)
        _refuse_another_log(ends, live, self._log.cluster)
        done, heard = self._history.done, {place: each.next for place, each in live.items()}
        if self.from_nothing:
            known = done if any(done.values()) else ends
            return {place: max(heard[place], known[place]) for place in wanted}
        if back := [place for place in wanted if heard[place] < done[place]]:
            raise CannotRebuildError(f"the ledger went back on {back[0][0]}-{back[0][1]} meanwhile: begin again")
        return heard

    async def compare(self) -> Comparison:
        """Both sides at one moment, of which the shadow holds everything then."""
        said = await self._log.ends(places(SAID))
        async with self._connection.transaction(isolation="repeatable_read"):
            await self._history.catch_up(await self._heard() | said)
            for column, revisions in (await self._under_way()).items():
                await shadow.excuse(self._connection, column, revisions)
            await self._refuse_another_release()
            self._say("comparing")
            return await beside.compare(self._connection)

    async def take_over(self) -> int:
        """Swap, and return how many jobs' ends were never told until now."""
        async with self._connection.transaction():
            await beside.hold_writers(self._connection)
            await self._refuse_another_release()
            await self._history.catch_up(await self._reached())
            for column, revisions in (await self._under_way()).items():
                await shadow.mark(self._connection, column, revisions)
            told = await self._tell()
            done = {place: end for place, end in self._history.done.items() if place[0] != SAID}
            await offsets.begin(self._connection, done, self._log.cluster)
            await offsets.move(self._connection, done)
            await beside.swap(self._connection)
        return told

    async def _refuse_another_release(self) -> None:
        """Tables that were migrated meanwhile, or by another release, would lose what this one does not know."""
        if columns := await beside.unlike(self._connection):
            raise CannotRebuildError(f"the ledger's tables are of another release: {', '.join(columns)}")

    async def _under_way(self) -> dict[str, dict[UUID, int]]:
        """By the column that remembers it: revisions of jobs whose ends or removals the ledger said or says just now.

        The outbox is looked at first: what has left it since lies in the log.
        """
        waiting = await shadow.outbox_of(self._connection, SAYS)
        found: dict[str, dict[UUID, int]] = {}
        for topic, column in SAYS.items():
            found[column] = await self._history.said_since(topic, self._history.done)
        for topic, number, key, value in waiting:
            try:
                event = decode(Position(topic, number, 0), key, value)
            except UnreadableRecordError:
                raise CannotRebuildError("the outbox holds what this release cannot read: run its own") from None
            said = found[SAYS[topic]]
            said[event.job_id] = max(said.get(event.job_id, 0), event.revision)
        return found

    async def _tell(self) -> int:
        """Say what was never said, once: through the live outbox, in the transaction that swaps."""
        told = 0
        await self._connection.execute(shadow.LOOK_THERE)
        while ids := await shadow.untold(self._connection, TOLD_AT_ONCE):
            jobs = await store.load(self._connection, ids)
            facts = [fact for job in jobs.values() if (fact := announcement(job, standing(job)))]
            await outbox.add(self._connection, [encode(fact, source="ledger") for fact in facts])
            await shadow.mark(self._connection, "announced", {job_id: job.revision for job_id, job in jobs.items()})
            told += len(facts)
        return told

    def result(self, comparison: Comparison, told: int = 0) -> Rebuilt:
        """What came of it."""
        return Rebuilt(comparison, self._history.facts, self._history.seconds, told)


def _refuse_a_cut_log(begins: Mapping[Partition, int]) -> None:
    for (topic, number), begin in begins.items():
        if begin > 0:
            raise CannotRebuildError(
                f"{topic}-{number} begins at {begin}: the log is not whole, and what it lost would be lost"
            )


def _refuse_another_log(ends: Mapping[Partition, int], live: Mapping[Partition, shadow.Heard], cluster: str) -> None:
    for place, heard in live.items():
        name = f"{place[0]}-{place[1]}"
        if heard.cluster not in (cluster, None):
            raise CannotRebuildError(f"{name} was read from cluster {heard.cluster}, this is {cluster}")
        if heard.next > ends[place]:
            raise CannotRebuildError(f"{name} was read up to {heard.next} but ends at {ends[place]}")
