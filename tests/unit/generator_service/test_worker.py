"""One beat after the other: what is asked of a provider, and what never is."""

import pytest

from generator_service.calls import Call, Capability, Failed, Finished, Outcome, Running
from generator_service.decide import Claim
from generator_service.settings import Settings
from generator_service.worker import Worker
from schemas.events import UrlSource
from tests.builders import NOON, a_call, a_generation_claim, later
from tests.fakes import GenerationStore

FINISHED = Finished("r-1", (UrlSource(url="https://replicate.delivery/a.jpg"),))


class Asked:
    """A provider that answers as told and remembers what it was asked."""

    name = "asked"

    def __init__(self, answer: Outcome, *capabilities: Capability) -> None:
        self.answer, self.capabilities = answer, frozenset(capabilities)
        self.submitted: list[Call] = []
        self.polled: list[Call] = []

    async def submit(self, call: Call, at: object) -> Outcome:
        self.submitted.append(call)
        return self.answer

    async def poll(self, call: Call, at: object) -> Outcome:
        self.polled.append(call)
        return self.answer


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/darkroom")
    return Settings()


async def state_after(claim: Claim, provider: Asked, settings: Settings) -> str:
    worker = Worker(GenerationStore(), {"fake": provider}, settings, lambda: NOON)
    return (await worker.work(claim)).state


async def test_a_new_call_is_submitted_once(settings: Settings) -> None:
    provider = Asked(FINISHED)

    assert await state_after(a_generation_claim(), provider, settings) == "SUCCEEDED"
    assert (len(provider.submitted), len(provider.polled)) == (1, 0)


async def test_a_submitted_call_is_only_looked_at(settings: Settings) -> None:
    provider = Asked(Running("r-1", later(5)))

    assert await state_after(a_generation_claim(state="SUBMITTED"), provider, settings) == "SUBMITTED"
    assert (len(provider.submitted), len(provider.polled)) == (0, 1)


async def test_a_call_whose_deadline_has_passed_is_never_asked_for(settings: Settings) -> None:
    provider = Asked(FINISHED)
    worker = Worker(GenerationStore(), {"fake": provider}, settings, lambda: NOON)

    verdict = await worker.work(a_generation_claim(deadline=NOON))

    assert (verdict.state, verdict.error, provider.submitted) == ("FAILED", "deadline_exceeded", [])


async def test_a_submitted_call_is_looked_at_though_its_deadline_has_passed(settings: Settings) -> None:
    provider = Asked(FINISHED)

    assert await state_after(a_generation_claim(state="SUBMITTED", deadline=NOON), provider, settings) == "SUCCEEDED"


async def test_an_intent_of_a_lost_process_is_held_and_the_provider_not_asked_again(settings: Settings) -> None:
    provider = Asked(FINISHED)

    assert await state_after(a_generation_claim(state="INTENT"), provider, settings) == "HELD"
    assert provider.submitted == []


async def test_an_intent_of_a_lost_process_is_asked_again_under_the_same_id_where_that_is_the_same_call(
    settings: Settings,
) -> None:
    provider = Asked(FINISHED, Capability.CLIENT_ID)
    claim = a_generation_claim(state="INTENT", call=a_call(attempt=2))

    assert await state_after(claim, provider, settings) == "SUCCEEDED"
    assert provider.submitted == [claim.call]


@pytest.mark.parametrize(("state", "then"), [("PENDING", "PENDING"), ("INTENT", "HELD"), ("SUBMITTED", "SUBMITTED")])
async def test_a_provider_that_is_no_longer_set_up_never_makes_an_asked_call_be_asked_anew(
    state: str, then: str, settings: Settings
) -> None:
    claim = a_generation_claim(state=state, provider="gone")

    assert await state_after(claim, Asked(FINISHED), settings) == then


async def test_a_known_failure_waits_no_longer_than_the_settings_say(settings: Settings) -> None:
    worker = Worker(
        GenerationStore(), {"fake": Asked(Failed("broke", "it broke", retryable=True))}, settings, lambda: NOON
    )

    verdict = await worker.work(a_generation_claim())

    assert verdict.due_at is not None
    assert NOON <= verdict.due_at <= later(settings.initial_retry_delay)


async def test_claims_are_leased_for_as_long_as_a_call_may_take(settings: Settings) -> None:
    store = GenerationStore([a_generation_claim()])
    worker = Worker(store, {}, settings, lambda: NOON)

    assert await worker.claim(7) == [a_generation_claim()]
    assert store.claims == [(7, NOON, settings.call_timeout)]


async def test_verdicts_are_recorded_as_they_are(settings: Settings) -> None:
    store = GenerationStore()
    worker = Worker(store, {"fake": Asked(FINISHED)}, settings, lambda: NOON)
    verdict = await worker.work(a_generation_claim())

    await worker.record([verdict])

    assert store.verdicts == [verdict]
