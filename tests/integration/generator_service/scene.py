"""Two generator processes on real tables, pretended providers, a log and a clock: whatever happens there is checked."""

from collections import defaultdict, deque
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from generator_service import decide
from generator_service.calls import Capability
from generator_service.operations import Operations
from schemas.events import CancelRequested, Event, JobRequested, ProviderCalledBack, Redo, RetryRequested
from schemas.wire import Position, decode
from stage.database import Pool
from stage.heard import Heard
from tests.drawing import drawn_in
from tests.integration.generator_service.pretend import KINDS, Accepted, Luck, Pretender, World
from tests.integration.generator_service.processes import Death, Process
from tests.integration.generator_service.promises import (
    OVER,
    Row,
    assert_each_has_its_own,
    assert_nothing_paid_is_thrown_away,
    assert_one_last_word,
    assert_paid_once,
    assert_said_alike,
)  # fmt: skip

T = TypeVar("T")

ROUTES = {"fake/painter": "paid", "nobody/knows": "paid"}  # one output per call, and all of them
DRAWN = drawn_in(decide)
CLOCKS_DIFFER = timedelta(seconds=3)


class Scene:
    """What everybody did so far, and whether the promises hold."""

    def __init__(self, pool: Pool, capabilities: frozenset[Capability]) -> None:
        self.pool, self.now, self.world = pool, datetime(2026, 1, 12, 12, tzinfo=UTC), World()
        provider = Pretender("paid", self.world, capabilities)
        self.processes = (
            Process(pool, "generator-0", provider, ROUTES, lambda: self.now),
            Process(pool, "generator-1", provider, ROUTES, lambda: self.now + CLOCKS_DIFFER),
        )
        self.operations = Operations(pool, "somebody")
        self.log: dict[str, list[Event]] = defaultdict(list)
        self.heard: dict[str, int] = defaultdict(int)
        self.requests: list[JobRequested] = []
        self.revisions: dict[UUID, int] = {}
        self.alike = {"the same"}
        self.rows: dict[UUID, Row] = {}
        self.facts: list[Event] = []
        self._last_fact = 0

    # What is published, and heard in its topic's order

    def publish(self, event: Event) -> None:
        self.log[event.topic].append(event)

    async def hear(self, topic: str, many: int = 100) -> None:
        """The next records of a topic, one batch."""
        start = self.heard[topic]
        self.heard[topic] = min(len(self.log[topic]), start + many)
        await self.replay(topic, start, many)

    async def replay(self, topic: str, start: int, many: int) -> None:
        """Records of a topic, in the transaction that would also move the offsets."""
        batch = [Heard(Position(topic, 0, 0), event) for event in self.log[topic][start : start + many]]
        async with self.pool.acquire() as connection, connection.transaction():
            await self.processes[0].handlers.hear(connection, batch)
        await self.look()

    def request(self, model: str, outputs: int = 1, *, alike: bool = False, expires: bool = False) -> JobRequested:
        number = len(self.requests) + 1
        job = JobRequested.say(
            UUID(int=number), f"tenant-{number % 2}", self.now, model=model, num_outputs=outputs,
            prompt="the same" if alike else f"prompt {number}", seed=7 if alike else None,
            deadline=self.now + timedelta(seconds=100) if expires else None,
        )  # fmt: skip
        self.requests.append(job)
        self.revisions[job.job_id] = 1
        self.publish(job)
        return job

    def cancel(self, job: JobRequested) -> None:
        self.publish(CancelRequested.say(job.job_id, job.tenant, self.now, revision=self.revisions[job.job_id]))

    def retry(self, job: JobRequested, outputs: Iterable[int]) -> None:
        """Generate these again, and store the others again."""
        self.revisions[job.job_id] += 1
        again = set(outputs)
        redo = (Redo(index=n, start="generate" if n in again else "store") for n in range(job.num_outputs))
        revision = self.revisions[job.job_id]
        self.publish(RetryRequested.say(job.job_id, job.tenant, self.now, revision=revision, outputs=tuple(redo)))

    async def ring(self, accepted: Accepted, status: str) -> None:
        """The provider calls back at the URL that it was given."""
        *_, generation_id, attempt = str(accepted.call.callback_url).split("/")
        row = self.rows[UUID(generation_id)]
        self.publish(
            ProviderCalledBack.say(
                row["job_id"], row["tenant"], self.now, revision=row["revision"], generation_id=row["id"],
                attempt=int(attempt), provider=accepted.provider, provider_id=accepted.id, provider_status=status,
            )
        )  # fmt: skip
        await self.hear(ProviderCalledBack.topic)

    async def brake(self, *, paused: bool) -> None:
        """Somebody pauses the provider, or lets it go on."""
        if paused:
            await self.operations.pause("provider", "paid", "dear", self.now)
        else:
            await self.operations.resume("provider", "paid")

    # What processes do

    async def beat(self, process: Process) -> None:
        """A process does all that is due, one thing after the other."""
        await self.seen(process.claim(10))
        while process.claims:
            await process.ask()
        await self.seen(process.record())
        await self.seen(process.sweep())
        await self.seen(process.stop_duplicates())

    async def work(self, luck: Luck, *, who: int = 0) -> None:
        """A process does what is due next, with such luck."""
        self.world.lucks = deque([luck])
        due = await self.next_due()
        self.now = max(self.now, due or self.now)
        await self.beat(self.processes[who])

    async def work_until_held(self, luck: Luck) -> UUID:
        """The same until a call is held: which?"""
        for _ in range(50):
            if held := self.held():
                return UUID(str(held[0]["id"]))
            await self.work(luck)
        raise AssertionError(f"never held: {self.rows}")

    async def die(self, process: Process, when: Death) -> None:
        """A process works until then, dies, and starts again."""
        await self.seen(process.claim(10))
        while process.claims and when is not Death.CLAIMED:
            await process.ask()
        if when is Death.RECORDED:
            await self.seen(process.store.record(process.verdicts))
        await process.crash()

    async def seen(self, step: Coroutine[Any, Any, T]) -> T:
        """Do it, and look at what it did."""
        done = await step
        await self.look()
        return done

    # What must hold

    async def look(self) -> None:
        """Read the rows, which may only have taken a step that is drawn."""
        found: dict[UUID, Row] = {row["id"]: dict(row) for row in await self.pool.fetch("SELECT * FROM generations")}
        for name, row in found.items():
            start = "IN_DOUBT" if row["seeks"] else "PENDING"
            step = (str(self.rows[name]["state"] if name in self.rows else start), str(row["state"]))
            assert step[0] == step[1] or step in DRAWN, f"no such step: {step}"
        self.rows = found

    async def check(self) -> None:
        """Everything that is promised, now."""
        await self.look()
        await self.read_facts()
        rows, former = list(self.rows.values()), await self.former_calls()
        at = self.now + CLOCKS_DIFFER
        assert_paid_once(self.world.accepted, rows, at, self.alike)
        assert_nothing_paid_is_thrown_away(self.world.accepted, rows, former, at)
        assert_said_alike(self.facts)
        assert_one_last_word(self.facts, rows)
        assert_each_has_its_own(self.facts, rows, former)

    async def read_facts(self) -> list[Event]:
        """All that was ever said. Nothing relays it here."""
        for row in await self.pool.fetch("SELECT * FROM outbox WHERE id > $1 ORDER BY id", self._last_fact):
            self._last_fact = row["id"]
            position = Position(row["topic"], row["partition"], 0)
            self.facts.append(decode(position, row["key"], row["value"]))
        return self.facts

    async def end_well(self) -> None:
        """Faults stop, everything is heard, and time passes: every generation ends, and no second call is left."""
        self.world.lucks = deque([Luck()])
        for topic in list(self.log):
            await self.hear(topic)
        for process in self.processes:
            await process.crash()
        await self.brake(paused=False)
        for turn in range(200):
            due = await self.next_due()
            if due is None:
                return await self.check()
            self.now = max(self.now, due) + timedelta(seconds=1)
            await self.beat(self.processes[turn % 2])
        raise AssertionError(f"never ends: {self.rows}")

    async def next_due(self) -> datetime | None:
        """When there is something to do."""
        duplicates = [row["cancel_due_at"] for row in await self.former_calls() if row["cancel_due_at"]]
        rows = [row["due_at"] for row in self.rows.values() if row["state"] not in OVER]
        return min(duplicates + rows, default=None)

    # What there is to do something about

    @property
    def states(self) -> list[str]:
        """Where the generations stand, in the order of their revisions."""
        rows = sorted(self.rows.values(), key=lambda row: (row["job_id"], row["revision"], row["number"]))
        return [str(row["state"]) for row in rows]

    async def former_calls(self) -> list[Row]:
        return [dict(row) for row in await self.pool.fetch("SELECT * FROM former_calls")]

    def held(self) -> list[Row]:
        return sorted((row for row in self.rows.values() if row["state"] == "HELD"), key=lambda row: str(row["id"]))

    def taken(self) -> list[Accepted]:
        """Calls that a generation has."""
        names = {row["provider_id"] for row in self.rows.values()}
        return [each for each in self.world.accepted if each.id in names]

    def failed_outputs(self) -> dict[UUID, list[int]]:
        """Of jobs that are over: the outputs whose latest call failed."""
        failed: dict[UUID, list[int]] = {}
        for job in self.requests:
            rows = [row for row in self.rows.values() if row["job_id"] == job.job_id]
            rows.sort(key=lambda row: (row["revision"], row["number"]))
            latest = {index: row for row in rows for index in row["outputs"]}
            outputs = sorted(index for index, row in latest.items() if row["state"] == "FAILED")
            if outputs and all(row["state"] in OVER for row in rows):
                failed[job.job_id] = outputs
        return failed


async def one_job(pool: Pool, kind: str, **asked: Any) -> Scene:
    """A provider of that kind, and one job with one call, planned."""
    scene = Scene(pool, KINDS[kind])
    scene.request("nobody/knows", **asked)
    await scene.hear(JobRequested.topic)
    return scene
