"""Where an output lies now, whose source expired: what each answer of its provider becomes."""

from datetime import timedelta
from typing import cast

import pytest

from generator_service.calls import Failed, Finished, Polled
from generator_service.renewals import Answer, Renewal
from generator_service.renewer import BETWEEN, PATIENCE, Renewer
from schemas.events import MediaGenerated, UrlSource
from stage.database import Pool
from tests.builders import NOON, a_call, a_generation_claim
from tests.unit.generator_service.asking import LOST, RUNNING, Asked

SOURCES = tuple(UrlSource(url=f"https://replicate.delivery/{n}.jpg") for n in range(2))
MADE = Finished("r-1", SOURCES)
GONE = Failed("output_expired", "the provider keeps outputs for an hour", retryable=False)


def a_renewal(index: int = 4, revision: int = 1, asked_before: timedelta = timedelta(0)) -> Renewal:
    claim = a_generation_claim(
        state="SUCCEEDED", number=2,
        call=a_call(outputs=(3, 4), attempt=2, provider_id="r-1", output_format="webp"),
    )  # fmt: skip
    return Renewal(claim, revision, index, fence=1, asked_at=NOON - asked_before)


async def answer_to(renewal: Renewal, *providers: Asked) -> Answer:
    by_name = {provider.name: provider for provider in providers}
    return await Renewer(cast(Pool, None), by_name, "generator", lambda: NOON).ask(renewal)


async def test_an_output_is_renewed_from_its_own_place_among_those_of_its_call() -> None:
    provider = Asked(poll=MADE)
    renewal = a_renewal(index=4)

    answer = await answer_to(renewal, provider)

    assert isinstance(answer.fact, MediaGenerated)
    assert (answer.fact.source, answer.fact.index, answer.fact.renewal) == (SOURCES[1], 4, 1)
    assert (answer.fact.generation, answer.fact.attempt, answer.fact.output_format) == (2, 2, "webp")
    assert (answer.renewal, answer.due_at) == (renewal, None)
    assert provider.asked == ["poll"]


async def test_a_revision_that_only_stores_again_is_told_in_its_own_name() -> None:
    answer = await answer_to(a_renewal(revision=3), Asked(poll=MADE))

    assert answer.fact is not None
    assert answer.fact.revision == 3
    assert answer.fact.identity == "media.generated/3/4/renewal-1"


async def test_a_provider_that_does_not_answer_is_asked_again() -> None:
    answer = await answer_to(a_renewal(), Asked(poll=LOST))

    assert (answer.fact, answer.due_at) == (None, NOON + BETWEEN)


async def test_a_provider_that_is_not_set_up_here_is_waited_for() -> None:
    assert (await answer_to(a_renewal())).due_at == NOON + BETWEEN


async def test_patience_ends() -> None:
    answer = await answer_to(a_renewal(asked_before=PATIENCE), Asked(poll=LOST))

    assert (answer.fact, answer.due_at) == (None, None)


@pytest.mark.parametrize("outcome", [GONE, RUNNING, Finished("r-1", SOURCES[:1])], ids=["gone", "runs", "too few"])
async def test_of_an_output_that_is_gone_nothing_is_said_and_nothing_more_is_asked(outcome: Polled) -> None:
    answer = await answer_to(a_renewal(index=4), Asked(poll=outcome))

    assert (answer.fact, answer.due_at) == (None, None)
