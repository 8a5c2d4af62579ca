"""`waiting`: many generations wait at their provider at once, in one process. Waiting costs a row, not a task."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer

from darkroom.local.keeper import Keeper
from darkroom.local.stack import Stack
from schemas.clock import utc_now
from schemas.events import JobRequested, MediaGenerated
from schemas.identity import job_id_of
from schemas.wire import encode
from stage.kafka import publish
from tests.chaos.site import Site, site
from tests.pipeline.driver import until

MODEL = "black-forest-labs/flux-1.1-pro"  # one picture a call
LATENCY = timedelta(minutes=20)  # of the simulated model, by the simulator's clock
LOOKED_AT = 35.0  # seconds: longer than the longest interval between two looks, so that every call is seen waiting
MEGABYTE = 1_000_000
BATCH = 500
LARGEST = 300.0
"""Megabytes that one process may take: the issue's number."""

PATIENT = {
    "GENERATOR_CALL_TIMEOUT": "PT60S",
    "GENERATOR_LOOK_FOR": "PT10M",
    "REPLICATE_CANCEL_AFTER": "1h",
    "LOG_LEVEL": "WARNING",
}
COUNTED: list[dict[str, Any]] = [
    {"fault": "gateway_error", "on": "list", "chance": 0.0},
    {"fault": "gateway_error", "on": "get", "chance": 0.0},
]
"""Faults that never strike, for their counts: how often lists and predictions are read."""

STATES = "SELECT state, count(*) FROM generator.generations GROUP BY state"


@dataclass(frozen=True, slots=True)
class Figures:
    """The one line that a run prints."""

    generations: int
    waiting_at_once: int
    finished: int
    rss_before_mb: float
    rss_waiting_mb: float
    rss_peak_mb: float
    cpu_waiting: float
    """The share of one core that waiting took."""
    submitted_s: float
    finished_s: float
    requests_waiting_per_min: float

    def line(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def complaints(self) -> Iterator[str]:
        """What is wrong with them."""
        if self.waiting_at_once < self.generations:
            yield f"only {self.waiting_at_once} of {self.generations} ever waited at once"
        if self.finished < self.generations:
            yield f"only {self.finished} of {self.generations} finished"
        if self.rss_peak_mb >= LARGEST:
            yield f"the process took {self.rss_peak_mb} MB, over {LARGEST}"


async def waiting(stack: Stack, generations: int, looked_at: float = LOOKED_AT) -> tuple[Figures, list[str]]:
    """Let so many wait for `looked_at` seconds, then let the simulator's clock jump past their end."""
    slow = {"--queue-seconds": "1", "--run-seconds": str(LATENCY.total_seconds())}
    async with site(stack, seed=1, replicas=1, simulated=slow, told=PATIENT, callbacks=False) as here:
        await here.tell("/_simulator/faults", COUNTED)
        process = Meter(here.generators[0])
        before = process.megabytes()
        began = time.monotonic()
        await _ask(here, generations)
        waiting_at_once = await _submitted(here, generations, process)
        submitted = time.monotonic() - began
        cpu, requests = process.cpu_seconds(), await _reads(here)
        await process.watch(looked_at)
        cpu, requests = process.cpu_seconds() - cpu, await _reads(here) - requests
        at_rest = process.megabytes()
        began = time.monotonic()
        await here.tell("/_simulator/clock", {"advance": 2 * LATENCY.total_seconds()})
        await _over(here, generations, process)
        emitted = {record.key for record in await here.pipeline.records(MediaGenerated.topic)}
        figures = Figures(
            generations, waiting_at_once, len(emitted), before, at_rest, process.peak, round(cpu / looked_at, 3),
            round(submitted, 1), round(time.monotonic() - began, 1), round(requests * 60 / looked_at, 1),
        )  # fmt: skip
    return figures, list(figures.complaints())


class Meter:
    """What a process takes."""

    def __init__(self, keeper: Keeper) -> None:
        self._process = psutil.Process(keeper.describe().pid)
        self.peak = 0.0

    def megabytes(self) -> float:
        """Resident now; remembers the most."""
        taken = round(self._process.memory_info().rss / MEGABYTE, 1)
        self.peak = max(self.peak, taken)
        return taken

    def cpu_seconds(self) -> float:
        """Of all its life."""
        times = self._process.cpu_times()
        return times.user + times.system

    async def watch(self, seconds: float) -> None:
        """Measure so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.megabytes()
            await asyncio.sleep(0.1)


async def _ask(here: Site, generations: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=here.pipeline.bootstrap, acks="all")
    await producer.start()
    try:
        for first in range(0, generations, BATCH):
            jobs = [_job(number) for number in range(first, min(first + BATCH, generations))]
            await publish(producer, [encode(job, source="gateway") for job in jobs])
    finally:
        await producer.stop()


def _job(number: int) -> JobRequested:
    job_id = job_id_of("waiting", str(number))
    return JobRequested.say(job_id, f"tenant-{number % 10}", utc_now(), model=MODEL, prompt="a desert", num_outputs=1)


async def _submitted(here: Site, generations: int, process: Meter) -> int:
    """Returns once all of them wait; how many do."""

    async def all_wait() -> bool:
        process.megabytes()
        return (await _states(here)).get("SUBMITTED", 0) == generations

    await until(all_wait, 60 + generations / 20, "all generations to be submitted")
    return (await _states(here))["SUBMITTED"]


async def _over(here: Site, generations: int, process: Meter) -> None:
    async def all_said() -> bool:
        process.megabytes()
        over = (await _states(here)).get("SUCCEEDED", 0) == generations
        return over and not await here.admin.fetchval("SELECT count(*) FROM generator.outbox")

    await until(all_said, 120 + generations / 20, "all generations to be over")


async def _states(here: Site) -> dict[str, int]:
    return {row["state"]: row["count"] for row in await here.admin.fetch(STATES)}


async def _reads(here: Site) -> int:
    """How often the simulator was asked how things are."""
    return sum(fault["seen"] for fault in await here.told("/_simulator/faults"))
