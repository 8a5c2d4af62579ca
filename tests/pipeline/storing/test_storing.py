"""The store goes wrong: outputs wait and say why, and nothing is lost or made again."""

import asyncio
import time
from functools import partial

import httpx
import pytest

from darkroom.simulators.replicate.faults.courses import RemoveAfter
from schemas.events import MediaGenerated
from tests.pipeline.driver import DEADLINE, Json, until
from tests.pipeline.storing.site import Made, Site
from tests.strange_store import Fault, Forgets, LosesAnswer, Refuses, Resets, Silent, Slow, WrongTag

OUTAGE, LIFE = 20.0, 10.0  # seconds: how long the store is away, and how long a source lives
JOBS, OUTPUTS = 10, 4


MISSING = "the store does not have what it said that it took"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(Refuses(500, "InternalError"), "the store answered InternalError", id="500"),
        pytest.param(Refuses(503, "SlowDown"), "the store answered SlowDown", id="slow down"),
        pytest.param(Refuses(403, "AccessDenied"), "the store answered AccessDenied", id="denied"),
        pytest.param(Refuses(404, "NoSuchBucket"), "the store answered NoSuchBucket", id="no bucket"),
        pytest.param(Silent(), "the store did not answer within", id="silent"),
        pytest.param(Slow(20_000), "the store did not answer within", id="slow"),
        pytest.param(Resets(after=20_000), "the store did not answer: ", id="reset in mid-body"),
        pytest.param(Forgets("none"), MISSING, id="200 without a tag, but missing"),
        pytest.param(Forgets('"0123456789abcdef0123456789abcdef"'), MISSING, id="200 with a wrong tag, but missing"),
    ],
)
async def test_a_store_that_fails_for_a_while_delays_outputs_and_loses_none(
    here: Site, fault: Fault, words: str
) -> None:
    await here.uploader()

    waiting, job = await failed_for_a_while(here, fault, words)

    assert (waiting["status"], job["status"]) == ("PROCESSING", "COMPLETED")


async def test_a_store_that_forgets_with_the_right_tag_is_found_out_when_each_put_is_verified(here: Site) -> None:
    await here.uploader(S3_VERIFY="head")

    waiting, job = await failed_for_a_while(here, Forgets(), MISSING)

    assert (waiting["status"], job["status"]) == ("PROCESSING", "COMPLETED")


async def failed_for_a_while(here: Site, fault: Fault, words: str) -> tuple[Json, Json]:
    """A job while the store goes wrong, once its status says so, and the same job at its end with the store mended."""
    here.store.stays_wrong(fault, on="PUT")
    made = await here.make(outputs=2)
    waiting = await here.waits(made, f"storage_failed: {words}")
    here.store.recovers()
    return waiting, await here.end_of(made)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(WrongTag(), id="wrong tags"),
        pytest.param(WrongTag(""), id="no tags"),
        pytest.param(LosesAnswer(), id="lost answers"),
    ],
)
async def test_a_store_that_keeps_what_it_takes_and_says_so_wrongly_is_found_out(here: Site, fault: Fault) -> None:
    await here.uploader()
    here.store.stays_wrong(fault, on="PUT")

    job = await here.end_of(await here.make(outputs=2))

    assert job["status"] == "COMPLETED"


async def test_a_store_that_is_away_for_longer_than_the_sources_live_loses_nothing(here: Site) -> None:
    await here.uploader()
    here.replicate.use(RemoveAfter(seconds=LIFE))
    await here.servers.stop("s3")
    began = time.monotonic()
    batch = [await here.make(OUTPUTS) for _ in range(JOBS)]
    for made in batch:
        await until(partial(sources_gone, here, made), DEADLINE, f"the sources of job {made.job_id} to go")
    await asyncio.sleep(began + OUTAGE - time.monotonic())  # the outage itself, not a hope
    await here.servers.start("s3")

    jobs = [await here.end_of(made) for made in batch]

    assert [job["status"] for job in jobs] == ["COMPLETED"] * JOBS
    assert [
        fact for made in batch for fact in await here.pipeline.facts(MediaGenerated, made.job_id) if fact.renewal
    ] == []


async def sources_gone(here: Site, made: Made) -> bool:
    """Whether nothing can be fetched of a job any more."""
    job = await here.pipeline.status(made.job_id)
    async with httpx.AsyncClient() as client:
        answers = [await client.get(media["media_url"]) for media in job["media"] if media["media_url"]]
    return [answer.status_code for answer in answers] == [404] * OUTPUTS
