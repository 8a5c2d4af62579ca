"""Why an output is not further: a doubt about its call, or a failure that will be tried again."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations

import pytest

from ledger_service.outputs import words_of
from schemas.events import Event
from schemas.jobs import OutputStatus, Phase
from tests.builders import (
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_request,
    a_stored_output,
    a_submission,
    later,
)
from tests.unit.ledger_service.histories import a_renewal, heard, in_the_log


def shown(*events: Event) -> tuple[OutputStatus, Phase, str | None]:
    """The first output after these facts, the same in whatever order they are heard."""
    said = in_the_log([a_request(), *events])
    seen = {
        (output.status, output.phase, output.cause)
        for order in permutations(said)
        for output in [heard(order).media[0]]
    }
    [same] = seen
    return same


LOOKED_FOR = "the provider's answer was lost, and the call is looked for: reset"
HELD = "the call was not found, and is held for an operator: reset"


def test_a_call_whose_answer_was_lost_is_reconciling_while_it_is_looked_for() -> None:
    assert shown(a_doubt()) == (OutputStatus.PROCESSING, Phase.RECONCILING, LOOKED_FOR)


def test_a_call_that_was_not_found_is_held() -> None:
    assert shown(a_doubt(), a_doubt(held=True)) == (OutputStatus.PROCESSING, Phase.RECONCILING, HELD)


def test_a_held_call_says_until_when() -> None:
    east = datetime(2026, 1, 13, 3, 0, tzinfo=timezone(timedelta(hours=3)))

    assert "until 2026-01-13 00:00:00Z: reset" in words_of(a_doubt(held=True, until=east))
    assert words_of(a_doubt(held=True, until=east.astimezone(UTC))) == words_of(a_doubt(held=True, until=east))


@pytest.mark.parametrize(
    ("answer", "phase"),
    [
        (a_submission(), Phase.GENERATING), (a_submission(attempt=2), Phase.GENERATING),
        (a_generated_output(), Phase.STORING), (a_renewal(1), Phase.STORING), (a_stored_output(), Phase.DONE),
        (a_failed_generation(code="outcome_unknown"), Phase.DONE),
    ],
    ids=["found", "called again", "made", "made and renewed", "stored", "given up"],
)  # fmt: skip
def test_a_doubt_ends_with_whatever_answers_it(answer: Event, phase: Phase) -> None:
    assert shown(a_doubt(), a_doubt(held=True), answer)[1:] == (phase, None)


def test_a_doubted_call_that_failed_is_a_failure_and_no_doubt() -> None:
    answer = shown(a_doubt(), a_failed_generation(final=False))

    assert answer == (OutputStatus.PROCESSING, Phase.GENERATING, "provider_failed: it broke")


def test_a_later_attempt_may_be_doubted_too() -> None:
    facts = [a_doubt(held=True), a_submission(attempt=1), a_failed_generation(final=False), a_doubt(attempt=2)]

    assert shown(*facts)[1:] == (Phase.RECONCILING, LOOKED_FOR)


def test_an_earlier_doubt_says_nothing_of_a_later_call() -> None:
    assert shown(a_doubt(held=True), a_doubt(attempt=2), a_submission(attempt=2))[1:] == (Phase.GENERATING, None)


def test_a_doubt_concerns_the_outputs_of_its_call_alone() -> None:
    job = heard(in_the_log([a_request(num_outputs=3), a_doubt(outputs=(0, 2))]))

    assert [output.phase for output in job.media] == [Phase.RECONCILING, Phase.QUEUED, Phase.RECONCILING]


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_records_that_say_one_doubt_the_first_in_the_log_counts(order: tuple[int, ...]) -> None:
    said = in_the_log([a_doubt(), a_doubt(cause="said again")])

    assert heard([said[place] for place in order]).outputs[1, 0].cause == LOOKED_FOR


def test_a_failure_that_will_be_tried_again_is_the_cause_until_it_is() -> None:
    failed = a_failed_generation(final=False, code="throttled", message="slow down")

    assert shown(a_submission(), failed)[2] == "throttled: slow down"
    assert shown(failed, a_submission(attempt=2))[2] is None
    assert shown(failed, a_generated_output(attempt=2))[2] is None
    assert shown(failed, a_failed_generation(attempt=2))[2] is None


def test_an_upload_that_will_be_tried_again_is_the_cause_until_it_is_stored() -> None:
    failed = a_failed_upload(final=False)

    assert shown(a_generated_output(), failed)[1:] == (Phase.STORING, "storage_failed: the store is away")
    assert shown(a_failed_generation(final=False), failed)[1:] == (Phase.STORING, "storage_failed: the store is away")
    assert shown(failed, a_stored_output(attempt=2))[1:] == (Phase.DONE, None)
    assert shown(failed, a_failed_upload(attempt=2))[1:] == (Phase.DONE, None)


def test_the_last_of_several_failures_is_the_cause() -> None:
    again = a_failed_upload(final=False, attempt=2, message="the store answers 503")

    assert shown(a_failed_upload(final=False), again)[2] == "storage_failed: the store answers 503"


def test_an_output_lies_where_its_latest_renewal_says() -> None:
    said = in_the_log([a_generated_output(), a_renewal(1, occurred_at=later(5)), a_renewal(2, occurred_at=later(9))])

    places = {heard(order).outputs[1, 0].media_url for order in permutations(said)}
    times = {heard(order).outputs[1, 0].generated_at for order in permutations(said)}

    assert places == {"https://replicate.delivery/2"}
    assert times == {said[0].event.occurred_at}
