"""What is free is done for nothing, and nothing is paid for again that nobody confirmed."""

from typing import Any

import pytest

from gateway.problems import Problem
from gateway.redo import Start, redo
from schemas.jobs import Job, Media, OutputStatus, Phase, Status
from tests.builders import JOB, NOON

STORED = {"status": OutputStatus.COMPLETED, "s3_key": "jobs/0d0/x/1/0.jpg"}
NOT_STORED = {"status": OutputStatus.FAILED, "error_code": "storage_failed"}
GONE = {"status": OutputStatus.FAILED, "error_code": "source_expired"}
NEVER_MADE = {"status": OutputStatus.FAILED, "error_code": "provider_failed"}
CANCELLED = {"status": OutputStatus.CANCELLED, "error_code": "cancelled"}
EXPIRED = {"status": OutputStatus.EXPIRED, "error_code": "deadline_exceeded"}


def a_job(*outputs: dict[str, Any]) -> Job:
    media = tuple(Media(index=number, phase=Phase.DONE, **each) for number, each in enumerate(outputs))
    return Job(
        job_id=JOB, status=Status.PARTIAL, done=True, model="m", prompt="p", num_outputs=len(media), seed=None,
        output_format=None, media=media, created_at=NOON, updated_at=NOON,
    )  # fmt: skip


def again(
    job: Job, *made: int, named: dict[int, Start | None] | None = None, confirm_cost: bool = False
) -> dict[int, str]:  # fmt: skip
    return {each.index: each.start for each in redo(job, made, named, confirm_cost=confirm_cost)}


def refused(*given: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        again(*given, **options)
    return problem.value.status, problem.value.kind


def test_what_was_made_and_could_not_be_stored_is_stored_again_for_nothing() -> None:
    assert again(a_job(STORED, NOT_STORED, NOT_STORED), 0, 1, 2) == {1: "store", 2: "store"}


@pytest.mark.parametrize("lost", [NEVER_MADE, CANCELLED, EXPIRED], ids=lambda each: each["error_code"])
def test_what_was_never_made_is_generated_again_once_that_is_confirmed(lost: dict[str, Any]) -> None:
    job = a_job(STORED, lost)

    assert refused(job, 0) == (409, "cost-not-confirmed")
    assert again(job, 0, confirm_cost=True) == {1: "generate"}


def test_storing_is_no_help_once_the_source_is_gone_unless_it_is_asked_for() -> None:
    job = a_job(GONE)

    assert refused(job, 0) == (409, "cost-not-confirmed")
    assert again(job, 0, named={0: "store"}) == {0: "store"}


def test_each_output_that_would_be_paid_for_is_named() -> None:
    with pytest.raises(Problem) as problem:
        again(a_job(NEVER_MADE, NOT_STORED, CANCELLED), 1)

    assert "output 0, 2 again" in problem.value.detail


def test_only_what_is_named_is_done_again_and_what_is_free_needs_no_confirmation() -> None:
    assert again(a_job(NEVER_MADE, NOT_STORED), 1, named={1: None}) == {1: "store"}


def test_what_is_stored_is_done_again_when_it_is_named_alone() -> None:
    job = a_job(STORED, STORED)

    assert refused(job, 0, 1) == (409, "nothing-to-retry")
    assert again(job, 0, 1, named={1: None}) == {1: "store"}


def test_what_was_made_is_paid_for_again_only_when_that_is_asked_for_and_confirmed() -> None:
    job = a_job(STORED, NOT_STORED)

    assert refused(job, 0, 1, named={0: "generate"}) == (409, "cost-not-confirmed")
    assert again(job, 0, 1, named={0: "generate"}, confirm_cost=True) == {0: "generate"}
    assert again(job, 0, 1, confirm_cost=True) == {1: "store"}


def test_what_does_not_exist_cannot_be_done_again() -> None:
    assert refused(a_job(STORED), named={1: None}) == (404, "no-such-output")
    assert refused(a_job(NEVER_MADE), named={0: "store"}) == (422, "invalid-input")
