"""Uploaders are killed where it hurts: the same object, and one fact."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from darkroom.local.keeper import Keeper
from darkroom.simulators.replicate.faults.files import FileError
from schemas.events import MediaStored, UploadFailed
from tests.pipeline.driver import DEADLINE, until
from tests.pipeline.storing.site import Made, Site
from tests.strange_store import Silent

OUTPUTS = 2
SILENCE = {"UPLOADER_STORE_TIMEOUT": "PT60S"}  # so that a PUT that is held back is no failure yet
SPOOLING = {"UPLOADER_MEMORY_BYTES": "0"}


@pytest.fixture
async def slow_store(here: Site) -> Site:
    """The system with a store that takes requests and says nothing."""
    here.store.stays_wrong(Silent(), on="PUT")
    return here


async def killed_while_it_stores(here: Site, uploader: Keeper) -> Made:
    """A job whose outputs were fetched, and whose uploader died in the middle of their PUTs."""
    before = here.store.count("PUT")
    made = await here.make(OUTPUTS)
    async with asyncio.timeout(DEADLINE):
        await here.store.seen("PUT", before + OUTPUTS)
    await uploader.kill(revive=False)
    here.store.recovers()
    return made


async def test_an_uploader_killed_between_fetch_and_store_fetches_again_and_stores_once(slow_store: Site) -> None:
    here = slow_store
    uploader = await here.uploader(**SILENCE)
    made = await killed_while_it_stores(here, uploader)
    assert await here.objects(made) == {}

    await uploader.start()
    job = await here.end_of(made)

    assert (job["status"], len(await here.objects(made))) == ("COMPLETED", OUTPUTS)


async def test_an_uploader_killed_between_store_and_fact_says_it_once_and_writes_nothing_anew(here: Site) -> None:
    uploader = await here.uploader(**SILENCE)
    async with here.unwritable("uploader.outbox"):
        made = await here.make(OUTPUTS)
        await until(partial(all_there, here, made), DEADLINE, f"the outputs of job {made.job_id} in the bucket")
        await uploader.kill(revive=False)
    before = await here.objects(made)
    assert await here.pipeline.facts(MediaStored, made.job_id) == []

    await uploader.start()
    job = await here.end_of(made)

    assert (job["status"], len(await here.pipeline.facts(MediaStored, made.job_id))) == ("COMPLETED", OUTPUTS)
    assert await here.objects(made) == before


async def all_there(here: Site, made: Made) -> bool:
    return len(await here.objects(made)) == OUTPUTS


async def test_an_uploader_killed_between_spool_and_store_needs_no_source_any_more(slow_store: Site) -> None:
    here = slow_store
    uploader = await here.uploader(**SILENCE, **SPOOLING)
    made = await killed_while_it_stores(here, uploader)
    assert len(here.spooled(made)) == OUTPUTS
    here.replicate.use(FileError(status=404))

    await uploader.start()
    job = await here.end_of(made)

    assert (job["status"], len(await here.objects(made))) == ("COMPLETED", OUTPUTS)
    assert await here.pipeline.facts(UploadFailed, made.job_id) == []
    await here.unspooled(made)


async def test_one_output_whose_store_never_answers_keeps_no_other_in_the_spool_waiting(here: Site) -> None:
    uploader = await here.uploader(**SILENCE, **SPOOLING)
    before = here.store.count("PUT")
    here.store.goes_wrong(Silent())
    stuck = await here.make()
    async with asyncio.timeout(DEADLINE):
        await here.store.seen("PUT", before + 1)

    other = await here.end_of(await here.make(OUTPUTS))
    meanwhile = await here.pipeline.status(stuck.job_id)
    await uploader.kill(revive=True)
    await uploader.start()
    job = await here.end_of(stuck)

    assert (other["status"], meanwhile["status"], job["status"]) == ("COMPLETED", "PROCESSING", "COMPLETED")


async def test_an_uploader_that_comes_back_without_its_disk_fetches_again(slow_store: Site, tmp_path: Path) -> None:
    here = slow_store
    uploader = await here.uploader(**SILENCE, **SPOOLING)
    made = await killed_while_it_stores(here, uploader)

    await here.uploader(**SILENCE, **SPOOLING, UPLOADER_SPOOL_DIR=str(tmp_path))
    job = await here.end_of(made)

    assert (job["status"], len(await here.objects(made))) == ("COMPLETED", OUTPUTS)
