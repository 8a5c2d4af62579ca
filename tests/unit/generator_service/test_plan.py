"""What a request becomes."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from generator_service.plan import Generation, derived_seed, plan, plan_again
from schemas.catalogue import catalogue
from schemas.events import Redo
from tests.builders import ANOTHER_JOB, JOB, NOON, a_request, a_retry


def planned(model: str = "fake/painter", num_outputs: int = 4, **changes: object) -> list[Generation]:
    return list(plan(a_request(model=model, num_outputs=num_outputs, **changes), made_by, catalogue()))


def made_by(model: str) -> str:
    card = catalogue().get(model)
    return card.provider if card else "elsewhere"


def test_a_model_that_makes_one_output_gets_a_call_for_each_with_a_seed_of_its_own() -> None:
    calls = planned(seed=100)

    assert [call.outputs for call in calls] == [(0,), (1,), (2,), (3,)]
    assert [call.ask["seed"] for call in calls] == [100, 101, 102, 103]
    assert {call.ask["num_outputs"] for call in calls} == {1}


def test_a_model_that_takes_several_outputs_gets_one_call() -> None:
    [call] = planned("fake/painter-batch", seed=100)

    assert (call.outputs, call.ask["seed"], call.ask["num_outputs"]) == ((0, 1, 2, 3), 100, 4)


def test_a_model_that_nobody_described_goes_to_the_default_provider_in_one_call() -> None:
    [call] = planned("stability-ai/stable-diffusion-xl-base-1.0", num_outputs=2)

    assert (call.provider, call.outputs) == ("elsewhere", (0, 1))


def test_a_known_model_goes_to_its_own_provider() -> None:
    assert {call.provider for call in planned()} == {"fake"}


@given(st.sampled_from([*catalogue(), "nobody/knows"]), st.integers(1, 10))
def test_every_output_is_covered_by_exactly_one_call(model: str, num_outputs: int) -> None:
    calls = planned(model, num_outputs)

    assert [index for call in calls for index in call.outputs] == list(range(num_outputs))
    assert [call.number for call in calls] == list(range(len(calls)))
    assert len({call.ask["seed"] for call in calls}) == len({call.id for call in calls}) == len(calls)


def test_the_same_request_is_planned_the_same_way_each_time() -> None:
    assert planned() == planned()


def test_a_job_without_a_seed_gets_one_of_its_own() -> None:
    [first, *_], [second, *_] = planned(), planned(job_id=ANOTHER_JOB)

    assert first.ask["seed"] == derived_seed(JOB, 1) != second.ask["seed"]


def test_a_seed_of_zero_is_a_seed() -> None:
    assert planned(seed=0)[0].ask["seed"] == 0


@given(st.uuids(), st.integers(1, 1_000_000))
def test_a_derived_seed_is_one_that_providers_take(job_id: UUID, revision: int) -> None:
    assert 0 <= derived_seed(job_id, revision) < 2**31


def test_a_call_carries_what_was_asked_for_and_until_when() -> None:
    [call] = planned(
        num_outputs=1, prompt="a city", output_format="png", input={"guidance": 7.5}, deadline=NOON, seed=5
    )

    assert call.ask == {
        "model": "fake/painter", "prompt": "a city", "num_outputs": 1, "seed": 5, "output_format": "png",
        "input": {"guidance": 7.5},
    }  # fmt: skip
    assert (call.job_id, call.tenant, call.revision, call.deadline) == (JOB, "dev", 1, NOON)


def test_what_a_model_takes_is_part_of_the_plan_so_that_no_later_catalogue_changes_what_is_sent() -> None:
    card = catalogue()["fake/painter-batch"].model_copy(update={"takes": ("prompt", "seed")})

    [known], [unknown] = (
        plan(a_request(model=card.name, num_outputs=3), made_by, models) for models in ({card.name: card}, catalogue())
    )

    assert known.ask == unknown.ask | {"takes": ["prompt", "seed"]}


def test_a_retry_pays_only_for_the_outputs_it_names_and_under_new_ids() -> None:
    first = planned(num_outputs=3)

    again = list(plan_again(a_retry(Redo(index=2, start="generate"), Redo(index=0, start="store")), first))

    assert [(call.revision, call.number, call.outputs) for call in again] == [(2, 0, (2,))]
    assert again[0].ask == first[2].ask
    assert again[0].id not in {call.id for call in first}


def test_a_retry_of_some_outputs_of_one_call_asks_for_that_many() -> None:
    [first] = planned("fake/painter-batch", num_outputs=4)

    [again] = plan_again(a_retry(Redo(index=1, start="generate"), Redo(index=3, start="generate")), [first])

    assert (again.outputs, again.ask["num_outputs"]) == ((1, 3), 2)


def test_a_retry_that_only_stores_again_calls_nobody() -> None:
    assert list(plan_again(a_retry(Redo(index=0, start="store")), planned())) == []


def test_a_retry_of_a_lost_call_looks_for_it_first_but_only_as_a_whole() -> None:
    [lost] = planned("fake/painter-batch", num_outputs=2)
    lost = replace(lost, doubted_since=NOON)

    [whole] = plan_again(a_retry(Redo(index=0, start="generate"), Redo(index=1, start="generate")), [lost])
    [part] = plan_again(a_retry(Redo(index=0, start="generate")), [lost])

    assert (whole.doubted_since, part.doubted_since) == (NOON, None)


def test_a_retry_takes_the_latest_plan_of_an_output() -> None:
    [first] = planned(num_outputs=1)
    [second] = plan_again(a_retry(Redo(index=0, start="generate")), [replace(first, provider="replicate")])

    [third] = plan_again(a_retry(Redo(index=0, start="generate"), revision=3), [first, second])

    assert (third.provider, third.revision) == ("replicate", 3)
