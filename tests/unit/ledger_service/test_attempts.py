"""What facts say about single tries, joined without caring for their order."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger_service.attempts import Attempt, attempts_of
from ledger_service.store import KNOWN
from ledger_service.tables import Kind, Result
from tests.builders import (
    JOB,
    NOON,
    a_completion,
    a_doubt,
    a_failed_generation,
    a_failed_upload,
    a_generated_output,
    a_request,
    a_stored_output,
    a_submission,
    later,
)
from tests.unit.ledger_service.histories import Said, a_renewal, heard_twice, in_the_log

KEY = tuple(name for name in Attempt._fields if name not in KNOWN)
Rows = dict[tuple[Any, ...], dict[str, Any]]


def joined(facts: Iterable[Said], batch: int = 1) -> Rows:
    """The rows that the store's statement leaves when it is given facts in batches."""
    rows: Rows = {}
    attempts = [attempt for fact in facts for attempt in attempts_of(fact.event)]
    for start in range(0, len(attempts), batch):
        for key, group in _by_key(attempts[start : start + batch]).items():
            new = {name: _join(how, [getattr(attempt, name) for attempt in group]) for name, how in KNOWN.items()}
            old = rows.get(key, dict.fromkeys(KNOWN))
            rows[key] = {name: _join(how, [old[name], new[name]]) for name, how in KNOWN.items()}
    return rows


def _by_key(attempts: Sequence[Attempt]) -> dict[tuple[Any, ...], list[Attempt]]:
    groups: dict[tuple[Any, ...], list[Attempt]] = {}
    for attempt in attempts:
        groups.setdefault(tuple(getattr(attempt, name) for name in KEY), []).append(attempt)
    return groups


def _join(how: str, values: Sequence[Any]) -> Any:
    """As min, max, least and greatest do in SQL: null counts for nothing, an enum goes by its own order."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    by = list(Result).index if isinstance(known[0], Result) else None
    return (min if how == "min" else max)(known, key=by)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(heard_twice(), st.integers(1, 6))
def test_every_order_repetition_and_batching_leaves_the_same_rows(
    ways: tuple[list[Said], list[Said]], batch: int
) -> None:
    said, shuffled = ways

    assert joined(shuffled, batch) == joined(said, len(said))


def test_every_column_is_a_key_or_joined() -> None:
    assert set(KEY) | set(KNOWN) == set(Attempt._fields)
    assert KEY == ("job_id", "revision", "kind", "subject", "attempt")


def test_results_are_ordered_so_that_a_later_one_replaces_an_earlier() -> None:
    assert list(Result) == [Result.RUNNING, Result.FAILED, Result.SUCCEEDED]


def test_a_submission_begins_a_try_and_what_was_made_ends_it() -> None:
    [began] = attempts_of(a_submission(generation=3, attempt=2, provider_id="r-1"))
    [ended] = attempts_of(a_generated_output(generation=3, attempt=2, occurred_at=later(5)))

    assert began[:6] == (JOB, 1, Kind.GENERATION, 3, 2, Result.RUNNING)
    assert ended[:6] == (JOB, 1, Kind.GENERATION, 3, 2, Result.SUCCEEDED)
    assert (began.started_at, began.provider_id, ended.ended_at) == (NOON, "r-1", later(5))


def test_a_failed_call_says_why_and_when_it_is_tried_again() -> None:
    [failed] = attempts_of(a_failed_generation(final=False, next_try_at=later(9)))

    assert (failed.result, failed.code, failed.message) == (Result.FAILED, "provider_failed", "it broke")
    assert (failed.ended_at, failed.next_try_at) == (NOON, later(9))


def test_uploads_are_tries_of_their_own_counted_by_output() -> None:
    [failed] = attempts_of(a_failed_upload(index=4, attempt=1, final=False, next_try_at=later(9)))
    [stored] = attempts_of(a_stored_output(index=4, attempt=2))

    assert failed[2:6] == (Kind.UPLOAD, 4, 1, Result.FAILED)
    assert stored[2:6] == (Kind.UPLOAD, 4, 2, Result.SUCCEEDED)


def test_a_doubted_call_is_a_running_try_of_its_provider() -> None:
    doubts = [a_doubt(generation=3, attempt=2, provider="replicate", held=held) for held in (False, True)]

    [row] = joined(in_the_log(doubts)).values()
    [found] = joined(in_the_log([*doubts, a_submission(generation=3, attempt=2, provider="replicate")])).values()

    assert (row["result"], row["provider"], row["started_at"], row["ended_at"]) == (
        Result.RUNNING, "replicate", None, None,
    )  # fmt: skip
    assert (found["result"], found["started_at"]) == (Result.RUNNING, NOON)


def test_a_renewal_is_no_try_and_ends_none() -> None:
    assert [*attempts_of(a_renewal(1))] == []


def test_requests_and_completions_are_no_tries() -> None:
    assert [*attempts_of(a_request()), *attempts_of(a_completion())] == []


def test_a_try_began_when_it_was_first_said_to_have_begun_and_ended_when_last() -> None:
    events = [
        a_submission(occurred_at=later(2)), a_submission(occurred_at=later(1)),
        a_generated_output(index=0, occurred_at=later(3)), a_generated_output(index=1, occurred_at=later(4)),
    ]  # fmt: skip

    [row] = joined(in_the_log(events)).values()

    assert (row["started_at"], row["ended_at"]) == (later(1), later(4))
