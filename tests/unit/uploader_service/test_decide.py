"""What is done about an output, what came of it, and that the state diagram in the docstring is the truth."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.events import MediaStored, StagedSource, UploadFailed, UrlSource
from tests.builders import JOB, NOON, SHA256, an_upload_claim, later, some_media
from tests.drawing import drawn_in
from uploader_service import decide as module
from uploader_service.decide import (
    Kept,
    NoAnswer,
    NoRoom,
    NothingEarlier,
    NotStored,
    Outcome,
    Policy,
    Removed,
    SpoolLost,
    Step,
    Stored,
    Verdict,
    decide,
    step,
)
from uploader_service.tables import State
from uploader_service.uploads import Claim, Earlier, Spooled

POLICY = Policy(max_attempts=3, delay=lambda attempt: 10.0 * attempt)
MEDIA = some_media()
STORED = Stored(MEDIA)
SPOOLED = Spooled("a-file.1", "uploader-1")
KEPT = Kept(MEDIA, SPOOLED)
AWAY = NotStored("storage_failed", "the store is away", passing=True)
BUSY = NotStored("source_unavailable", "the source answered 503", passing=True)
EXPIRED = NotStored("source_expired", "the source answered 404", passing=False)
BROKEN = NotStored("output_unreadable", "the jpg is broken", passing=False)
CONFLICT = NotStored("key_conflict", "other bytes lie there", passing=False)
STAGED = StagedSource(key="staged/0d0/x/0", sha256=SHA256, size=1_234)
HOUR = 3_600


def a_spooled_claim(**changes: Any) -> Claim:
    return an_upload_claim(**{"state": "SPOOLED", "media": MEDIA, "spooled": SPOOLED} | changes)


def a_waiting_claim(**changes: Any) -> Claim:
    return an_upload_claim(
        **{"state": "WAITING", "revision": 2, "source": None, "attempt": 0, "provider": ""} | changes
    )


def an_earlier(**changes: Any) -> Earlier:
    facts: dict[str, Any] = {
        "provider": "replicate", "output_format": "jpg", "source": UrlSource(url="https://replicate.delivery/a.jpg"),
        "media": None, "spooled": None, "stored": False, "removed": False,
    }  # fmt: skip
    return Earlier(**facts | changes)


def decided(claim: Claim, outcome: Outcome, at: datetime = NOON) -> Verdict:
    return decide(claim, outcome, at, POLICY)


def failure_of(verdict: Verdict) -> UploadFailed:
    assert isinstance(verdict.fact, UploadFailed)
    return verdict.fact


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (an_upload_claim(), Step.FETCH),
        (a_spooled_claim(), Step.STORE),
        (a_waiting_claim(), Step.FIND),
        (an_upload_claim(state="ASKED"), Step.END),
        (an_upload_claim(removed=True), Step.END),
        (a_spooled_claim(removed=True), Step.END),
    ],
)
def test_nothing_is_fetched_or_stored_of_what_was_removed(claim: Claim, expected: Step) -> None:
    assert step(claim) is expected


def test_a_stored_output_is_said_with_everything_that_was_read_from_its_bytes() -> None:
    claim = an_upload_claim(index=4, revision=2, attempt=2)
    media = some_media(key="jobs/0d0/x/1/4.wav", content_type="audio/wav", width=None, height=None, duration_ms=2_000)

    verdict = decided(claim, Stored(media))

    assert verdict.fact == MediaStored.say(
        JOB, "dev", NOON, revision=2, index=4, attempt=2, key="jobs/0d0/x/1/4.wav", sha256=SHA256, size=1_234,
        content_type="audio/wav", duration_ms=2_000,
    )  # fmt: skip
    assert (verdict.claim.state, verdict.due_at, verdict.claim.media) == ("STORED", None, media)


def test_a_staged_object_is_unwanted_once_its_output_is_stored_and_an_output_never_is() -> None:
    copied = StagedSource(key=MEDIA.key, sha256=SHA256, size=1_234)

    assert decided(an_upload_claim(source=STAGED), STORED).unwanted == STAGED.key
    assert decided(an_upload_claim(source=STAGED), BROKEN).unwanted is None
    assert decided(an_upload_claim(source=copied), STORED).unwanted is None


@pytest.mark.parametrize(("tries", "next_try_at"), [(0, later(10)), (1, later(20))])
def test_a_source_that_is_away_is_asked_again_after_a_delay_that_the_fact_names(
    tries: int, next_try_at: datetime
) -> None:
    verdict = decided(an_upload_claim(fetch_attempts=tries), BUSY)

    assert (failure_of(verdict).final, failure_of(verdict).next_try_at) == (False, next_try_at)
    assert (verdict.claim.state, verdict.due_at, verdict.error) == ("PENDING", next_try_at, "source_unavailable")
    assert verdict.claim.fetch_attempts == tries + 1


@pytest.mark.parametrize(("tries", "outcome"), [(2, BUSY), (3, BUSY), (0, BROKEN), (0, CONFLICT)], ids=str)
def test_a_fault_without_a_further_try_is_final(tries: int, outcome: NotStored) -> None:
    verdict = decided(an_upload_claim(fetch_attempts=tries), outcome)

    assert (failure_of(verdict).final, failure_of(verdict).code) == (True, outcome.code)
    assert (verdict.claim.state, verdict.due_at) == ("FAILED", None)


def test_the_next_fetch_comes_before_half_of_the_time_that_the_source_has_left() -> None:
    claim = an_upload_claim(source=UrlSource(url="https://a.b/c.jpg", expires_at=later(8)))

    assert decided(claim, BUSY).due_at == later(4)


def test_a_source_whose_time_is_over_is_not_waited_for_but_asked_for_anew() -> None:
    claim = an_upload_claim(source=UrlSource(url="https://a.b/c.jpg", expires_at=NOON))

    assert (decided(claim, BUSY).claim.state, failure_of(decided(claim, BUSY)).code) == ("ASKED", "source_expired")


def test_a_staged_source_that_the_store_does_not_give_is_waited_for_by_time_and_not_by_tries() -> None:
    claim = an_upload_claim(source=STAGED, fetch_attempts=50)

    assert decided(claim, BUSY, later(23 * HOUR)).claim.state == "PENDING"
    assert decided(claim, BUSY, later(24 * HOUR)).claim.state == "FAILED"


def test_an_expired_source_is_asked_for_once_more_and_then_given_up() -> None:
    asked = decided(an_upload_claim(), EXPIRED)
    again = decided(an_upload_claim(asked=True), EXPIRED)

    assert (asked.claim.state, asked.claim.asked, asked.due_at) == ("ASKED", True, NOON + POLICY.renewal_patience)
    assert (failure_of(asked).code, failure_of(asked).final) == ("source_expired", False)
    assert (again.claim.state, failure_of(again).code, failure_of(again).final) == ("FAILED", "source_expired", True)


def test_a_provider_that_names_no_other_source_in_time_ends_it() -> None:
    verdict = decided(an_upload_claim(state="ASKED", asked=True), NoAnswer())

    assert (verdict.claim.state, failure_of(verdict).code, failure_of(verdict).final) == (
        "FAILED", "source_expired", True,
    )  # fmt: skip


def test_what_is_large_waits_in_the_spool_and_nothing_is_said_of_it() -> None:
    verdict = decided(an_upload_claim(), KEPT)

    assert (verdict.claim.state, verdict.due_at, verdict.fact) == ("SPOOLED", NOON, None)
    assert (verdict.claim.media, verdict.claim.spooled, verdict.claim.store_attempts) == (MEDIA, SPOOLED, 0)


def test_a_store_that_is_away_costs_no_fetch_and_is_tried_again() -> None:
    verdict = decided(an_upload_claim(fetch_attempts=1), Kept(MEDIA, SPOOLED, AWAY))

    assert (verdict.claim.state, verdict.due_at) == ("SPOOLED", later(10))
    assert (verdict.claim.fetch_attempts, verdict.claim.store_attempts) == (1, 1)
    assert (failure_of(verdict).code, failure_of(verdict).final) == ("storage_failed", False)


def test_storing_is_tried_for_a_day_however_often_and_then_fails_with_the_file_left_for_a_retry() -> None:
    claim = a_spooled_claim(store_attempts=500)
    early, late = decided(claim, AWAY, later(23 * HOUR)), decided(claim, AWAY, later(24 * HOUR))

    assert (early.claim.state, late.claim.state) == ("SPOOLED", "FAILED")
    assert failure_of(late).final
    assert late.claim.spooled == SPOOLED


def test_the_next_try_to_store_comes_well_within_the_spools_lease() -> None:
    verdict = decided(a_spooled_claim(store_attempts=1_000), AWAY)

    assert verdict.due_at == NOON + POLICY.spool_lease / 3


def test_other_bytes_under_the_key_are_never_tried_over() -> None:
    assert decided(a_spooled_claim(), CONFLICT).claim.state == "FAILED"


def test_a_full_disk_is_no_try_and_loses_nothing() -> None:
    verdict = decided(an_upload_claim(fetch_attempts=2), NoRoom())

    assert (verdict.claim.state, verdict.claim.fetch_attempts, verdict.due_at) == ("PENDING", 2, later(10))
    assert (failure_of(verdict).code, failure_of(verdict).final) == ("spool_full", False)


def test_a_lost_spool_file_is_fetched_again_at_once() -> None:
    verdict = decided(a_spooled_claim(), SpoolLost())

    assert (verdict.claim.state, verdict.claim.spooled, verdict.due_at) == ("PENDING", None, NOON)


def test_a_retry_stores_the_file_that_failed_to_be_stored_under_its_own_key() -> None:
    verdict = decided(a_waiting_claim(), an_earlier(media=MEDIA, spooled=SPOOLED))

    assert (verdict.claim.state, verdict.claim.spooled, verdict.due_at) == ("SPOOLED", SPOOLED, NOON)
    assert verdict.claim.media == some_media(key=f"jobs/0d0/{JOB}/2/0.jpg")
    assert (verdict.claim.provider, verdict.found) == ("replicate", True)


def test_a_retry_of_a_stored_output_copies_what_is_stored() -> None:
    verdict = decided(a_waiting_claim(), an_earlier(media=MEDIA, stored=True))

    assert (verdict.claim.state, verdict.claim.source) == (
        "PENDING", StagedSource(key=MEDIA.key, sha256=SHA256, size=1_234),
    )  # fmt: skip


def test_a_retry_of_anything_else_fetches_the_source_again() -> None:
    earlier = an_earlier()

    assert decided(a_waiting_claim(), earlier).claim.source == earlier.source


@pytest.mark.parametrize(
    ("earlier", "code"), [(an_earlier(source=None), "source_expired"), (an_earlier(removed=True), "data_removed")]
)
def test_a_retry_that_finds_nothing_left_is_over(earlier: Earlier, code: str) -> None:
    verdict = decided(a_waiting_claim(), earlier)

    assert (verdict.claim.state, failure_of(verdict).code, failure_of(verdict).final) == ("FAILED", code, True)
    assert failure_of(verdict).attempt == 1


def test_a_retry_waits_for_its_earlier_revision_in_growing_intervals_and_not_for_ever() -> None:
    waits = [decided(a_waiting_claim(), NothingEarlier(), later(seconds)).due_at for seconds in (0, 10, 600)]

    assert waits == [later(1), later(20), later(660)]
    assert decided(a_waiting_claim(), NothingEarlier(), later(HOUR)).claim.state == "FAILED"


def test_removed_data_leaves_a_failure_and_nothing_that_could_be_fetched() -> None:
    verdict = decided(a_spooled_claim(source=STAGED), Removed())

    assert (verdict.claim.state, failure_of(verdict).code, failure_of(verdict).final) == (
        "FAILED",
        "data_removed",
        True,
    )
    assert (verdict.claim.source, verdict.claim.media, verdict.claim.spooled) == (None, None, None)
    assert verdict.unwanted == STAGED.key


def test_the_same_step_gets_the_same_verdict() -> None:
    assert decided(an_upload_claim(), BUSY) == decided(an_upload_claim(), BUSY)


def happening() -> set[tuple[str, str]]:
    """Every way that a claim, a renewal or another instance can take an output."""
    outcomes: dict[str, tuple[Claim, list[Outcome]]] = {
        "WAITING": (a_waiting_claim(), [
            an_earlier(), an_earlier(media=MEDIA, spooled=SPOOLED), an_earlier(source=None),
            NothingEarlier(), Removed(),
        ]),
        "PENDING": (an_upload_claim(), [STORED, KEPT, BUSY, NoRoom(), EXPIRED, BROKEN, Removed()]),
        "ASKED": (an_upload_claim(state="ASKED", asked=True), [NoAnswer(), NoAnswer(asked=False), Removed()]),
        "SPOOLED": (a_spooled_claim(), [STORED, AWAY, CONFLICT, SpoolLost(), Removed()]),
    }  # fmt: skip
    seen = {("ASKED", "PENDING")}  # a renewal
    for state, (claim, happened) in outcomes.items():
        for at in (NOON, NOON + timedelta(days=2)):
            seen |= {(state, decided(claim, outcome, at).claim.state) for outcome in happened}
    return seen


def test_the_drawing_and_the_code_agree() -> None:
    assert happening() == drawn_in(module)
    assert {state for arrow in drawn_in(module) for state in arrow} == {state.value for state in State}
