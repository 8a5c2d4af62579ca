"""Outputs whose source expired before it was fetched, on a real PostgreSQL: their provider is asked once more."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

import pytest

from generator_service.calls import Call, Failed, Finished, Polled
from generator_service.renewer import BETWEEN, LEASE, PATIENCE, Renewer
from schemas.events import SOURCE_EXPIRED, MediaGenerated, Redo, RetryRequested, UploadFailed, UrlSource
from stage.database import Pool
from tests.integration.generator_service.pretend import KINDS, Luck, Pretender
from tests.integration.generator_service.scene import Scene, one_job

KIND = "does nothing for us"
DEAF, HEARS = Luck(deaf=True), Luck()
GONE = Failed("output_expired", "the provider keeps outputs for an hour", retryable=False)


class Signing(Pretender):
    """A provider that signs a new URL each time it is asked."""

    asked = 0
    gone = False

    async def poll(self, call: Call, at: datetime) -> Polled:
        outcome = await super().poll(call, at)
        self.asked += 1
        if isinstance(outcome, Finished):
            signed = (UrlSource(url=f"https://made/{call.provider_id}/{n}?{self.asked}") for n in range(2))
            return GONE if self.gone else Finished(outcome.provider_id, tuple(signed))
        return outcome


class Site:
    """A job with two outputs that are made, and a renewer."""

    def __init__(self, pool: Pool, scene: Scene) -> None:
        self.scene, self._pool = scene, pool
        self.provider = Signing("paid", scene.world, KINDS[KIND])
        self.renewer = Renewer(pool, {"paid": self.provider}, "generator", lambda: scene.now)

    async def expired(self, **changes: Any) -> None:
        """The uploader says that a source is gone."""
        job = self.scene.requests[0]
        facts = {"index": 1, "attempt": 1, "code": SOURCE_EXPIRED, "message": "404", "final": False} | changes
        self.scene.publish(UploadFailed.say(job.job_id, job.tenant, self.scene.now, **facts))
        await self.scene.hear(UploadFailed.topic)

    async def renew(self, luck: Luck = HEARS) -> int:
        """Do what is due. How many were asked about?"""
        self.scene.world.lucks = deque([luck])
        claims = await self.renewer.claim(10)
        await self.renewer.record([await self.renewer.ask(claim) for claim in claims])
        return len(claims)

    async def renewals(self) -> list[tuple[int, int, str]]:
        """What was said: of which revision and output, and where it lies."""
        renewed = (each for each in await self.scene.read_facts() if isinstance(each, MediaGenerated) and each.renewal)
        return [(fact.revision, fact.index, fact.source.url) for fact in renewed if isinstance(fact.source, UrlSource)]

    async def is_over(self) -> bool:
        """Whether nothing is left to ask."""
        self.scene.now += timedelta(days=1)
        return not await self._pool.fetchval("SELECT count(*) FROM renewals WHERE due_at IS NOT NULL")


@pytest.fixture
async def site(pool: Pool) -> Site:
    scene = await one_job(pool, KIND, outputs=2)
    await scene.work(HEARS)
    assert scene.states == ["SUCCEEDED"]
    return Site(pool, scene)


async def test_an_expired_source_is_asked_for_once_and_its_new_place_is_said(site: Site) -> None:
    await site.expired()

    assert await site.renew() == 1
    assert await site.renew() == 0

    assert await site.renewals() == [(1, 1, "https://made/paid-0/1?1")]
    assert (await site.is_over(), len(site.scene.world.accepted)) == (True, 1)


async def test_repeats_change_nothing(site: Site) -> None:
    """Whether the fact is heard again, or its source expires again: it is asked about once per revision."""
    await site.expired()
    await site.expired()
    await site.renew()
    await site.expired(attempt=2)

    assert await site.renew() == 0
    assert (len(await site.renewals()), site.provider.asked) == (1, 1)


@pytest.mark.parametrize("changes", [{"final": True}, {"code": "source_unavailable"}, {"index": 7}], ids=str)
async def test_what_nobody_can_renew_asks_nobody(site: Site, changes: dict[str, Any]) -> None:
    await site.expired(**changes)

    assert await site.renew() == 0


async def test_an_output_that_was_never_made_is_nobodys_to_renew(pool: Pool) -> None:
    site = Site(pool, await one_job(pool, KIND, outputs=2))

    await site.expired()

    assert await site.renew() == 0


async def test_a_provider_that_does_not_answer_is_asked_again_until_it_does(site: Site) -> None:
    await site.expired()

    assert await site.renew(DEAF) == 1
    assert await site.renew() == 0
    site.scene.now += BETWEEN
    assert await site.renew() == 1

    assert len(await site.renewals()) == 1


async def test_patience_with_a_provider_that_does_not_answer_ends(site: Site) -> None:
    await site.expired()

    for _ in range(PATIENCE // BETWEEN):
        assert await site.renew(DEAF) == 1
        site.scene.now += BETWEEN
    assert await site.renew(DEAF) == 1

    assert (await site.is_over(), await site.renewals()) == (True, [])


async def test_of_an_output_that_is_gone_nothing_is_said(site: Site) -> None:
    site.provider.gone = True
    await site.expired()

    await site.renew()

    assert (await site.is_over(), await site.renewals()) == (True, [])


async def test_a_renewal_whose_process_died_is_asked_for_again_and_said_once(site: Site) -> None:
    await site.expired()
    site.scene.world.lucks = deque([HEARS])
    [claim] = await site.renewer.claim(10)
    stale = await site.renewer.ask(claim)
    assert await site.renew() == 0
    site.scene.now += LEASE
    assert await site.renew() == 1

    await site.renewer.record([stale])

    assert len(await site.renewals()) == 1


async def test_a_revision_that_only_stores_again_asks_the_call_that_made_it(site: Site) -> None:
    job = site.scene.requests[0]
    stored_again = (Redo(index=1, start="store"),)
    site.scene.publish(RetryRequested.say(job.job_id, job.tenant, site.scene.now, revision=2, outputs=stored_again))
    await site.scene.hear(RetryRequested.topic)

    await site.expired()
    await site.expired(revision=2)
    assert await site.renew() == 2

    assert sorted(revision for revision, *_ in await site.renewals()) == [1, 2]
    assert len(site.scene.world.accepted) == 1


async def test_a_revision_that_was_generated_anew_asks_its_own_call(site: Site) -> None:
    site.scene.retry(site.scene.requests[0], [1])
    await site.scene.hear(RetryRequested.topic)
    await site.scene.work(HEARS)

    await site.expired(revision=2)
    await site.renew()

    assert await site.renewals() == [(2, 1, "https://made/paid-1/0?1")]
