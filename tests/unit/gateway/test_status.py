"""Whoever was answered 202 is never answered 404, and nobody sees another's job."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

import gateway.status
from gateway.problems import Problem
from gateway.status import StatusReader
from schemas.events import JobRequested
from schemas.jobs import Job, Media, OutputStatus, Phase, Status, pending_job
from tests.builders import ANOTHER_JOB, JOB, NOON, a_request, later
from tests.fakes import Ends, Links, Tail, Views

REQUEST = a_request(num_outputs=2, prompt="a city", seed=7, metadata={"order": "A-17"}, max_attempts=2)
FAULTS = [ConnectionRefusedError(), TimeoutError()]


class SilentEnds(Ends):
    """Ends that nobody says."""

    async def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.Event().wait()
        return await super().ends(partitions)


class LateViews(Views):
    """Views that answer once, and then not in time."""

    async def job_and_next(self, job_id: UUID, tenant: str, partition: int) -> tuple[Any, int]:
        raise TimeoutError


def a_job(**changes: Any) -> Job:
    return pending_job(
        job_id=JOB, model="fake/painter", prompt="a city", num_outputs=2, seed=7, output_format=None, input={},
        metadata={"order": "A-17"}, deadline=None, created_at=NOON, max_attempts=2,
    ).model_copy(update=changes)  # fmt: skip


def reader(views: Views, ends: Ends | None = None, tail: Tail | None = None) -> StatusReader:
    return StatusReader(views, ends or Ends(0), tail or Tail(), Links())


async def refused(reading: StatusReader, job_id: str = str(JOB), tenant: str = "dev") -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        await reading.read(job_id, tenant)
    return problem.value.status, problem.value.kind


async def test_a_job_that_the_ledger_knows_is_shown_and_kafka_not_asked() -> None:
    ends = Ends(99)

    assert await reader(Views(a_job()), ends).read(str(JOB), "dev") == a_job()
    assert ends.asked == 0


@pytest.mark.parametrize("written", [str(JOB).upper(), JOB.hex, f"{{{JOB}}}", f"urn:uuid:{JOB}"])
async def test_a_job_is_found_however_its_id_is_written(written: str) -> None:
    assert (await reader(Views(a_job())).read(written, "dev")).job_id == JOB


@pytest.mark.parametrize("written", ["", "1", "x" * 5_000, "../../etc", "0d0f4aa2-6f6c-8f0e-9d6b-1f3c5a7e9b2", "%00"])
async def test_what_is_no_id_is_no_job(written: str) -> None:
    assert await refused(reader(Views()), written) == (404, "no-such-job")


async def test_stored_outputs_carry_links_and_others_do_not() -> None:
    stored = Media(index=0, status=OutputStatus.COMPLETED, phase=Phase.DONE, s3_key="jobs/0d0/x/1/0.jpg")
    waiting = Media(index=1, status=OutputStatus.PROCESSING, phase=Phase.STORING)

    job = await reader(Views(a_job(media=(stored, waiting)))).read(str(JOB), "dev")

    assert [media.presigned_media_url for media in job.media] == ["https://media/jobs/0d0/x/1/0.jpg", None]
    assert [media.url_expires_at for media in job.media] == [later(3600), None]
    assert [media.content_url for media in job.media] == [f"/api/v1/jobs/{JOB}/outputs/0/content", None]


async def test_an_output_that_was_removed_carries_no_link() -> None:
    gone = Media(index=0, status=OutputStatus.COMPLETED, phase=Phase.DONE, s3_key="jobs/0d0/x/1/0.jpg", removed=True)

    job = await reader(Views(a_job(media=(gone,)))).read(str(JOB), "dev")

    assert job.media == (gone,)


async def test_a_kafka_that_says_nothing_is_a_503_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.status, "PATIENCE", 0.05)

    async with asyncio.timeout(5):
        answer = await refused(reader(Views(), SilentEnds(0)))

    assert answer == (503, "unavailable")


async def test_a_job_that_only_the_log_knows_yet_is_shown_whole_and_pending() -> None:
    job = await reader(Views(following=5), Ends(6), Tail(REQUEST)).read(str(JOB), "dev")

    assert job == a_job()
    assert (job.status, job.done) == (Status.PENDING, False)


async def test_the_log_is_searched_from_where_the_ledger_is_to_where_it_ended() -> None:
    tail = Tail(REQUEST)

    await reader(Views(following=5), Ends(9), tail).read(str(JOB), "dev")

    [(key, _, start, end)] = tail.searched
    assert (key, start, end) == (str(JOB).encode(), 5, 9)


async def test_a_job_that_neither_ledger_nor_log_knows_was_never_accepted() -> None:
    assert await refused(reader(Views(following=9), Ends(9))) == (404, "no-such-job")
    assert await refused(reader(Views(following=5), Ends(9), Tail(None))) == (404, "no-such-job")


async def test_a_job_that_the_ledger_read_while_the_log_was_asked_is_shown() -> None:
    views = Views(None, a_job(), following=9)

    assert (await reader(views, Ends(9)).read(str(JOB), "dev")).job_id == JOB


async def test_a_job_that_the_ledger_read_while_the_log_was_searched_is_shown() -> None:
    views = Views(None, None, a_job(), following=5)

    assert (await reader(views, Ends(9), Tail(None)).read(str(JOB), "dev")).job_id == JOB


async def test_the_logs_end_is_asked_before_how_far_the_ledger_is() -> None:
    order: list[str] = []
    views, ends = Views(following=9, order=order), Ends(9, order=order)

    await refused(reader(views, ends))

    assert order == ["job", "ends", "job and next"]


async def test_somebody_elses_job_in_the_log_is_no_job() -> None:
    theirs: JobRequested = REQUEST.model_copy(update={"tenant": "acme"})

    assert await refused(reader(Views(following=5), Ends(6), Tail(theirs))) == (404, "no-such-job")


async def test_views_are_asked_for_this_tenants_job_alone() -> None:
    views = Views(following=9)

    await refused(reader(views, Ends(9)), str(ANOTHER_JOB), tenant="acme")

    assert set(views.asked) == {(ANOTHER_JOB, "acme")}


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_without_the_job_store_nothing_is_said_rather_than_404(fault: Exception) -> None:
    assert await refused(reader(Views(fault=fault))) == (503, "unavailable")


@pytest.mark.parametrize("fault", [KafkaConnectionError(), TimeoutError()], ids=repr)
async def test_without_kafka_a_miss_is_not_called_404(fault: Exception) -> None:
    assert await refused(reader(Views(), Ends(fault))) == (503, "unavailable")
    assert await refused(reader(Views(following=5), Ends(9), Tail(fault))) == (503, "unavailable")


async def test_who_does_not_answer_is_named() -> None:
    kafka = [(Views(), Ends(TimeoutError()), None), (Views(following=5), Ends(9), Tail(TimeoutError()))]
    job_store = [(Views(fault=TimeoutError()), None, None), (LateViews(), Ends(9), None)]

    assert [await told(*each) for each in kafka] == ["Kafka does not answer"] * 2
    assert [await told(*each) for each in job_store] == ["the job store does not answer"] * 2


async def told(views: Views, ends: Ends | None, tail: Tail | None) -> str:
    with pytest.raises(Problem) as problem:
        await reader(views, ends, tail).read(str(JOB), "dev")
    return problem.value.detail


async def test_a_ledger_too_far_behind_is_not_called_404() -> None:
    assert await refused(reader(Views(following=0), Ends(1_000_000), Tail())) == (503, "unavailable")
