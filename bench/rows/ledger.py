"""`ledger`: facts that the ledger folds in a second, live and in a rebuild, beside COPY of the same rows."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import asyncpg
import click
from aiokafka import AIOKafkaProducer
from sqlalchemy.engine import make_url

from bench import place
from bench.cost import Meter, difference
from bench.place import NoFigureError
from bench.report import Figure, Goal, Report
from bench.running import as_a_service_collects, json_option, rounds_option, run, say
from darkroom.commands.examples import examples
from schemas.clock import utc_now
from schemas.events import Event, GenerationSubmitted, JobRequested, MediaGenerated, MediaStored, UrlSource
from schemas.identity import job_id_of, storage_key_of
from schemas.wire import encode
from stage.kafka import producer, publish
from stage.settings import KafkaSettings

if TYPE_CHECKING:
    from darkroom.local.stack import Stack

WHAT = "facts folded by the ledger, live and in a rebuild, beside COPY of the same rows into tables without indexes"
GOAL = Goal("rebuild", 40_000)
LIVE_GOAL = 15_000
TABLES = ("jobs", "outputs", "attempts", "facts")
SAID_AT_ONCE = 500  # jobs
LOOK_EVERY = 0.02  # seconds
PATIENCE = 120.0


@click.command(
    epilog=examples(
        "python -m bench ledger                     20,000 jobs of four outputs in each of 3 rounds; some minutes",
        "python -m bench ledger --jobs 100000       a longer log: the fixed costs of a rebuild weigh less",
        "python -m bench ledger --json | jq .rebuild.median",
    )
)
@click.option("--jobs", type=click.IntRange(min=1), default=20_000, show_default=True, help="Said in each round.")
@click.option("--outputs", type=click.IntRange(1, 10), default=4, show_default=True, help="Of each job.")
@rounds_option
@json_option
def command(jobs: int, outputs: int, rounds: int, as_json: bool) -> None:
    """Facts that a ledger folds in a second, live and in a rebuild, beside COPY of the same rows."""
    run(ledger(jobs, outputs, rounds), as_json=as_json)


@dataclass(frozen=True, slots=True)
class Leg:
    """One round of one side."""

    facts: int
    seconds: float
    cpu: Mapping[str, float]

    @property
    def per_second(self) -> float:
        """Facts."""
        return self.facts / self.seconds


async def ledger(jobs: int, outputs: int, rounds: int) -> Report:
    """Each round says jobs while the ledger is down, lets it fold them, and folds the whole log again."""
    live, copied, rebuilt = [], [], []
    async with place.folder() as home, Legs.open(home) as legs:
        as_a_service_collects()
        for number in range(rounds + 1):
            say("warming up" if number == 0 else f"round {number} of {rounds}")
            live.append(await legs.live(number, jobs, outputs))
            copied.append(await legs.copy())
            rebuilt.append(await legs.rebuild())
    del live[0], copied[0], rebuilt[0]
    setting = {"jobs": jobs, "outputs": outputs, "rounds": rounds}
    return Report("ledger", WHAT, setting, list(figures(live, copied, rebuilt)), GOAL, list(remarks(live)))


def figures(live: Sequence[Leg], copied: Sequence[Leg], rebuilt: Sequence[float]) -> Iterator[Figure]:
    """How fast each was, each over the COPY of its round, and what the live fold of a fact cost."""
    yield Figure("live", "facts/s", [leg.per_second for leg in live])
    yield Figure(GOAL.figure, "facts/s", rebuilt)
    yield Figure("copy", "facts/s", [leg.per_second for leg in copied])
    yield Figure(
        "live / copy", "", [leg.per_second / limit.per_second for leg, limit in zip(live, copied, strict=True)]
    )
    yield Figure("rebuild / copy", "", [speed / limit.per_second for speed, limit in zip(rebuilt, copied, strict=True)])
    for name in live[0].cpu:
        each = [1_000 * leg.cpu[name] / leg.facts for leg in live]
        if max(each) >= 0.001:
            yield Figure(f"live: {name}", "core-ms/fact", each)


def remarks(live: Sequence[Leg]) -> Iterator[str]:
    """The other goal."""
    middle = sorted(leg.per_second for leg in live)[len(live) // 2]
    yield f"goal: live at least {LIVE_GOAL:,}: {'met' if middle >= LIVE_GOAL else 'MISSED'}, with {middle:,.0f}"


@dataclass(frozen=True)
class Legs:
    """Servers, one ledger, and an administrator who looks at its tables."""

    stack: "Stack"
    producer: AIOKafkaProducer
    admin: "asyncpg.Connection[asyncpg.Record]"

    @classmethod
    @asynccontextmanager
    async def open(cls, home: Path) -> AsyncIterator["Legs"]:
        """Start everything, and stop it at the end."""
        async with place.stack(home, ["ledger"], {}) as stack:
            url = make_url(stack.environ["DARKROOM_ADMIN_DATABASE_URL"]).set(database="darkroom")
            admin = await asyncpg.connect(url.render_as_string(hide_password=False))
            try:
                await admin.execute("CREATE SCHEMA bench")
                async with producer(KafkaSettings.model_validate(stack.environ), "bench") as client:
                    yield cls(stack, client, admin)
            finally:
                await admin.close()

    async def live(self, number: int, jobs: int, outputs: int) -> Leg:
        """Say jobs while the ledger is down, start it, and take the time from its first commit to its last."""
        await self.stack.stop("ledger")
        begins, facts = await self._read(), jobs * (2 + 2 * outputs)
        for start in range(0, jobs, SAID_AT_ONCE):
            some = range(start, min(start + SAID_AT_ONCE, jobs))
            facts_said = (fact for job in some for fact in facts_of_a_job(f"{number}/{job}", outputs))
            await publish(self.producer, [encode(fact, source="bench") for fact in facts_said])
        starting = asyncio.create_task(self.stack.start("ledger"))
        first = await self._read_beyond(begins)
        meter = Meter({name: self.stack.describe(name).pid or 0 for name in ("ledger", "kafka", "postgres")})
        cpu, began = meter.seconds(), perf_counter()
        await self._read_beyond(begins + facts - 1)
        leg = Leg(begins + facts - first, perf_counter() - began, difference(cpu, meter.seconds()))
        await starting
        return leg

    async def _read(self) -> int:
        return int(await self.admin.fetchval("SELECT coalesce(sum(next), 0) FROM ledger.offsets"))

    async def _read_beyond(self, records: int) -> int:
        """Return once the ledger has read more than so many records, and how many it has read."""
        async with asyncio.timeout(PATIENCE):
            while (read := await self._read()) <= records:  # noqa: ASYNC110 - another process has no event to wait for
                await asyncio.sleep(LOOK_EVERY)
            return read

    async def copy(self) -> Leg:
        """COPY every row that the ledger has by now into empty tables without indexes."""
        rows: dict[str, list[Any]] = {}
        for table in TABLES:
            await self.admin.execute(f"DROP TABLE IF EXISTS bench.{table}")
            await self.admin.execute(f"CREATE TABLE bench.{table} (LIKE ledger.{table})")
            rows[table] = [tuple(row) for row in await self.admin.fetch(f"SELECT * FROM ledger.{table}")]  # noqa: S608 - from this file
        began = perf_counter()
        for table, records in rows.items():
            await self.admin.copy_records_to_table(table, schema_name="bench", records=records)
        return Leg(len(rows["facts"]), perf_counter() - began, {})

    async def rebuild(self) -> float:
        """Run the command beside the live ledger; the facts it folded in a second. The tables must have been equal."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "darkroom", "ledger", "rebuild", "--json", env=self.stack.environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise NoFigureError(f"the rebuild failed: {err.decode().strip()}")
        said = json.loads(out)
        if not said["equal"]:
            raise NoFigureError("the live ledger held something else than the log")
        return float(said["facts_per_s"])


def facts_of_a_job(name: str, outputs: int) -> Iterator[Event]:
    """What is said of one job from its request until all its outputs are stored."""
    job_id, at = job_id_of("bench", f"ledger/{name}"), utc_now()
    yield JobRequested.say(
        job_id, "bench", at, model="fake/painter-batch", prompt=f"a desert at dawn, number {name}", num_outputs=outputs,
        metadata={"order": name},
    )  # fmt: skip
    yield GenerationSubmitted.say(
        job_id, "bench", at, generation=0, attempt=1, provider="bench", provider_id=name, cost_units=1,
        outputs=tuple(range(outputs)),
    )  # fmt: skip
    for index in range(outputs):
        source = UrlSource(url=f"https://example.org/{name}/{index}.jpg")
        yield MediaGenerated.say(
            job_id, "bench", at, index=index, generation=0, attempt=1, provider="bench", source=source
        )
        yield MediaStored.say(
            job_id, "bench", at, index=index, attempt=1, key=storage_key_of(job_id, 1, index, "jpg"), sha256="0" * 64,
            size=60_000, content_type="image/jpeg", width=1_024, height=1_024,
        )  # fmt: skip
