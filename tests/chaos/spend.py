"""`spend`: nothing is paid twice, whatever dies, and whatever is lost or said twice."""

import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaProducer, ConsumerRecord

from darkroom.local.stack import Stack
from schemas.clock import utc_now
from schemas.events import (
    Event,
    GenerationFailed,
    GenerationSubmitted,
    JobRequested,
    MediaGenerated,
    ProviderCalledBack,
)  # fmt: skip
from schemas.identity import job_id_of
from schemas.wire import Position, decode, encode
from stage.kafka import publish
from tests.chaos.moves import p99, reattached, recoveries, write_down, written
from tests.chaos.nemesis import Nemesis, blows, revived
from tests.chaos.points import Point
from tests.chaos.site import Site, site
from tests.chaos.tally import Tally, charges_in, doubly_paid, unpaid
from tests.pipeline.driver import until

MODEL = "black-forest-labs/flux-schnell"
OUTPUTS_PER_KILL = 10
REPLAY_EVERY = 5  # blows
QUIET = 5.0  # seconds in which nothing may change any more: what is late, or not listed yet, is so by 4
FACTS_OF_OURS = (GenerationSubmitted.topic, GenerationFailed.topic, MediaGenerated.topic)
REAL_POINTS = [point for point in Point if point is not Point.HANDLED]

FAULTS: list[dict[str, Any]] = [
    {"fault": "drop_answer", "sent": "nothing", "chance": 0.06},
    {"fault": "drop_answer", "sent": "half", "chance": 0.03},
    {"fault": "gateway_error", "chance": 0.03},
    {"fault": "gateway_error", "accepted": False, "chance": 0.02},
    {"fault": "delay", "seconds": 6, "chance": 0.03},
    {"fault": "delay", "seconds": 6, "accept": "after", "chance": 0.02},
    {"fault": "throttle", "seconds": 1, "chance": 0.01},
    {"fault": "fail", "chance": 0.08},
    {"fault": "abort", "chance": 0.02},
    {"fault": "unlisted", "seconds": 4, "chance": 0.1},
    {"fault": "gateway_error", "on": "list", "chance": 0.05},
    {"fault": "drop_answer", "on": "get", "chance": 0.05},
    {"fault": "webhook_lost", "chance": 0.4},
    {"fault": "webhook_duplicated", "copies": 3, "chance": 0.2},
    {"fault": "webhook_late", "seconds": 4, "chance": 0.1},
    {"fault": "webhook_out_of_order", "chance": 0.1},
    {"fault": "drop_answer", "input": {"guidance_scale": 1}},
    {"fault": "webhook_lost", "input": {"guidance_scale": 1}},
    {"fault": "drop_answer", "input": {"guidance_scale": 2}},
]
LURES = {Point.FOUND: {"guidance_scale": 1}, Point.ADOPTED: {"guidance_scale": 2}}
"""What is asked for when a blow waits where few come: its answer is surely lost, and its callbacks as well, or not."""


@dataclass(frozen=True)
class Plan:
    """How hard a run is."""

    seed: int
    kills: int
    policy: str = "strict"
    naive: bool = False
    points: Sequence[Point] = field(default_factory=lambda: REAL_POINTS)


async def spend(stack: Stack, plan: Plan) -> tuple[Tally, list[str]]:
    """Run it on these servers, which must be fresh. The tally, and what is wrong with it."""
    module = "tests.chaos.naive" if plan.naive else "tests.chaos.generator"
    told = {"DOUBT_POLICY": plan.policy if plan.policy == "strict" else f"{plan.policy}=replicate"}
    async with site(stack, plan.seed, module=module, told=told, callbacks=not plan.naive) as here:
        await write_down(here.admin)
        await here.tell("/_simulator/faults", FAULTS)
        run = Run(here, plan)
        await run.torment()
        await run.settle()
        return await run.tally()


class Run:
    """One run, from the first request to the last charge."""

    def __init__(self, here: Site, plan: Plan) -> None:
        self._here, self._plan = here, plan
        self._dice = random.Random(plan.seed)
        self._nemesis = Nemesis(here, self._dice)
        self._jobs: list[JobRequested] = []

    async def torment(self) -> None:
        """Ask for outputs all the while, and strike."""
        coming = list(blows(self._plan.kills, self._dice, self._plan.points))
        self._dice.shuffle(coming)
        wanted = self._plan.kills * OUTPUTS_PER_KILL
        for number, blow in enumerate(coming, start=1):
            asking = asyncio.create_task(self._ask(wanted * number // len(coming), blow[1]))
            await self._nemesis.strike(blow)
            await asking
            if number % REPLAY_EVERY == 0 and not self._plan.naive:
                await self._replay()

    async def settle(self) -> None:
        """Stop everything that goes wrong, replay once more, and wait until nothing changes."""
        await revived(self._here.generators)
        await self._here.tell("/_simulator/faults", [])
        if self._plan.naive:
            return await self._settle_naively()
        await self._replay()
        before: Any = None
        async with asyncio.timeout(180):
            while True:
                await until(self._settled, 120, "every generation to be over or held")
                now = (await self._emitted(), await self._held())
                if now == before:
                    return None
                before = now
                await asyncio.sleep(QUIET)

    async def tally(self) -> tuple[Tally, list[str]]:
        """What came of it, by the simulator's bill, the log and the database."""
        charges = charges_in(await self._here.told("/_simulator/bill"), await self._here.predictions())
        moves = await written(self._here.admin)
        emitted = await self._emitted()
        tally = Tally(
            seed=self._plan.seed, kills=self._nemesis.kills, pauses=self._nemesis.pauses,
            outputs=self._outputs, emitted=len(emitted), charges=len(charges),
            doubly_paid=doubly_paid(charges, self._jobs), reattached=len(reattached(moves)),
            held=await self._held(), recovered_p99_s=p99(recoveries(moves, self._nemesis.orphaned)),
        )  # fmt: skip
        print(self._nemesis.where(), file=sys.stderr)  # noqa: T201
        wrong = [*tally.complaints(), *await self._two_meanings()]
        if strange := unpaid(charges, self._jobs, emitted):
            wrong.append(f"{len(strange)} jobs have outputs that nobody was paid for")
        return tally, wrong

    @property
    def _outputs(self) -> int:
        return sum(job.num_outputs for job in self._jobs)

    async def _ask(self, outputs: int, point: Point | None) -> None:
        """Request jobs until so many outputs are asked for altogether, a few at a time. The first leads to `point`."""
        lure = LURES.get(point) if point else None
        producer = AIOKafkaProducer(bootstrap_servers=self._here.pipeline.bootstrap, acks="all")
        await producer.start()
        try:
            while self._outputs < outputs:
                job = self._job(len(self._jobs), min(self._dice.randint(1, 4), outputs - self._outputs), lure)
                lure = None
                self._jobs.append(job)
                await publish(producer, [encode(job, source="gateway")])
                await asyncio.sleep(self._dice.uniform(0, 0.3))
        finally:
            await producer.stop()

    def _job(self, number: int, outputs: int, lure: Mapping[str, int] | None) -> JobRequested:
        job_id = job_id_of("chaos", f"{self._plan.seed}/{number}")
        return JobRequested.say(
            job_id, f"tenant-{number % 3}", utc_now(), model=MODEL, prompt=f"a desert, {number}", num_outputs=outputs,
            input=dict(lure or {}),
        )  # fmt: skip

    async def _replay(self) -> None:
        """Say every request and every callback again, from offset 0."""
        log = await self._here.pipeline.records(JobRequested.topic, ProviderCalledBack.topic)
        await self._here.pipeline.reproduce(list({record.value: record for record in log}.values()))

    async def _settled(self) -> bool:
        open_states = "('PENDING', 'INTENT', 'IN_DOUBT', 'SUBMITTED')"
        waiting, unsaid, planned = await self._here.admin.fetchrow(
            f"""
            SELECT (SELECT count(*) FROM generator.generations WHERE state IN {open_states}),
                   (SELECT count(*) FROM generator.outbox), (SELECT count(*) FROM generator.gates)
            """
        )  # type: ignore[misc]
        return not waiting and not unsaid and planned == len(self._jobs)

    async def _settle_naively(self) -> None:
        """It may have lost some; wait until it is done with what it has."""
        before = -1
        while (now := len(await self._emitted())) != before:
            before = now
            await asyncio.sleep(QUIET)

    async def _held(self) -> int:
        found: int = await self._here.admin.fetchval(
            "SELECT coalesce(sum(cardinality(outputs)), 0) FROM generator.generations WHERE state = 'HELD'"
        )
        return found

    async def _emitted(self) -> set[tuple[UUID, int]]:
        """The outputs that were said to exist."""
        log = await self._here.pipeline.records(MediaGenerated.topic)
        return {(fact.job_id, fact.index) for fact in map(_said, log) if isinstance(fact, MediaGenerated)}

    async def _two_meanings(self) -> list[str]:
        """Facts that were said twice, differently."""
        if self._plan.naive:
            return []
        meanings = defaultdict(set)
        for record in await self._here.pipeline.records(*FACTS_OF_OURS):
            meanings[_said(record).event_id].add(record.value)
        return [f"one fact, {len(said)} meanings: {sorted(said)}" for said in meanings.values() if len(said) > 1]


def _said(record: ConsumerRecord[bytes, bytes]) -> Event:
    return decode(Position(record.topic, record.partition, record.offset), record.key, record.value)
