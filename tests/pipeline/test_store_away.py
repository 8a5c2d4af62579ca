"""The store is away for longer than the sources live, and the uploaders are killed meanwhile."""

import asyncio
from uuid import UUID

import pytest

from tests.pipeline.driver import DEADLINE, Pipeline, until

pytestmark = pytest.mark.usefixtures("local_servers_only")

GENERATORS, UPLOADERS = ("generator-1", "generator-2"), ("uploader-1", "uploader-2")


async def test_what_was_fetched_is_stored_though_its_source_and_its_uploaders_died(pipeline: Pipeline) -> None:
    await pipeline.stack.stop("s3")
    ids = [await pipeline.submit(num_outputs=2, prompt=f"tide {number}") for number in range(5)]
    await until(lambda: all_spooled(pipeline, ids), DEADLINE, "outputs in the spools")
    await asyncio.gather(*(pipeline.stack.stop(name) for name in GENERATORS))  # they serve the sources
    try:
        await asyncio.gather(*(pipeline.stack.kill(name) for name in UPLOADERS))
        await asyncio.gather(*(pipeline.stack.start(name) for name in (*UPLOADERS, "s3")))

        jobs = [await pipeline.end_of(job_id) for job_id in ids]
    finally:
        await asyncio.gather(*(pipeline.stack.start(name) for name in GENERATORS))

    assert {job["status"] for job in jobs} == {"COMPLETED"}
    assert not await pipeline.admin.fetchval("SELECT count(*) FROM uploader.uploads WHERE spool_file IS NOT NULL")


async def all_spooled(pipeline: Pipeline, ids: list[UUID]) -> bool:
    """Whether both outputs of every job are fetched, and only wait for the store."""
    spooled = await pipeline.admin.fetchval(
        "SELECT count(*) FROM uploader.uploads WHERE job_id = ANY($1) AND state = 'SPOOLED'", ids
    )
    return bool(spooled == 2 * len(ids))
