"""The counting itself: what is a second payment, and what proves nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from generator_service.plan import derived_seed
from schemas.events import JobRequested
from tests.chaos.moves import Move, Orphans, p99, reattached, recoveries
from tests.chaos.tally import Charge, Tally, doubly_paid, unpaid

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = JobRequested.say(UUID(int=7), "dev", NOON, model="a/b", prompt="a desert", num_outputs=3)
SEED = derived_seed(JOB.job_id, 1)
CALL = uuid5(JOB.job_id, "call")
GOOD = Tally(seed=1, kills=1, pauses=0, outputs=3, emitted=3, charges=1, doubly_paid=0, reattached=1, held=0,
             recovered_p99_s=1.0)  # fmt: skip


def test_two_calls_that_both_made_something_pay_twice_for_each_output() -> None:
    assert doubly_paid([Charge("a", SEED, "succeeded"), Charge("b", SEED, "processing")], [JOB]) == 3


def test_a_call_after_one_that_is_known_to_have_failed_is_no_second_payment() -> None:
    assert doubly_paid([Charge("a", SEED, "failed"), Charge("b", SEED, "succeeded")], [JOB]) == 0


def test_an_output_of_a_call_that_made_nothing_is_found() -> None:
    assert unpaid([Charge("a", SEED, "failed")], [JOB], [(JOB.job_id, 0)]) == {JOB.job_id}


def test_a_run_in_which_nothing_was_ever_in_doubt_proves_nothing() -> None:
    assert list(GOOD.complaints()) == []
    assert [why.partition(":")[0] for why in replace(GOOD, reattached=0).complaints()] == ["proved nothing"]


def test_an_output_that_is_neither_emitted_nor_held_is_missed() -> None:
    assert len(list(replace(GOOD, emitted=2).complaints())) == 1


def test_an_answer_recorded_by_who_asked_is_no_reattachment() -> None:
    asked = Move(NOON, CALL, "PENDING", "INTENT", fence=1)

    assert reattached([asked, Move(NOON, CALL, "INTENT", "SUBMITTED", fence=1)]) == set()
    assert reattached([asked, Move(NOON, CALL, "INTENT", "SUBMITTED", fence=2)]) == {CALL}
    assert reattached([asked, Move(NOON, CALL, "IN_DOUBT", "SUBMITTED", fence=1)]) == {CALL}


def test_an_orphan_is_recovered_when_it_leaves_doubt_after_the_kill() -> None:
    moves = [
        Move(NOON + timedelta(seconds=second), CALL, "INTENT", became, fence=1)
        for second, became in ((-1, "PENDING"), (3, "IN_DOUBT"), (9, "HELD"))
    ]

    assert recoveries(moves, [Orphans(NOON, {CALL})]) == [9.0]


def test_p99_is_what_a_hundredth_exceeds() -> None:
    assert p99([float(number) for number in range(1, 201)]) == 198.0
    assert p99([]) == 0.0
