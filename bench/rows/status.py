"""`status`: how long a job's status takes to read, with few jobs in the tables and with many."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from uuid import UUID

import aiohttp
import asyncpg
import click
from sqlalchemy.engine import make_url

from bench import place
from bench.many_jobs import TENANT, fill, job_number, stored_jobs
from bench.place import NoFigureError
from bench.report import Figure, Goal, Report
from bench.running import as_a_service_collects, json_option, rounds_option, run, say
from darkroom.commands.examples import examples
from darkroom.steps import ADMIN_DATABASE
from gateway.store import Store
from stage.database import Pool, new_pool

WHAT = "GET /api/v1/status/{job_id} of any job, one after the other, and its SQL alone: few jobs beside many"
GOAL = Goal("few / many", 1 / 1.2)  # a read among many jobs takes 1.2 times as long at most
MILLISECONDS = 1_000
LEAST = 400
"""Jobs: the last two hundred of a ledger wait and have no outputs."""


@click.command(
    epilog=examples(
        "python -m bench status                       10,000 and 1,000,000 jobs; some three minutes",
        "python -m bench status --outputs 4           four outputs each; needs 5 GB of disk",
        "python -m bench status --json | jq .few_per_many.median",
    )
)
@click.option("--few", type=click.IntRange(min=LEAST), default=10_000, show_default=True, help="Jobs at first.")
@click.option("--many", type=click.IntRange(min=LEAST), default=1_000_000, show_default=True, help="Jobs later.")
@click.option("--outputs", type=click.IntRange(1, 10), default=1, show_default=True, help="Of each job.")
@click.option("--reads", type=click.IntRange(min=10), default=2_000, show_default=True, help="In each round.")
@rounds_option
@json_option
def command(few: int, many: int, outputs: int, reads: int, rounds: int, as_json: bool) -> None:
    """Milliseconds to read a job's status, among few jobs and among many."""
    run(status(few, many, outputs=outputs, reads=reads, rounds=rounds), as_json=as_json)


@dataclass(frozen=True)
class Times:
    """Milliseconds of each read, a list for each round."""

    http: list[list[float]] = field(default_factory=list)
    sql: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Reads:
    """A ledger, the gateway on top of it, and the statement that the gateway reads by."""

    ledger: Pool
    store: Store
    http: aiohttp.ClientSession
    admin: "asyncpg.Connection[asyncpg.Record]"

    @classmethod
    @asynccontextmanager
    async def open(cls, environ: Mapping[str, str], url: str) -> AsyncIterator["Reads"]:
        """Connect to everything."""
        inside = make_url(environ[ADMIN_DATABASE]).set(database="darkroom").render_as_string(hide_password=False)
        async with AsyncExitStack() as opened:
            owner, reader = environ["LEDGER_DATABASE_URL"], environ["GATEWAY_DATABASE_URL"]
            ledger = await opened.enter_async_context(await new_pool(owner, schema="ledger", name="bench"))
            views = await opened.enter_async_context(await new_pool(reader, schema="ledger_v1", name="bench"))
            http = await opened.enter_async_context(aiohttp.ClientSession(url))
            admin = await asyncpg.connect(inside)
            opened.push_async_callback(admin.close)
            yield cls(ledger, Store(views), http, admin)

    async def measured(self, jobs: int, *, outputs: int, reads: int, rounds: int) -> Times:
        """Fill the ledger anew, and read it; a first round is thrown away."""
        say(f"writing {jobs:,} jobs")
        await fill(self.ledger, jobs, whole=jobs, outputs=outputs)
        await self.admin.execute("CHECKPOINT")  # so that what was just written is not written out while we read
        times, dice = Times(), random.Random(jobs)  # noqa: S311 - which jobs are read is no secret
        for number in range(rounds + 1):
            say(f"reading among {jobs:,} jobs, round {number} of {rounds}")
            asked = [job_number(each) for each in dice.choices(stored_jobs(jobs), k=reads)]
            times.http.append([await _timed(self._get, each) for each in asked])
            times.sql.append([await _timed(self._select, each) for each in asked])
        return Times(times.http[1:], times.sql[1:])

    async def _get(self, job_id: UUID) -> None:
        async with self.http.get(f"/api/v1/status/{job_id}") as answer:
            body = await answer.read()
        if answer.status != 200 or b'"COMPLETED"' not in body:
            raise NoFigureError(f"the gateway answered {answer.status}")

    async def _select(self, job_id: UUID) -> None:
        if await self.store.job(job_id, TENANT) is None:
            raise NoFigureError("a job that was written is not there")


async def status(few: int, many: int, *, outputs: int, reads: int, rounds: int) -> Report:
    """Read among few jobs, among many, and among few again: a machine that grows slower does so on both sides."""
    told = {"outputs": outputs, "reads": reads, "rounds": rounds}
    async with place.folder() as home, place.stack(home, ["gateway"], {}) as stack:
        as_a_service_collects()
        async with Reads.open(stack.environ, stack.url("gateway")) as reading:
            before = await reading.measured(few, **told)
            among_many = await reading.measured(many, **told)
            after = await reading.measured(few, **told)
    among_few = Times(before.http + after.http, before.sql + after.sql)
    return Report("status", WHAT, {"few": few, "many": many, **told}, list(figures(among_few, among_many)), GOAL)


def figures(few: Times, many: Times) -> Iterator[Figure]:
    """The middle and the slowest hundredth of each round; the goal is of the middle, over HTTP."""
    for way in ("http", "sql"):
        for name, times in (("few", few), ("many", many)):
            for rank in (50, 99):
                each = [percentile(round_, rank) for round_ in getattr(times, way)]
                yield Figure(f"{way}: {name} p{rank}", "ms", each)
    middles = [percentile(each, 50) for each in few.http]
    yield Figure(GOAL.figure, "", [median(middles) / percentile(each, 50) for each in many.http])


def percentile(times: Sequence[float], rank: int) -> float:
    """The time that so many of a hundred reads do not exceed."""
    return sorted(times)[max(0, -(-len(times) * rank // 100) - 1)]


async def _timed(read: Callable[[UUID], Awaitable[None]], job_id: UUID) -> float:
    began = perf_counter()
    await read(job_id)
    return (perf_counter() - began) * MILLISECONDS
