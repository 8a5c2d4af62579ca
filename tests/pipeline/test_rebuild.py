"""Rebuilt and rewound while it runs: people read what they read before, and nobody is paid or told again."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from darkroom.local.part import LocalError
from darkroom.simulators import ReplicateSimulator
from tests.pipeline.driver import PROJECTIONS, Pipeline, until
from tests.pipeline.ledger_check import (
    announced,
    announcements_of,
    assert_the_ledger_is_what_the_log_says,
    operate,
    told,
)
from tests.pipeline.operator import ROOT

RANK = ("PENDING", "PROCESSING", "COMPLETED", "PARTIAL", "FAILED")
FLUX = "black-forest-labs/flux-schnell"


class Readers:
    """People who ask for the status of every job all the time, and remember what they were told."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.ids: list[UUID] = []
        self.asked = 0
        self.wrong: list[Any] = []
        self._seen: dict[UUID, int] = {}

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["Readers"]:
        """They read within the block."""
        task = asyncio.create_task(self._read())
        try:
            yield self
        finally:
            task.cancel()

    async def _read(self) -> None:
        while True:
            for job_id in [*self.ids]:
                answer = await self._pipeline.http.get(f"/api/v1/status/{job_id}")
                self.asked += 1
                rank = RANK.index(answer.json()["status"]) if answer.status_code == 200 else -1
                if rank < self._seen.get(job_id, 0):
                    self.wrong.append((answer.status_code, answer.text))
                self._seen[job_id] = max(rank, self._seen.get(job_id, 0))
            await asyncio.sleep(0)


@asynccontextmanager
async def load(pipeline: Pipeline, ids: list[UUID], **ask: Any) -> AsyncIterator[None]:
    """One job after the other is submitted within the block, and noted in `ids`."""
    over = asyncio.Event()  # a task that is cancelled might have submitted what it cannot note any more

    async def submit() -> None:
        while not over.is_set():
            ids.append(await pipeline.submit(prompt=f"a dune {len(ids)}", **ask))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(submit())
    try:
        yield
    finally:
        over.set()
        await task


async def test_a_check_and_a_rebuild_under_load_are_noticed_by_nobody(pipeline: Pipeline) -> None:
    async with Readers(pipeline).reading() as readers:
        async with load(pipeline, readers.ids, num_outputs=2):
            checked = await assert_the_ledger_is_what_the_log_says(pipeline)
            rebuilt = await operate(pipeline, "ledger", "rebuild", "--json")
            again = await operate(pipeline, "ledger", "rebuild", "--json")
        jobs = [await pipeline.end_of(job_id) for job_id in readers.ids]
        asked = readers.asked

    await pipeline.settled()
    assert (rebuilt.code, rebuilt.json["equal"], rebuilt.json["announced"]) == (0, True, 0), rebuilt.out
    assert (again.code, again.json["equal"], again.json["announced"]) == (0, True, 0), again.out
    assert {job["status"] for job in jobs} == {"COMPLETED"}
    assert readers.wrong == []
    assert asked > len(readers.ids)
    assert await announcements_of(pipeline, readers.ids) == dict.fromkeys(readers.ids, 1)
    after = await assert_the_ledger_is_what_the_log_says(pipeline)
    assert after["facts"] > checked["facts"] > 0


async def test_a_lost_ledger_refuses_to_start_and_comes_back_by_a_rebuild(pipeline: Pipeline) -> None:
    ids = [await pipeline.submit(num_outputs=2) for _ in range(5)]
    for job_id in ids:
        await pipeline.end_of(job_id)
    await pipeline.settled()
    before, said = await everything(pipeline), await announced(pipeline)

    await pipeline.stack.stop("ledger-1")
    await pipeline.admin.execute("TRUNCATE ledger.offsets, ledger.facts")
    await pipeline.admin.execute(f"TRUNCATE {', '.join(PROJECTIONS)}")
    with pytest.raises(LocalError, match="did not start"):
        await pipeline.stack.start("ledger-1")
    unequal = await operate(pipeline, "ledger", "check")
    rebuilt = await operate(pipeline, "ledger", "rebuild")
    await pipeline.stack.start("ledger-1")
    one_more = await pipeline.end_of(await pipeline.submit())
    await pipeline.settled()

    assert (unequal.code, "run `darkroom ledger rebuild`" in unequal.err) == (1, True)
    assert rebuilt.code == 0, rebuilt.err
    assert "DIFFERS" in rebuilt.out
    assert one_more["status"] == "COMPLETED"
    assert lost(before, await everything(pipeline)) == []
    assert len(await announced(pipeline)) == len(said) + 1
    await assert_the_ledger_is_what_the_log_says(pipeline)


async def everything(pipeline: Pipeline) -> dict[str, set[str]]:
    """Every row of the projections."""
    return {
        table: {row["row"] for row in await pipeline.admin.fetch(f"SELECT t::text AS row FROM {table} AS t")}
        for table in (*PROJECTIONS, "ledger.facts")
    }


def lost(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    """Rows that were there and are not, or say something else."""
    return sorted(row for table, rows in before.items() for row in rows - after[table])


async def test_every_service_rewound_under_load_pays_and_says_nothing_again(
    pipeline: Pipeline, replicate: ReplicateSimulator
) -> None:
    replicate.use()
    ids = [await pipeline.submit(input={"fail_attempts": number % 2}) for number in range(4)]
    ids += [await pipeline.submit(model=FLUX, prompt=f"paid once {number}") for number in range(4)]
    for job_id in ids:
        await pipeline.end_of(job_id)
    await pipeline.settled()
    before, said, bill = await everything(pipeline), await announced(pipeline), len(replicate.bill().entries)

    late: list[UUID] = []
    async with load(pipeline, late, model=FLUX):
        answers = [
            await operate(pipeline, "offsets", "rewind", service, "--yes", "--json")
            for service in ("generator", "uploader", "ledger")
        ]
    jobs = [await pipeline.end_of(job_id) for job_id in late]
    await pipeline.settled()

    assert [answer.code for answer in answers] == [0, 0, 0]
    assert all(answer.json["again"]["job.requested"] > 0 for answer in (answers[0], answers[2]))
    assert {job["status"] for job in jobs} == {"COMPLETED"}
    assert lost(before, await everything(pipeline)) == []
    assert len(replicate.bill().entries) == bill + len(late)
    assert len(await announced(pipeline)) == len(said) + len(late)
    await assert_the_ledger_is_what_the_log_says(pipeline)


async def test_a_rewind_is_followed_even_when_nothing_new_is_said(pipeline: Pipeline) -> None:
    await pipeline.end_of(await pipeline.submit())
    await pipeline.settled()
    before = (await pipeline.projections(), await announced(pipeline))

    asked = await operate(pipeline, "offsets", "rewind", "ledger", "--topic", "media.stored")
    unmoved = await lag(pipeline, "ledger")
    rewound = await operate(pipeline, "offsets", "rewind", "ledger", "--yes")
    moved = sum([row["next"] for row in (await operate(pipeline, "offsets", "show", "ledger", "--json")).json])
    await pipeline.settled()

    ends = sum([row["end"] for row in (await operate(pipeline, "offsets", "show", "ledger", "--json")).json])
    assert (asked.code, "nothing was changed. With --yes" in asked.err) == (1, True), asked.err
    assert (unmoved, rewound.code) == (0, 0)
    assert moved <= ends
    assert await lag(pipeline, "ledger") == 0
    assert (await pipeline.projections(), await announced(pipeline)) == before


async def lag(pipeline: Pipeline, service: str) -> int:
    rows: list[dict[str, Any]] = (await operate(pipeline, "offsets", "show", service, "--json")).json
    return sum(row["lag"] for row in rows)


async def test_a_rewind_never_goes_forward_and_names_what_is_not_read(pipeline: Pipeline) -> None:
    await pipeline.settled()

    forward = await operate(pipeline, "offsets", "rewind", "uploader", "--to", "1000000", "--yes")
    strange = await operate(pipeline, "offsets", "rewind", "uploader", "--topic", "job.completed", "--yes")
    shown = await operate(pipeline, "offsets", "show")

    assert (forward.code, "there is nothing to go back on" in forward.out) == (0, True)
    assert (strange.code, "does not read job.completed" in strange.err) == (1, True)
    assert {line.split()[0] for line in shown.out.splitlines()} == {"SERVICE", "generator", "uploader", "ledger"}


@pytest.mark.parametrize("moment", ["folding", "swapping"])
async def test_a_rebuild_that_is_killed_leaves_the_ledger_as_it_was(pipeline: Pipeline, moment: str) -> None:
    await pipeline.end_of(await pipeline.submit())
    await pipeline.settled()
    before, said = await everything(pipeline), await announced(pipeline)

    async with pipeline.admin.transaction():
        await pipeline.admin.execute("LOCK TABLE ledger.attempts IN ACCESS SHARE MODE")  # the swap cannot have it
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "darkroom", "ledger", "rebuild", env={**pipeline.stack.environ, **told(pipeline)},
            cwd=ROOT,
        )  # fmt: skip
        await until(lambda: reached(pipeline, REACHED[moment]), 30, f"the rebuild to be {moment}")
        process.kill()
        await process.wait()
    after = await everything(pipeline)
    job = await pipeline.end_of(await pipeline.submit())
    await pipeline.settled()

    assert after == before
    assert job["status"] == "COMPLETED"
    assert len(await announced(pipeline)) == len(said) + 1
    await assert_the_ledger_is_what_the_log_says(pipeline)


REACHED = {
    "folding": "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'ledger_rebuild')",
    "swapping": """
        SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
                       AND relation = 'ledger.attempts'::regclass)
    """,
}


async def reached(pipeline: Pipeline, asked: str) -> bool:
    return bool(await pipeline.admin.fetchval(asked))
