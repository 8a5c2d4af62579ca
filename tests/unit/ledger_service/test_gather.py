"""What a stretch of the log adds up to: the same jobs as if each fact were folded by itself, in bounded memory."""

from itertools import permutations
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger_service.attempts import Attempt, attempts_of
from ledger_service.fold import Job
from ledger_service.gather import Gathered, Share, fold_all, joined
from ledger_service.tables import Result
from schemas.events import Event
from tests.builders import (
    JOB,
    NOON,
    a_failed_generation,
    a_generated_output,
    a_request,
    a_retry,
    a_stored_output,
    a_submission,
    at,
    later,
)
from tests.unit.ledger_service.histories import Said, heard, histories, in_the_log

KEY = str(JOB).encode()
WHOLE = Share()


def gathered(said: list[Said], share: Share = WHOLE) -> Gathered:
    found = Gathered(share)
    for fact in said:
        found.hear(str(fact.event.job_id).encode(), fact.event, fact.position, 100)
    return found


def the_attempt(event: Event) -> Attempt:
    [attempt] = attempts_of(event)
    return attempt


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_a_job_is_gathered_as_it_is_folded(said: list[Said]) -> None:
    [(job, _)] = gathered(said).jobs()

    assert job == heard(said)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.integers(1, 7))
def test_batches_fold_to_the_same_job(said: list[Said], size: int) -> None:
    jobs: dict[UUID, Job] = {}
    for start in range(0, len(said), size):
        fold_all(jobs, ((fact.event, fact.position) for fact in said[start : start + size]))

    assert jobs[JOB] == heard(said)


def test_a_batch_names_only_the_jobs_that_it_touches() -> None:
    known = {JOB: Job(JOB, "dev", NOON)}
    other = a_request(job_id=uuid4())

    touched = fold_all(known, [(other, at(other))])

    assert [job.job_id for job, _ in touched] == [other.job_id]


def test_a_job_is_announced_as_far_as_was_said_and_no_further_than_it_goes() -> None:
    found = gathered(in_the_log([a_request(), a_stored_output()]))
    before = [job.announced for job, _ in found.jobs()]

    found.hear_said(KEY, 1)
    said = [job.announced for job, _ in found.jobs()]
    found.hear_said(KEY, 5)
    beyond = [job.announced for job, _ in found.jobs()]

    assert (before, said, beyond) == ([0], [1], [1])


def test_an_earlier_announcement_is_remembered_while_a_retry_runs() -> None:
    found = gathered(in_the_log([a_request(), a_failed_generation(), a_retry()]))

    found.hear_said(KEY, 1)

    assert [(job.revision, job.announced) for job, _ in found.jobs()] == [(2, 1)]


def test_what_was_said_of_an_unknown_job_makes_no_job() -> None:
    found = Gathered(WHOLE)

    found.hear_said(KEY, 1)

    assert list(found.jobs()) == []


def test_every_job_belongs_to_exactly_one_share() -> None:
    keys = [str(uuid4()).encode() for _ in range(200)]
    low, high = WHOLE.halves()
    shares = [*low.halves(), *high.halves()]

    holders = [[share for share in shares if share.holds(key)] for key in keys]

    assert {len(holding) for holding in holders} == {1}
    assert {holding[0] for holding in holders} == set(shares)


def test_what_weighs_too_much_is_halved_and_nothing_is_lost() -> None:
    said = [Said(event, at(event)) for event in (a_request(job_id=uuid4()) for _ in range(100))]
    found = gathered(said)

    assert found.lighten(10_000) is None
    put_off = found.lighten(9_999)

    kept = {job.job_id for job, _ in found.jobs()}
    assert put_off is not None
    later_read = {fact.event.job_id for fact in said if put_off.holds(str(fact.event.job_id).encode())}
    assert 0 < len(kept) < 100
    assert kept | later_read == {fact.event.job_id for fact in said}
    assert not kept & later_read


TOLD = [
    the_attempt(a_submission(occurred_at=later(5), cost_units=3)),
    the_attempt(a_submission(occurred_at=later(4), cost_units=2)),
    the_attempt(a_generated_output(occurred_at=later(9))),
    the_attempt(a_generated_output(occurred_at=later(8))),
]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_what_facts_say_of_an_attempt_is_joined_the_same_in_every_order(order: tuple[int, ...]) -> None:
    one = joined([TOLD[place] for place in order])

    assert one == TOLD[0]._replace(
        result=Result.SUCCEEDED, cost_units=3, started_at=later(4), ended_at=later(9)
    )  # fmt: skip


def test_words_that_differ_are_left_to_the_database() -> None:
    first = the_attempt(a_failed_generation(message="zebra"))
    second = first._replace(message="ähnlich")

    assert joined([first, second]) is None
    assert joined([first, first]) == first


def test_disputed_attempts_come_whole() -> None:
    failed = a_failed_generation(final=False)
    facts = [failed, failed.model_copy(update={"message": "other words"}), a_failed_generation(attempt=2)]

    whole, disputed = gathered([Said(event, at(event, n)) for n, event in enumerate(facts)]).attempts()

    assert [attempt.attempt for attempt in whole] == [2]
    assert [attempt.message for attempt in disputed] == ["it broke", "other words"]
