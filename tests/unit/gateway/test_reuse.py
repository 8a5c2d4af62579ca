"""A key names one request for good; nobody is held up to find that out."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway.reuse import SAME, KnownRequests
from schemas.jobs import Job, pending_job
from tests.builders import JOB, NOON, a_request, later
from tests.fakes import Ends, Log, Tail, Views
from tests.unit.gateway.http import calling

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ASK = {"model": "m", "prompt": "a city", "input": {"steps": 4}, "metadata": {"order": "A-17"}}


def a_job(**changes: Any) -> Job:
    return pending_job(
        job_id=JOB, model="m", prompt="a city", num_outputs=1, seed=None, output_format=None, input={"steps": 4},
        metadata={"order": "A-17"}, deadline=None, created_at=NOON,
    ).model_copy(update=changes)  # fmt: skip


async def submit(views: Views, log: Log, key: str | None = "order-1", **changes: Any) -> httpx.Response:
    async with calling(log, views) as client:
        return await client.post(
            "/api/v1/generate", json=ASK | changes, headers={"Idempotency-Key": key} if key else {}
        )  # fmt: skip


async def test_the_same_request_under_its_key_is_accepted_again() -> None:
    assert (await submit(Views(a_job()), Log())).status_code == 202


@pytest.mark.parametrize(
    "changes",
    [{"prompt": "a sea"}, {"num_outputs": 2}, {"seed": 1}, {"input": {}}, {"metadata": {}}, {"max_attempts": 1},
     {"output_format": "png"}, {"model": "n"}, {"deadline": "2999-01-01T00:00:00Z"}],
    ids=str,
)  # fmt: skip
async def test_another_request_under_a_known_key_is_refused_and_not_published(changes: dict[str, Any]) -> None:
    log = Log()

    answer = await submit(Views(a_job()), log, **changes)

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:darkroom:problem:idempotency-key-reuse")
    assert log.records == []


async def test_a_job_that_was_accepted_is_the_same_job_after_its_deadline() -> None:
    answer = await submit(Views(a_job(deadline=LONG_AGO)), Log(), deadline=LONG_AGO.isoformat())

    assert answer.status_code == 202


async def late(ends: Ends, tail: Tail) -> tuple[int, str | None]:
    """What a request under a key gets whose deadline has passed and that the ledger does not know."""
    async with calling(views=Views(following=5), ends=ends, tail=tail) as client:
        ask, headers = ASK | {"deadline": LONG_AGO.isoformat()}, {"Idempotency-Key": "order-1"}
        answer = await client.post("/api/v1/generate", json=ask, headers=headers)
    return answer.status_code, answer.json().get("type")


async def test_a_job_that_was_accepted_is_the_same_job_after_its_deadline_before_the_ledger_knows_it() -> None:
    assert await late(Ends(6), Tail(a_request())) == (202, None)
    assert await late(Ends(6), Tail(None)) == (422, "urn:darkroom:problem:invalid-input")


@pytest.mark.parametrize(
    ("ends", "tail"), [(Ends(TimeoutError()), Tail()), (Ends(6), Tail(TimeoutError())), (Ends(1_000_000), Tail())],
    ids=["Kafka is silent", "the log is not read in time", "the ledger is far behind"],
)  # fmt: skip
async def test_while_the_log_cannot_say_whether_a_late_job_was_accepted_it_is_not_said_to_be_wrong(
    ends: Ends, tail: Tail
) -> None:
    assert await late(ends, tail) == (503, "urn:darkroom:problem:unavailable")


async def test_a_new_job_whose_deadline_has_passed_is_refused_under_a_key_too() -> None:
    log = Log()

    answer = await submit(Views(), log, deadline=LONG_AGO.isoformat())

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:darkroom:problem:invalid-input")
    assert log.records == []


async def test_while_nobody_can_say_whether_a_late_job_was_accepted_it_is_not_said_to_be_wrong() -> None:
    log = Log()

    answer = await submit(Views(fault=ConnectionRefusedError()), log, deadline=LONG_AGO.isoformat())

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:darkroom:problem:unavailable")
    assert answer.headers["Idempotency-Key"] == "order-1"
    assert log.records == []


@pytest.mark.parametrize(
    ("asked", "kept"), [(1e23, 10**23), (10**23, 1e23), ([{"a": -1.5e300}], [{"a": -15 * 10**299}]), (2.0, 2)], ids=str
)
async def test_a_number_is_the_same_however_the_job_store_writes_it(asked: Any, kept: Any) -> None:
    assert (await submit(Views(a_job(input={"scale": kept})), Log(), input={"scale": asked})).status_code == 202


@pytest.mark.parametrize(
    ("asked", "kept"), [(1e23, 10**23 + 10**8), (1.5, 1), ([1], [1, 1]), ({"a": 1}, {"b": 1}), (1.0, 10**320)], ids=repr
)
async def test_another_number_is_another_request(asked: Any, kept: Any) -> None:
    assert (await submit(Views(a_job(input={"scale": kept})), Log(), input={"scale": asked})).status_code == 422


async def test_what_was_removed_from_a_request_is_not_compared() -> None:
    removed = a_job(prompt="", input={}, data_removed_at=later(1))

    assert (await submit(Views(removed), Log())).status_code == 202
    assert (await submit(Views(removed), Log(), num_outputs=2)).status_code == 422


async def test_without_a_key_of_ones_own_the_job_store_is_not_asked() -> None:
    assert (await submit(Views(fault=ZeroDivisionError()), Log(), key=None)).status_code == 202


class SlowViews(Views):
    """Views that never answer."""

    async def request(self, job_id: UUID, tenant: str) -> Mapping[str, Any] | None:
        self.asked.append((job_id, tenant))
        await asyncio.Event().wait()
        return None


@pytest.mark.parametrize("views", [Views(fault=ConnectionRefusedError()), SlowViews()], ids=["is away", "is silent"])
async def test_while_the_job_store_cannot_say_every_request_is_accepted_and_it_is_left_alone(views: Views) -> None:
    known = KnownRequests(views)

    async with asyncio.timeout(3):
        for _ in range(100):
            await known.refuse_another(a_request())

    assert len(views.asked) <= 1


def test_every_field_of_a_request_is_compared() -> None:
    envelope = {"event_id", "type", "v", "occurred_at", "job_id", "tenant", "revision"}

    assert set(SAME) == set(type(a_request()).model_fields) - envelope
