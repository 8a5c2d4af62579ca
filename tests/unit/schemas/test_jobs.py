"""The job as people read it."""

import pytest

from schemas.jobs import OutputStatus, Phase, Status, pending_job
from tests.builders import JOB, NOON


@pytest.mark.parametrize("status", Status)
def test_only_waiting_and_working_jobs_are_not_over(status: Status) -> None:
    assert status.terminal == (status not in ("PENDING", "PROCESSING"))


def test_an_output_has_every_status_of_a_job_but_partial() -> None:
    assert {status.value for status in OutputStatus} == {status.value for status in Status} - {"PARTIAL"}


def test_a_job_of_which_only_the_request_is_known_shows_all_its_outputs_as_waiting() -> None:
    job = pending_job(
        job_id=JOB, model="fake/painter", prompt="a city", num_outputs=3, seed=7, output_format="png",
        input={"a": 1}, metadata={"b": "c"}, deadline=None, created_at=NOON,
    )  # fmt: skip

    assert (job.status, job.done, job.created_at, job.updated_at) == (Status.PENDING, False, NOON, NOON)
    assert [(media.index, media.status, media.phase) for media in job.media] == [
        (index, OutputStatus.PENDING, Phase.QUEUED) for index in range(3)
    ]
