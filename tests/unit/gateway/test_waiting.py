"""Whoever waits is answered when there is something new, and never later than asked for."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest

import gateway.waiting
from gateway.job_status import patience_of
from gateway.waiting import Marker, Watcher
from schemas.jobs import Job, Status, pending_job
from tests.builders import JOB, NOON, later
from tests.fakes import Views
from tests.unit.gateway.http import calling

LONG = 30.0
SOON = 5.0  # far below LONG; generous, for machines that are busy


def a_job(job_id: UUID = JOB, **changes: Any) -> Job:
    return pending_job(
        job_id=job_id, model="m", prompt="p", num_outputs=1, seed=None, output_format=None, input={}, metadata={},
        deadline=None, created_at=NOON,
    ).model_copy(update=changes)  # fmt: skip


SEEN = Marker.of(a_job())


class Ledger:
    """Jobs that go on when a test says so, and how often somebody asked for how many."""

    def __init__(self) -> None:
        self.there: dict[UUID, Marker] = {}
        self.asked: list[int] = []
        self.fault: Exception | None = None
        self.silent = False

    def says(self, job_id: UUID, status: Status, at: datetime = NOON, revision: int = 1) -> None:
        self.there[job_id] = Marker(status, revision, at)

    async def markers(self, job_ids: Iterable[UUID]) -> dict[UUID, Marker]:
        wanted = list(job_ids)
        self.asked.append(len(wanted))
        if self.silent:
            await asyncio.Event().wait()
        if self.fault:
            raise self.fault
        return {job_id: self.there[job_id] for job_id in wanted if job_id in self.there}

    async def is_asked(self, times: int = 1) -> None:
        so_far = len(self.asked)
        async with asyncio.timeout(SOON):
            while len(self.asked) < so_far + times:  # noqa: ASYNC110 - a fake has no event for each question
                await asyncio.sleep(0.005)


async def stays() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def watching(ledger: Ledger) -> AsyncIterator[tuple[Watcher, asyncio.Event]]:
    watcher, stopping = Watcher(ledger), asyncio.Event()
    running = asyncio.create_task(watcher.run(stopping))
    await asyncio.sleep(0)
    yield watcher, stopping
    stopping.set()
    async with asyncio.timeout(SOON):
        await running


def waits(watcher: Watcher, job: Job, done_in: int | None = 1) -> "asyncio.Task[bool]":
    waiting = watcher.wait(job.job_id, Marker.of(job), LONG, stays, tenant="dev", done_in=done_in)
    return asyncio.create_task(waiting)


async def test_the_end_of_a_job_ends_the_wait_and_nothing_before_does() -> None:
    ledger = Ledger()
    async with watching(ledger) as (watcher, _):
        waiting = waits(watcher, a_job())
        ledger.says(JOB, Status.PROCESSING, later(1))
        await ledger.is_asked(2)
        early = waiting.done()
        ledger.says(JOB, Status.COMPLETED, later(2))

        assert await asyncio.wait_for(waiting, SOON)
        assert not early


async def test_the_end_of_an_earlier_revision_does_not_end_the_wait() -> None:
    ledger = Ledger()
    async with watching(ledger) as (watcher, _):
        ledger.says(JOB, Status.FAILED, later(1))
        waiting = waits(watcher, a_job(), done_in=2)
        await ledger.is_asked(2)
        ledger.says(JOB, Status.PROCESSING, later(2), revision=2)
        await ledger.is_asked(2)
        early = waiting.done()
        ledger.says(JOB, Status.COMPLETED, later(3), revision=2)

        assert await asyncio.wait_for(waiting, SOON)
        assert not early


async def test_any_change_ends_the_wait_of_who_knows_the_job_as_it_was() -> None:
    ledger = Ledger()
    async with watching(ledger) as (watcher, _):
        ledger.says(JOB, Status.PENDING)
        waiting = waits(watcher, a_job(), done_in=None)
        await ledger.is_asked(2)
        early = waiting.done()
        ledger.says(JOB, Status.PENDING, later(1))

        assert await asyncio.wait_for(waiting, SOON)
        assert not early


async def test_a_wait_is_over_when_its_time_is() -> None:
    async with watching(Ledger()) as (watcher, _):
        began = monotonic()
        await watcher.wait(JOB, SEEN, 0.1, stays, tenant="dev", done_in=1)

    assert 0.1 <= monotonic() - began < SOON


async def test_many_who_wait_are_one_question_at_a_time() -> None:
    ledger = Ledger()
    async with watching(ledger) as (watcher, _):
        jobs = [a_job(uuid4()) for _ in range(500)]
        all_of_them = [waits(watcher, job) for job in jobs for _ in range(2)]
        await ledger.is_asked(2)
        for job in jobs:
            ledger.says(job.job_id, Status.FAILED)
        await asyncio.wait_for(asyncio.gather(*all_of_them), SOON)

    assert max(ledger.asked) == 500
    assert len(ledger.asked) < 50


async def test_when_nobody_waits_nobody_asks() -> None:
    ledger = Ledger()
    async with watching(ledger) as (watcher, _):
        await watcher.wait(JOB, SEEN, 0.01, stays, tenant="dev", done_in=1)
        so_far = len(ledger.asked)
        await asyncio.sleep(0.2)

        assert len(ledger.asked) <= so_far + 1


async def test_one_who_goes_away_frees_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.waiting, "MOST", 1)
    gone = asyncio.Event()

    async def leaves() -> None:
        await gone.wait()

    async with watching(Ledger()) as (watcher, _):
        first = asyncio.create_task(watcher.wait(JOB, SEEN, LONG, leaves, tenant="dev", done_in=1))
        await asyncio.sleep(0)
        too_many = await asyncio.wait_for(watcher.wait(JOB, SEEN, LONG, stays, tenant="dev", done_in=1), SOON)
        gone.set()
        await asyncio.wait_for(first, SOON)
        next_one = waits(watcher, a_job())
        await asyncio.sleep(0.02)

        assert not too_many
        assert not next_one.done()


async def test_one_tenant_leaves_places_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.waiting, "MOST_OF_ONE", 2)

    async with watching(Ledger()) as (watcher, _):
        waiting = [waits(watcher, a_job(uuid4())) for _ in range(2)]
        await asyncio.sleep(0)
        too_many = await asyncio.wait_for(watcher.wait(JOB, SEEN, LONG, stays, tenant="dev", done_in=1), SOON)
        other = asyncio.create_task(watcher.wait(JOB, SEEN, LONG, stays, tenant="acme", done_in=1))
        await asyncio.sleep(0.02)

        assert not too_many
        assert not any(each.done() for each in (*waiting, other))


@pytest.mark.parametrize("silent", [False, True], ids=["which answers", "which is silent"])
async def test_a_stop_ends_every_wait_at_once_whatever_the_job_store_does(silent: bool) -> None:
    ledger = Ledger()
    async with watching(ledger) as (watcher, stopping):
        ledger.silent = silent
        waiting = [waits(watcher, a_job()) for _ in range(100)]
        await ledger.is_asked()
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*waiting), 0.5)

        assert not await asyncio.wait_for(watcher.wait(JOB, SEEN, LONG, stays, tenant="dev", done_in=1), 0.5)
        ledger.silent = False


async def test_a_stop_has_nobody_read_again_what_has_not_changed() -> None:
    ledger = Ledger()
    changed = a_job(uuid4())
    async with watching(ledger) as (watcher, stopping):
        same, other = waits(watcher, a_job()), waits(watcher, changed)
        ledger.says(JOB, Status.PENDING)
        ledger.says(changed.job_id, Status.PROCESSING, later(1))
        await ledger.is_asked(2)
        stopping.set()

        assert (await same, await other) == (False, True)


async def test_a_job_store_that_comes_back_is_asked_again() -> None:
    ledger = Ledger()
    ledger.fault = ConnectionRefusedError()
    async with watching(ledger) as (watcher, _):
        waiting = waits(watcher, a_job())
        await ledger.is_asked()
        ledger.fault = None
        ledger.says(JOB, Status.COMPLETED)

        assert await asyncio.wait_for(waiting, SOON)


@pytest.mark.parametrize(
    ("wait", "prefer", "seconds", "applied"),
    [
        (None, None, 0, None), (7, None, 7, None), (7, "wait=20", 7, None), (None, "wait=20", 20, "wait=20"),
        (None, "respond-async, wait=5", 5, "wait=5"), (None, 'Wait="9"; x=1', 9, "wait=9"),
        (None, "wait=3600", 60, "wait=60"), (None, "wait=0", 0, None), (None, "wait=-1", 0, None),
        (None, "wait=soon", 0, None), (None, "await=5", 0, None), (None, "wait = 4", 4, "wait=4"),
    ],
)  # fmt: skip
def test_how_long_somebody_wants_to_wait(
    wait: int | None, prefer: str | None, seconds: int, applied: str | None
) -> None:  # fmt: skip
    patience = patience_of(wait, prefer)

    assert (patience.seconds, patience.headers.get("Preference-Applied")) == (seconds, applied)


async def test_a_job_that_is_done_is_answered_at_once() -> None:
    async with calling(views=Views(a_job(status=Status.FAILED, done=True))) as client:
        answer = await asyncio.wait_for(client.get(f"/api/v1/status/{JOB}", headers={"Prefer": "wait=60"}), SOON)

    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=60")


async def test_who_waits_for_a_retry_is_not_answered_with_the_revision_before_it() -> None:
    failed = a_job(status=Status.FAILED, done=True)
    again = a_job(status=Status.COMPLETED, done=True, revision=2, updated_at=later(3))
    async with calling(views=Views(failed, again)) as client:
        answer = await asyncio.wait_for(client.get(f"/api/v1/status/{JOB}?wait=60&revision=2"), SOON)

    assert (answer.json()["revision"], answer.json()["status"]) == (2, "COMPLETED")


async def test_who_names_an_earlier_revision_is_answered_with_a_later_one_that_is_done() -> None:
    async with calling(views=Views(a_job(status=Status.FAILED, done=True, revision=3))) as client:
        answer = await asyncio.wait_for(client.get(f"/api/v1/status/{JOB}?wait=60&revision=2"), SOON)

    assert answer.json()["revision"] == 3


async def test_a_job_that_ends_meanwhile_is_shown_as_it_ended() -> None:
    ended = a_job(status=Status.COMPLETED, done=True, updated_at=later(3))
    async with calling(views=Views(a_job(), ended)) as client:
        answer = await asyncio.wait_for(client.get(f"/api/v1/status/{JOB}?wait=60"), SOON)

    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")


async def test_when_the_time_is_over_the_job_is_shown_as_it_is() -> None:
    async with calling(views=Views(a_job())) as client:
        plain = await client.get(f"/api/v1/status/{JOB}?wait=1")
        known = await client.get(f"/api/v1/status/{JOB}?wait=1", headers={"If-None-Match": plain.headers["ETag"]})

    assert (plain.status_code, plain.json()["done"], known.status_code) == (200, False, 304)


async def test_who_has_the_job_as_it_is_waits_for_any_change() -> None:
    changed = a_job(status=Status.PROCESSING, updated_at=later(1))
    async with calling(views=Views(a_job(), a_job(), changed)) as client:
        first = await client.get(f"/api/v1/status/{JOB}")
        headers = {"If-None-Match": first.headers["ETag"], "Prefer": "wait=60"}
        answer = await asyncio.wait_for(client.get(f"/api/v1/status/{JOB}", headers=headers), SOON)

    assert (answer.status_code, answer.json()["status"]) == (200, "PROCESSING")


async def test_who_has_an_old_answer_does_not_wait_for_a_new_one() -> None:
    async with calling(views=Views(a_job())) as client:
        headers = {"If-None-Match": '"of another time"'}
        answer = await asyncio.wait_for(client.get(f"/api/v1/status/{JOB}?wait=60", headers=headers), SOON)

    assert answer.status_code == 200


@pytest.mark.parametrize("wait", ["0", "61", "x", "-1"])
async def test_a_wait_that_is_none_is_refused(wait: str) -> None:
    async with calling(views=Views(a_job())) as client:
        answer = await client.get(f"/api/v1/status/{JOB}?wait={wait}")

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:darkroom:problem:invalid-input")
