"""Answers made of what a real PostgreSQL shows: kept for as long as it shows the same."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bench.many_jobs import TENANT, fill, job_number
from darkroom.local.stack import Stack
from gateway.answers import Answer, Answers
from gateway.signing import Signer
from gateway.store import Store
from ledger_service.tables import SCHEMA, VIEWS
from schemas.clock import utc_now
from stage.bucket import BucketSettings
from stage.database import Pool, new_pool

JOB = job_number(7)


@pytest.fixture(scope="module")
async def ledger(servers: Stack) -> AsyncIterator[Pool]:
    async with await new_pool(servers.environ["LEDGER_DATABASE_URL"], schema=SCHEMA, name="test") as pool:
        await fill(pool, 300, whole=300, outputs=2)
        yield pool


class Reading:
    """A gateway's way from the views to an answer."""

    def __init__(self, pool: Pool, environ: dict[str, str]) -> None:
        self.store, self.answers = Store(pool), Answers(Signer(BucketSettings.model_validate(environ), utc_now))

    async def answer(self, tenant: str = TENANT) -> Answer | None:
        row = await self.store.job(JOB, tenant)
        return None if row is None else self.answers.of(row)


@pytest.fixture
async def reading(servers: Stack) -> AsyncIterator[Reading]:
    async with await new_pool(servers.environ["GATEWAY_DATABASE_URL"], schema=VIEWS, name="test", size=2) as pool:
        yield Reading(pool, servers.environ)


@pytest.mark.usefixtures("ledger")
async def test_a_job_that_stays_the_same_is_made_into_an_answer_once(reading: Reading) -> None:
    first, second = await reading.answer(), await reading.answer()

    assert first is not None
    assert second is first
    shown = json.loads(first.body)
    assert (shown["job_id"], shown["status"], len(shown["media"])) == (str(JOB), "COMPLETED", 2)
    assert all(media["presigned_media_url"] and media["content_url"] for media in shown["media"])


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [
        ("input", {"a": 1}, {"a": True}), ("input", {"a": 1}, {"a": 1.0}), ("metadata", {}, {"a": "b"}),
        ("prompt", "p", "q"), ("retry_count", 0, 1),
    ],
    ids=repr,
)  # fmt: skip
async def test_whatever_changes_is_seen_at_once(
    ledger: Pool, reading: Reading, column: str, before: Any, after: Any
) -> None:
    shown = []
    for value in (before, after, before):
        await ledger.execute(f"UPDATE jobs SET {column} = $2 WHERE job_id = $1", JOB, value)
        answer = await reading.answer()
        assert answer is not None
        shown.append((json.dumps(json.loads(answer.body)[column]), answer.etag))

    assert shown[0] == shown[2]
    assert [value for value, _ in shown[:2]] == [json.dumps(before), json.dumps(after)]
    assert shown[0][1] != shown[1][1]


@pytest.mark.usefixtures("ledger")
async def test_a_stranger_is_shown_nothing_of_what_was_kept(reading: Reading) -> None:
    assert await reading.answer() is not None
    assert await reading.answer("somebody else") is None
