"""What holds after every step of the engine, whoever crashed: checks of rows, facts, and a provider's own books."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.events import Event, GenerationFailed, GenerationSubmitted, MediaGenerated, UrlSource
from tests.integration.generator_service.pretend import Accepted, Input, input_of
from tests.integration.generator_service.processes import POLICY

Row = Mapping[str, Any]
Output = tuple[UUID, int, int]

OVER = ("SUCCEEDED", "FAILED")


def assert_paid_once(
    accepted: Sequence[Accepted], rows: Iterable[Row], at: datetime, alike: Container[str]
) -> None:  # fmt: skip
    """A second call for a generation was only accepted when every earlier one had failed.

    Generations with one of the prompts in `alike` cannot be told apart in a list, and which of them has which call is
    all the same: of those, no more calls are alive or succeeded than were planned.
    """
    planned = Counter(_planned(row) for row in rows)
    one_by_one: dict[UUID, list[Accepted]] = defaultdict(list)
    for call in accepted:
        one_by_one[call.call.generation_id].append(call)
    for calls in one_by_one.values():
        attempts = [call.call.attempt for call in calls]
        assert attempts == sorted(set(attempts)), "an attempt was accepted twice"
        assert len(attempts) <= POLICY.max_attempts, "it was tried too often"
        if calls[0].call.prompt not in alike:
            for n, later in enumerate(calls):
                alive = [call.id for call in calls[:n] if not call.failed(later.made_at)]
                assert not alive, f"{later.id} was paid for although {alive} may have succeeded"
    paid = Counter(_input(call) for call in accepted if not call.failed(at))
    assert not paid - planned, "more was paid for than was planned"


def assert_nothing_paid_is_thrown_away(
    accepted: Iterable[Accepted], rows: Iterable[Row], former: Iterable[Row], at: datetime
) -> None:  # fmt: skip
    """A generation only ends without a call that may have succeeded when that is said: `outcome_unknown`."""
    rows = list(rows)
    known = {row["provider_id"] for row in (*rows, *former)}
    ended = {row["id"] for row in rows if row["state"] == "FAILED" and row["last_error"] != "outcome_unknown"}
    thrown_away = (each for each in accepted if each.call.generation_id in ended and each.id not in known)
    lost = [each.id for each in thrown_away if not each.failed(at)]
    assert not lost, f"{lost} may have succeeded, and the job was told otherwise"


def assert_said_alike(facts: Iterable[Event]) -> None:
    """Whatever is said twice says the same. When it was said is shown and never compared."""
    said: dict[UUID, dict[str, Any]] = {}
    for fact in facts:
        words = fact.model_dump(exclude={"occurred_at"})
        assert said.setdefault(fact.event_id, words) == words, f"{fact.topic} says two things"


def assert_one_last_word(facts: Iterable[Event], rows: Iterable[Row]) -> None:
    """Each output of a generation that is over has exactly one last fact, and no other output has any."""
    said = {fact.event_id: fact for fact in facts}
    last: Counter[tuple[Output, int]] = Counter()
    made: set[Output] = set()
    for fact in said.values():
        if isinstance(fact, MediaGenerated):
            made.add((fact.job_id, fact.revision, fact.generation))
            last[(fact.job_id, fact.revision, fact.generation), fact.index] += 1
        elif isinstance(fact, GenerationFailed) and fact.final:
            last.update(((fact.job_id, fact.revision, fact.generation), index) for index in fact.outputs)
    wanted = Counter(
        ((row["job_id"], row["revision"], row["number"]), index)
        for row in rows
        if row["state"] in OVER
        for index in row["outputs"]
    )
    assert last == wanted, "an output has no last fact, or two"
    assert made == {(r["job_id"], r["revision"], r["number"]) for r in rows if r["state"] == "SUCCEEDED"}


def assert_each_has_its_own(facts: Iterable[Event], rows: Sequence[Row], former: Iterable[Row]) -> None:
    """A call at a provider is one generation's, once it was said to be; and what it made is one output's."""
    left = {(row["provider"], row["provider_id"]) for row in former}
    current = {(row["provider"], row["provider_id"]) for row in rows if row["provider_id"] is not None}
    assert not left & current, "a call was left and is in use"
    owners: dict[str, Output] = {}
    places: dict[str, tuple[Output, int]] = {}
    for fact in facts:
        if isinstance(fact, GenerationSubmitted):
            generation = (fact.job_id, fact.revision, fact.generation)
            assert owners.setdefault(fact.provider_id, generation) == generation
        elif isinstance(fact, MediaGenerated):
            assert isinstance(fact.source, UrlSource)
            generation = (fact.job_id, fact.revision, fact.generation)
            assert places.setdefault(fact.source.url, (generation, fact.index)) == (generation, fact.index)
            assert owners[fact.source.url.split("/")[-2]] == generation, "the media are of another call"


def _input(accepted: Accepted) -> Input:
    return input_of(accepted.provider, accepted.call)


def _planned(row: Row) -> Input:
    ask = row["ask"]
    return row["provider"], ask["model"], ask["prompt"], ask["seed"], ask["num_outputs"]
