"""`waiting`: what callers cost who wait for a job, and how soon they are answered."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import click
from sqlalchemy.engine import make_url

from bench import place
from bench.cost import Memory
from bench.facts import Log
from bench.place import NoFigureError
from bench.report import Figure, Report
from bench.rows.status import percentile
from bench.running import as_a_service_collects, json_option, run, say
from darkroom.commands.examples import examples
from darkroom.steps import ADMIN_DATABASE
from schemas.clock import utc_now
from schemas.events import GenerationFailed

WHAT = "callers of GET /api/v1/status/{job_id}?wait=60 at one gateway: what they cost, and when they are answered"
LONGEST = 60
MEGABYTE, KILOBYTE, MILLISECONDS = 1_000_000, 1_000, 1_000
WARM_UP = 500
"""Plain reads beforehand, so that what a gateway takes for itself does not count as theirs."""


@click.command(
    epilog=examples(
        "python -m bench waiting                      2,000 callers; a minute",
        "python -m bench waiting --callers 10000      as many as a gateway holds; needs `ulimit -n 30000`",
    )
)
@click.option("--callers", type=click.IntRange(min=200), default=2_000, show_default=True, help="Who wait at a time.")
@click.option("--alone", type=click.IntRange(min=10), default=100, show_default=True, help="Jobs that end one by one.")
@json_option
def command(callers: int, alone: int, as_json: bool) -> None:
    """Memory of callers who wait, and how long after its job's end each is answered."""
    run(waiting(callers, alone), as_json=as_json)


@dataclass(frozen=True)
class Held:
    """A gateway at which callers wait for jobs that nobody makes."""

    http: aiohttp.ClientSession
    log: Log
    admin: "asyncpg.Connection[asyncpg.Record]"
    memory: Memory

    async def jobs(self, count: int) -> list[UUID]:
        """So many jobs that wait, once the ledger knows all of them."""
        numbers, made = iter(range(count)), []

        async def submit() -> None:
            for _ in numbers:
                ask = {"model": "bench/none", "prompt": f"a lighthouse {uuid4()}"}
                async with self.http.post("/api/v1/generate", json=ask) as answer:
                    made.append(UUID((await answer.json())["job_id"]))

        async with asyncio.TaskGroup() as group:
            for _ in range(32):
                group.create_task(submit())
        known = "SELECT count(*) FROM ledger.jobs WHERE job_id = ANY($1)"
        while await self.admin.fetchval(known, made) < count:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.1)
        return made

    async def answered(self, job_id: UUID) -> float:
        """When a caller who waits for the end of this job is told of it."""
        async with self.http.get(f"/api/v1/status/{job_id}", params={"wait": LONGEST}) as answer:
            if answer.status != 200 or not (await answer.json())["done"]:
                raise NoFigureError(f"somebody who waited was answered {answer.status} before the job's end")
        return perf_counter()

    async def read(self, job_id: UUID) -> None:
        """Look once, without waiting."""
        async with self.http.get(f"/api/v1/status/{job_id}") as answer:
            await answer.read()

    async def end(self, job_ids: Sequence[UUID]) -> float:
        """End jobs. Returns when the ledger had it in its rows."""
        await self.log.say([
            GenerationFailed.say(
                job_id, "dev", utc_now(), generation=0, attempt=1, provider="bench", outputs=(0,), code="no_output",
                message="nobody makes it", final=True,
            )
            for job_id in job_ids
        ])  # fmt: skip
        over = "SELECT count(*) FROM ledger.jobs WHERE job_id = ANY($1) AND completed_at IS NOT NULL"
        while await self.admin.fetchval(over, job_ids) < len(job_ids):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        return perf_counter()


@asynccontextmanager
async def _held(stack_environ: Mapping[str, str], url: str, pid: int) -> AsyncIterator[Held]:
    inside = make_url(stack_environ[ADMIN_DATABASE]).set(database="darkroom").render_as_string(hide_password=False)
    admin = await asyncpg.connect(inside)
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=2 * LONGEST)
    async with (
        Log.open(stack_environ, GenerationFailed) as log,
        aiohttp.ClientSession(url, connector=connector, timeout=patience) as http,
    ):
        yield Held(http, log, admin, Memory(pid))
    await admin.close()


async def waiting(callers: int, alone: int) -> Report:
    """Let callers wait, end some of their jobs one by one and the rest at once."""
    async with (
        place.folder() as home,
        place.stack(home, ["gateway", "ledger"], {}) as stack,
        _held(stack.environ, stack.url("gateway"), stack.describe("gateway").pid or 0) as held,
    ):
        as_a_service_collects()
        say(f"making {callers:,} jobs")
        job_ids = await held.jobs(callers)
        for job_id in job_ids[:WARM_UP]:
            await held.read(job_id)
        idle = held.memory.now()
        say(f"{callers:,} callers wait")
        answers = {job_id: asyncio.create_task(held.answered(job_id)) for job_id in job_ids}
        await asyncio.sleep(5)  # until all of them wait; their memory does not change any more then
        most = held.memory.now()
        late = []
        for job_id in job_ids[:alone]:
            over_at = await held.end([job_id])
            late.append(max(0.0, await answers[job_id] - over_at) * MILLISECONDS)
        over_at = await held.end(job_ids[alone:])
        together = [await answers[job_id] - over_at for job_id in job_ids[alone:]]
    return Report("waiting", WHAT, {"callers": callers, "alone": alone}, [
        Figure("idle memory", "MB", [idle / MEGABYTE]),
        Figure("extra memory", "MB", [(most - idle) / MEGABYTE]),
        Figure("extra memory / caller", "kB", [(most - idle) / KILOBYTE / callers]),
        Figure("answered after the end: one p50", "ms", [percentile(late, 50)]),
        Figure("answered after the end: one p99", "ms", [percentile(late, 99)]),
        Figure("answered after the end: all others", "s", [max(together)]),
    ])  # fmt: skip
