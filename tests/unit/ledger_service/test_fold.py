"""What the facts say about a job, in whatever order and however often they are heard."""

from dataclasses import fields, replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings

from ledger_service.fold import Job, fold, standing
from ledger_service.outputs import Output
from schemas.events import Event, GenerationDoubted, GenerationFailed, Redo, UploadFailed
from schemas.jobs import OutputStatus, Phase, Status
from tests.builders import (
    JOB,
    NOON,
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_request,
    a_retry,
    a_stored_output,
    a_submission,
    at,
    later,
)
from tests.unit.ledger_service.histories import (
    Said,
    a_renewal,
    heard,
    heard_twice,
    in_the_log,
)  # fmt: skip
from tests.unit.ledger_service.reference import Facts

THOROUGH = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


def told(*events: Event) -> Job:
    """The job after these facts, heard as they were said."""
    return heard(in_the_log(events))


def words_of(trouble: GenerationDoubted | GenerationFailed | UploadFailed | None) -> str | None:
    """What a trouble is called in the status."""
    if isinstance(trouble, GenerationDoubted):
        if trouble.held:
            return f"the call was not found, and is held for an operator: {trouble.cause}"
        return f"the provider's answer was lost, and the call is looked for: {trouble.cause}"
    return f"{trouble.code}: {trouble.message}" if trouble else None


def without_request(job: Job) -> Job:
    return replace(job, request=None)


@THOROUGH
@given(heard_twice())
def test_every_order_and_repetition_gives_the_same_job(ways: tuple[list[Said], list[Said]]) -> None:
    said, shuffled = ways

    assert heard(shuffled) == heard(said)
    assert standing(heard(shuffled)) == standing(heard(said))


@THOROUGH
@given(heard_twice())
def test_the_fold_agrees_with_looking_everything_up(ways: tuple[list[Said], list[Said]]) -> None:
    said, shuffled = ways
    job, facts = heard(shuffled), Facts(said)
    now = standing(job)

    assert (now.status, now.completed_at) == (facts.job_status(), facts.completed_at())
    assert job.retry_count == facts.retries()
    assert job.updated_at == max(fact.event.occurred_at for fact in said)
    for output in job.media:
        assert output.status == facts.status(output.index)
        assert output.submitted_at == facts.submitted_at(output.index)
        stored, generated = facts.stored(output.index), facts.generated(output.index)
        failure = facts.failure(output.index)
        assert output.s3_key == (stored.key if stored else None)
        assert output.generated_at == (generated.occurred_at if generated else None)
        assert (output.error_code, output.failed_at) == (
            (failure.code, failure.occurred_at) if failure else (None, None)
        )
        assert output.media_url == facts.media_url(output.index)
        assert (output.phase, output.cause) == (facts.phase(output.index), words_of(facts.trouble(output.index)))
    assert (job.request and job.request.prompt, job.data_removed_at) == (facts.prompt(), facts.removed_at())


@THOROUGH
@given(heard_twice())
def test_a_status_only_moves_forward_while_facts_are_heard(ways: tuple[list[Said], list[Said]]) -> None:
    _, shuffled = ways
    job = Job(JOB, "dev", NOON)
    order = [Status.PENDING, Status.PROCESSING]
    before = Status.PENDING

    for fact in shuffled:
        now = standing(fold(job, fact.event, fact.position)).status
        assert now == before if before.terminal else (now.terminal or order.index(now) >= order.index(before))
        before = now


def test_a_job_heard_of_before_its_request_waits_for_it() -> None:
    job = told(a_stored_output())

    assert standing(job).status is Status.PENDING
    assert (job.requested_at, job.model, job.media) == (None, None, [])


def test_a_request_that_is_heard_last_finds_everything_in_its_place() -> None:
    job = told(a_stored_output(), a_generated_output(), a_submission(), a_request())

    assert standing(job).status is Status.COMPLETED
    assert job.request == a_request()


def test_a_request_is_written_once_and_not_again_when_it_is_heard_again() -> None:
    job = without_request(told(a_request()))

    fold(job, a_request(), at(a_request(), 0))

    assert job.request is None


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_requests_under_one_id_the_first_in_the_log_counts(order: tuple[int, ...]) -> None:
    said = in_the_log([a_request(prompt="first", num_outputs=2), a_request(prompt="second", num_outputs=4)])

    job = heard([said[place] for place in order])

    assert job.request is not None
    assert (job.request.prompt, job.num_outputs, len(job.media)) == ("first", 2, 2)


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_records_that_say_one_fact_the_first_in_the_log_counts(order: tuple[int, ...]) -> None:
    stored = in_the_log([a_stored_output(size=1), a_stored_output(size=2, occurred_at=later(9))])
    failed = in_the_log([a_failed_upload(code="storage_failed"), a_failed_upload(code="source_expired")])

    assert heard([stored[place] for place in order]).outputs[1, 0].size == 1
    assert heard([failed[place] for place in order]).outputs[1, 0].error_code == "storage_failed"


@pytest.mark.parametrize(
    ("endings", "status"),
    [
        ("S", "COMPLETED"), ("SSS", "COMPLETED"), ("SF", "PARTIAL"), ("SE", "PARTIAL"), ("SC", "PARTIAL"),
        ("SFEC", "PARTIAL"), ("F", "FAILED"), ("FE", "FAILED"), ("FC", "FAILED"), ("FEC", "FAILED"), ("E", "EXPIRED"),
        ("EC", "EXPIRED"), ("CE", "EXPIRED"), ("C", "CANCELLED"), ("CC", "CANCELLED"),
        ("-", "PENDING"), ("--", "PENDING"), ("-S", "PROCESSING"), ("-F", "PROCESSING"), ("G", "PROCESSING"),
        ("GS", "PROCESSING"), ("-G", "PROCESSING"), ("GC", "PROCESSING"),
    ],
)  # fmt: skip
def test_a_jobs_status_follows_from_its_outputs(endings: str, status: str) -> None:
    facts: list[Event] = [a_request(num_outputs=len(endings))]
    for index, ending in enumerate(endings):
        if ending == "S":
            facts.append(a_stored_output(index=index))
        elif ending == "G":
            facts.append(a_generated_output(index=index, generation=index))
        elif ending != "-":
            code = {"F": "content_policy", "E": "deadline_exceeded", "C": "cancelled"}[ending]
            facts.append(a_failed_generation(generation=index, outputs=(index,), code=code))

    assert standing(told(*facts)).status == status


def test_an_output_is_shown_by_what_it_waits_for() -> None:
    steps: list[tuple[Event, Phase, OutputStatus]] = [
        (a_request(), Phase.QUEUED, OutputStatus.PENDING),
        (a_submission(), Phase.GENERATING, OutputStatus.PROCESSING),
        (a_generated_output(), Phase.STORING, OutputStatus.PROCESSING),
        (a_failed_upload(final=False), Phase.STORING, OutputStatus.PROCESSING),
        (a_stored_output(attempt=2), Phase.DONE, OutputStatus.COMPLETED),
    ]
    job = Job(JOB, "dev", NOON)

    for event, phase, status in steps:
        fold(job, event, at(event))
        assert (job.media[0].phase, job.media[0].status) == (phase, status)


def test_a_job_starts_with_its_first_submission_and_ends_with_its_last_output() -> None:
    now = standing(
        told(
            a_request(num_outputs=2),
            a_submission(generation=1, outputs=(1,), occurred_at=later(2)),
            a_submission(generation=0, outputs=(0,), occurred_at=later(1)),
            a_stored_output(index=0, occurred_at=later(9)),
            a_stored_output(index=1, occurred_at=later(8)),
        )
    )

    assert (now.started_at, now.completed_at) == (later(1), later(9))


def test_a_job_shows_the_error_of_its_first_failed_output() -> None:
    now = standing(
        told(
            a_request(num_outputs=3),
            a_failed_upload(index=2, code="source_expired", message="too late"),
            a_failed_generation(generation=1, outputs=(1,), code="content_policy", message="no"),
        )
    )

    assert (now.error_code, now.error_message) == ("content_policy", "no")


def test_a_retried_failure_is_no_error() -> None:
    now = standing(told(a_request(), a_failed_generation(final=False)))

    assert (now.status, now.error_code) == (Status.PROCESSING, None)


def test_attempts_after_the_first_are_counted_once_per_call_and_per_upload() -> None:
    job = told(
        a_request(num_outputs=2),
        a_failed_generation(outputs=(0, 1), attempt=1, final=False),
        a_failed_generation(outputs=(0, 1), attempt=2, final=False),
        a_generated_output(index=0, attempt=3),
        a_generated_output(index=1, attempt=3),
        a_failed_upload(index=1, attempt=1, final=False),
        a_stored_output(index=0, attempt=1),
        a_stored_output(index=1, attempt=2),
    )

    assert job.retry_count == 2 + 1


def test_an_output_shows_its_latest_revision() -> None:
    job = told(a_request(), a_failed_upload(), a_retry(), a_stored_output(revision=2))

    assert [(output.revision, output.status) for output in job.media] == [(2, OutputStatus.COMPLETED)]
    assert job.revision == 2


def test_of_two_retries_for_one_revision_the_first_in_the_log_counts() -> None:
    request, failed = a_request(num_outputs=2), a_failed_generation(outputs=(0, 1))
    first, second = a_retry(Redo(index=0, start="generate")), a_retry(Redo(index=1, start="generate"))

    job = told(request, failed, first, second, a_stored_output(index=0, revision=2))

    assert [(output.revision, output.over) for output in job.media] == [(2, True), (1, True)]
    assert standing(job).status is Status.PARTIAL


def test_an_output_beyond_those_asked_for_is_kept_and_not_shown() -> None:
    job = told(a_request(num_outputs=1), a_stored_output(index=0), a_stored_output(index=7))

    assert [output.index for output in job.media] == [0]
    assert standing(job).status is Status.COMPLETED


def test_a_fact_writes_only_its_own_columns() -> None:
    blank = Output(1, 0)
    written = {
        "submitted": a_submission(), "failed": a_failed_generation(), "generated": a_generated_output(),
        "stored": a_stored_output(), "not stored": a_failed_upload(), "doubted": a_doubt(),
        "tried again": a_failed_generation(final=False), "stored later": a_failed_upload(final=False),
        "renewed": a_renewal(1),
    }  # fmt: skip
    changed = {
        name: {field.name for field in fields(Output) if getattr(out, field.name) != getattr(blank, field.name)}
        for name, event in written.items()
        for out in [told(event).outputs[1, 0]]
    }

    attempt = {"generation", "generation_attempts"}
    trouble = {"trouble", "trouble_attempt", "trouble_words"}
    error = {"error_code", "error_message", "failed_at", "failed_topic", "failed_offset"}
    assert changed == {
        "submitted": attempt | {"submitted_at", "submitted_attempt"},
        "doubted": attempt | trouble,
        "tried again": attempt | trouble,
        "stored later": {"upload_attempts"} | trouble,
        "renewed": attempt | {"media_url", "generated_at", "generated_offset", "renewal", "renewal_offset"},
        "failed": attempt | error,
        "generated": attempt | {"media_url", "generated_at", "generated_offset"},
        "stored": {"upload_attempts", "s3_key", "sha256", "size", "content_type", "width", "height", "stored_at",
                   "stored_offset"},
        "not stored": {"upload_attempts"} | error,
    }  # fmt: skip
