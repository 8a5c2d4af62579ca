"""What came of one try to store an output."""

import pytest

from schemas.events import MediaStored, UploadFailed
from tests.builders import JOB, NOON, SHA256, an_upload_claim, later
from uploader_service.decide import Budget, NotStored, Stored, Verdict, decide

BUDGET = Budget(max_attempts=3, delay=lambda attempt: 10.0 * attempt)
STORED = Stored("jobs/0d0/x/1/4.wav", SHA256, 88_244, "audio/wav", duration_ms=2_000)
AWAY = NotStored("storage_failed", "the store is away", passing=True)
GONE = NotStored("source_expired", "the source answered 404", passing=False)


def test_a_stored_output_is_said_with_everything_that_was_read_from_its_bytes() -> None:
    claim = an_upload_claim(index=4, revision=2, attempt=2)

    verdict = decide(claim, STORED, NOON, BUDGET)

    fact = MediaStored.say(
        JOB, "dev", NOON, revision=2, index=4, attempt=2, key="jobs/0d0/x/1/4.wav", sha256=SHA256, size=88_244,
        content_type="audio/wav", duration_ms=2_000,
    )  # fmt: skip
    assert verdict == Verdict(claim, "STORED", None, fact)


@pytest.mark.parametrize(("attempt", "next_try_at"), [(1, later(10)), (2, later(20))])
def test_a_passing_fault_is_tried_again_after_a_delay_that_the_fact_names(attempt: int, next_try_at: object) -> None:
    claim = an_upload_claim(attempt=attempt)

    verdict = decide(claim, AWAY, NOON, BUDGET)

    assert isinstance(verdict.fact, UploadFailed)
    assert (verdict.fact.final, verdict.fact.next_try_at) == (False, next_try_at)
    assert (verdict.state, verdict.due_at, verdict.error) == ("PENDING", next_try_at, "storage_failed")


@pytest.mark.parametrize(("attempt", "outcome"), [(3, AWAY), (4, AWAY), (1, GONE)], ids=str)
def test_a_fault_without_a_further_try_is_final(attempt: int, outcome: NotStored) -> None:
    verdict = decide(an_upload_claim(attempt=attempt), outcome, NOON, BUDGET)

    assert isinstance(verdict.fact, UploadFailed)
    assert (verdict.fact.final, verdict.fact.next_try_at, verdict.fact.code) == (True, None, outcome.code)
    assert (verdict.state, verdict.due_at) == ("FAILED", None)


def test_the_same_try_gets_the_same_verdict() -> None:
    assert decide(an_upload_claim(), AWAY, NOON, BUDGET) == decide(an_upload_claim(), AWAY, NOON, BUDGET)
