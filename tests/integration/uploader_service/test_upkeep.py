"""The rounds beside the workers: one thing that cannot be done keeps them from nothing else."""

import asyncio
from datetime import timedelta

from tests.builders import a_generated_output
from tests.integration.uploader_service.desk import PICTURE, Desk
from uploader_service.objects import StoreError

AWAY = StoreError("storage_failed", "the store is away", passing=True)


async def test_leases_are_kept_on_rounds_that_no_sweep_holds_up(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"lease": timedelta(seconds=0.1)})
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    await uploader.worker.work((await uploader.worker.claim_to_fetch(64))[0])
    rounds = asyncio.create_task(uploader.upkeep.keep_leases(stopping := asyncio.Event()))

    for _ in range(2):
        desk.passes(minutes=1)
        async with asyncio.timeout(10):
            while await desk.due_in() < 0:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)

    stopping.set()
    async with asyncio.timeout(5):
        await rounds


async def test_a_store_that_is_away_keeps_the_rounds_from_nothing_else(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"lease": timedelta(seconds=0.1)})
    uploader = await desk.instance()
    await uploader.hears(a_generated_output())
    await uploader.fetches()
    desk.objects.away = AWAY
    rounds = asyncio.create_task(uploader.upkeep.run(stopping := asyncio.Event()))

    for round_ in range(2):
        file = uploader.folder / f"{(await desk.facts())[0]['job_id']}.1.0.{round_ + 7}"
        file.write_bytes(PICTURE)
        async with asyncio.timeout(10):
            while file in uploader.files:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)

    stopping.set()
    async with asyncio.timeout(5):
        await rounds
