"""What is told to the world when a job is over: once, and the same whatever was heard first."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger_service.announce import announcement
from ledger_service.fold import Job, fold, standing
from schemas.events import Failure, JobCompleted
from schemas.jobs import Status
from schemas.wire import encode
from tests.builders import (
    JOB,
    NOON,
    SHA256,
    a_failed_generation,
    a_generated_output,
    a_request,
    a_retry,
    a_stored_output,
    a_submission,
    at,
    later,
)
from tests.unit.ledger_service.histories import Said, heard, heard_twice, in_the_log


def announced(said: list[Said], size: int = 1) -> list[JobCompleted]:
    """What a ledger says that hears this in batches of `size`."""
    job, words = Job(JOB, "dev", NOON), []
    for start in range(0, len(said), size):
        for fact in said[start : start + size]:
            fold(job, fact.event, fact.position)
        if completed := announcement(job, standing(job)):
            job.announced = completed.revision
            words.append(completed)
    return words


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(heard_twice(), st.integers(1, 5))
def test_a_job_that_is_over_is_announced_once_and_the_same_in_every_order(
    ways: tuple[list[Said], list[Said]], size: int
) -> None:
    said, shuffled = ways
    job = heard(said)
    expected = announcement(job, standing(job))

    words = announced(shuffled, size)

    assert words == ([expected] if expected else [])


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(heard_twice())
def test_whoever_has_heard_everything_announces_the_same_to_the_byte(ways: tuple[list[Said], list[Said]]) -> None:
    first, second = (announcement(job, standing(job)) for job in map(heard, ways))

    assert (first and encode(first, source="ledger")) == (second and encode(second, source="ledger"))


def test_what_is_announced_does_not_depend_on_which_topic_was_read_first() -> None:
    said = in_the_log([a_request(), a_submission(occurred_at=later(1)), a_stored_output(occurred_at=later(2))])

    assert announced([said[0], said[2], said[1]]) == announced(said)


def test_a_finished_job_is_told_with_keys_and_sums_and_never_with_prompt_or_input() -> None:
    said = in_the_log([
        a_request(num_outputs=2, prompt="hush", input={"hush": "hush"}, metadata={"order": "A-17"}),
        a_submission(outputs=(0, 1), occurred_at=later(1)),
        a_generated_output(index=0, occurred_at=later(2)),
        a_stored_output(index=0, occurred_at=later(3)),
        a_failed_generation(outputs=(1,), code="too_few_outputs", message="1 of 2", occurred_at=later(2)),
    ])  # fmt: skip

    [word] = announced(said)

    assert (word.status, word.num_outputs, word.stored, word.failed) == (Status.PARTIAL, 2, 1, 1)
    assert (word.metadata, word.model) == ({"order": "A-17"}, "fake/painter")
    assert (word.requested_at, word.completed_at) == (NOON, later(3))
    assert word.error == Failure(code="too_few_outputs", message="1 of 2")
    assert [(output.index, output.status, output.sha256) for output in word.outputs] == [
        (0, "COMPLETED", SHA256), (1, "FAILED", None),
    ]  # fmt: skip
    assert [output.error for output in word.outputs] == [None, word.error]
    assert b"hush" not in (encode(word, source="ledger").value or b"")


def test_an_announcement_has_the_time_of_its_last_output_and_not_the_clocks() -> None:
    [word] = announced(in_the_log([a_request(), a_stored_output(occurred_at=later(3))]))

    assert word.occurred_at == word.completed_at == later(3)


def test_a_completed_job_has_no_error() -> None:
    [word] = announced(in_the_log([a_request(), a_stored_output()]))

    assert (word.status, word.error) == (Status.COMPLETED, None)


def test_nothing_is_announced_of_a_job_whose_request_was_not_heard() -> None:
    assert announced(in_the_log([a_stored_output()])) == []


def test_what_is_heard_after_the_announcement_announces_nothing_anew() -> None:
    said = in_the_log([a_request(), a_stored_output(), a_generated_output(), a_stored_output()])

    assert len(announced(said)) == 1


def test_a_revision_that_is_over_is_announced_for_itself() -> None:
    said = in_the_log([a_request(), a_failed_generation(), a_retry(), a_stored_output(revision=2)])

    words = announced(said)

    assert [(word.revision, word.status) for word in words] == [(1, "FAILED"), (2, "COMPLETED")]
    assert words[0].event_id != words[1].event_id


def test_a_loaded_job_that_was_announced_stays_silent() -> None:
    job = heard(in_the_log([a_request(), a_stored_output()]))
    job.announced = 1

    fold(job, a_request(), at(a_request(), 9))

    assert announcement(job, standing(job)) is None
