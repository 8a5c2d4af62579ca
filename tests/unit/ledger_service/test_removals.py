"""What is left of a job whose data were removed, and which jobs are old enough for it."""

from datetime import timedelta
from itertools import permutations

import pytest
from pydantic import ValidationError

from ledger_service.fold import Job, standing
from ledger_service.settings import Settings, ages
from schemas.events import Event
from schemas.jobs import Status
from tests.builders import a_generated_output, a_removal, a_request, a_retry, a_stored_output, later
from tests.unit.ledger_service.histories import heard, in_the_log


def told(*events: Event) -> Job:
    """The job after these facts, the same in whatever order they are heard."""
    ways = [heard(order) for order in permutations(in_the_log(events))]
    assert all(job == ways[0] for job in ways)
    return ways[0]


def test_prompt_input_and_links_are_gone_and_the_job_stays_as_it_ended() -> None:
    request = a_request(prompt="hush", input={"hush": 1}, seed=7, metadata={"order": "A-17"})

    job = told(request, a_generated_output(), a_stored_output(), a_removal(occurred_at=later(9)))

    assert job.request == request.model_copy(update={"prompt": "", "input": {}})
    assert (job.media[0].media_url, job.data_removed_at) == (None, later(9))
    assert job.media[0].s3_key == a_stored_output().key
    assert standing(job).status is Status.COMPLETED
    assert "hush" not in repr(job)


def test_a_job_of_which_only_the_removal_was_heard_forgets_what_comes_later() -> None:
    job = told(a_removal(), a_request(prompt="hush"))

    assert (job.request and job.request.prompt) == ""


def test_what_a_later_revision_makes_is_not_removed() -> None:
    again = a_generated_output(revision=2, index=1)

    job = told(a_request(num_outputs=2), a_generated_output(), a_removal(), a_retry(), again)

    assert [output.media_url is None for output in job.outputs.values() if output.generated_at] == [True, False]
    assert job.request is not None
    assert job.request.prompt == ""


def test_the_removal_that_reaches_furthest_says_when() -> None:
    job = told(a_removal(occurred_at=later(1)), a_removal(revision=2, occurred_at=later(5)))

    assert (job.data_removed_at, job.removed_revision, job.removal_said) == (later(5), 2, 2)


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_records_that_say_one_removal_the_first_in_the_log_counts(order: tuple[int, ...]) -> None:
    said = in_the_log([a_removal(occurred_at=later(1)), a_removal(occurred_at=later(5), reason="age")])

    assert heard([said[place] for place in order]).data_removed_at == later(1)


def test_ages_are_told_by_tenant() -> None:
    assert ages("acme=30d, dev=12h,a-b.c=90s,x=5m,*=365d") == {
        "acme": timedelta(days=30), "dev": timedelta(hours=12), "a-b.c": timedelta(seconds=90),
        "x": timedelta(minutes=5), "*": timedelta(days=365),
    }  # fmt: skip
    assert ages("") == {}


@pytest.mark.parametrize("told", ["30d", "acme", "acme=", "acme=30", "acme=0d", "=30d", "acme=-1d", "acme=1d,acme=2d",
                                  "acme=999999d", "a=b=1d"])  # fmt: skip
def test_an_age_that_cannot_be_meant_is_refused_at_the_start(told: str) -> None:
    with pytest.raises(ValidationError, match="must be TENANT=AGE pairs"):
        Settings.model_validate({"remove_after": told, "KAFKA_BOOTSTRAP_SERVERS": "k:1",
                                 "LEDGER_DATABASE_URL": "postgresql://db/darkroom"})  # fmt: skip
