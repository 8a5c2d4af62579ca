"""What every provider must do, whoever it is: checks that take any bench."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from generator_service.boot_time import boot_time
from generator_service.calls import (
    Call,
    Candidates,
    Capability,
    Failed,
    Finished,
    NotSent,
    Polled,
    Running,
    Submitted,
    Throttled,
    Unknown,
)  # fmt: skip
from generator_service.errors import Code
from schemas.events import StagedSource, UrlSource
from tests.contract.bench import PROMPT, Bench, Trouble, submitted

Check = Callable[[Bench], Awaitable[None]]


async def end_of(bench: Bench, call: Call) -> Submitted | Polled:
    """What comes of it in the end, as the engine would find out."""
    async with asyncio.timeout(20):
        outcome: Submitted | Polled = await bench.provider.submit(call, bench.now())
        if isinstance(outcome, Running):
            call = submitted(call, outcome.provider_id, bench.now())
        while isinstance(outcome, Running):
            await asyncio.sleep(0.02)
            outcome = await bench.provider.poll(call, bench.now())
        return outcome


# Of every provider.


async def makes_every_output_that_a_call_covers(bench: Bench) -> None:
    outputs = tuple(range(bench.most_outputs))

    outcome = await end_of(bench, bench.call(outputs=outputs, num_outputs=len(outputs)))

    assert isinstance(outcome, Finished), outcome
    assert len(outcome.sources) == len(outputs)
    assert all(isinstance(source, UrlSource | StagedSource) for source in outcome.sources)
    assert outcome.provider_id
    assert bench.charged() in (None, 1)


async def sends_nothing_once_the_claim_has_run_out(bench: Bench) -> None:
    outcome = await bench.provider.submit(bench.call(send_by=boot_time() - 1), bench.now())

    assert isinstance(outcome, NotSent)
    assert bench.charged() in (None, 0)


async def a_refusal_of_the_content_is_final(bench: Bench) -> None:
    outcome = await end_of(bench, bench.call(Trouble.REFUSED))

    assert isinstance(outcome, Failed), outcome
    assert (outcome.code, outcome.retryable) == (Code.CONTENT_POLICY, False)


async def a_broken_model_may_be_tried_again(bench: Bench) -> None:
    outcome = await end_of(bench, bench.call(Trouble.BROKEN))

    assert isinstance(outcome, Failed), outcome
    assert outcome.retryable
    assert Code(outcome.code).retryable


async def a_throttled_call_says_how_long_to_wait(bench: Bench) -> None:
    outcome = await bench.provider.submit(bench.call(Trouble.THROTTLED), bench.now())

    assert isinstance(outcome, Throttled), outcome
    assert timedelta(0) < outcome.retry_after < timedelta(hours=1)
    assert bench.charged() in (None, 0)


async def a_lost_answer_is_unknown(bench: Bench) -> None:
    outcome = await bench.provider.submit(bench.call(Trouble.LOST_ANSWER), bench.now())

    assert isinstance(outcome, Unknown), outcome
    assert bench.charged() in (None, 1)


async def an_error_from_in_between_is_unknown(bench: Bench) -> None:
    outcome = await bench.provider.submit(bench.call(Trouble.ERROR_AFTER), bench.now())

    assert isinstance(outcome, Unknown), outcome
    assert bench.charged() in (None, 1)


async def no_message_repeats_the_prompt(bench: Bench) -> None:
    for trouble in bench.troubles:
        outcome = await end_of(bench, bench.call(trouble))

        assert PROMPT not in repr(outcome)


async def looking_at_many_says_what_looking_at_each_says(bench: Bench) -> None:
    calls = []
    for seed in range(3):
        call = bench.call(seed=seed)
        outcome = await bench.provider.submit(call, bench.now())
        if not isinstance(outcome, Running):
            return  # it leaves nothing running
        calls.append(submitted(call, outcome.provider_id, bench.now()))
    await asyncio.sleep(0.3)

    seen = await bench.provider.poll_many(calls, bench.now())

    assert seen.keys() == {call.provider_id for call in calls}
    for call in calls:
        alone = await bench.provider.poll(call, bench.now())
        assert type(seen[call.provider_id or ""]) is type(alone)
        assert getattr(alone, "provider_id", call.provider_id) == call.provider_id


BASIC: dict[Check, Trouble | None] = {
    makes_every_output_that_a_call_covers: None,
    sends_nothing_once_the_claim_has_run_out: None,
    looking_at_many_says_what_looking_at_each_says: None,
    no_message_repeats_the_prompt: None,
    a_refusal_of_the_content_is_final: Trouble.REFUSED,
    a_broken_model_may_be_tried_again: Trouble.BROKEN,
    a_throttled_call_says_how_long_to_wait: Trouble.THROTTLED,
    a_lost_answer_is_unknown: Trouble.LOST_ANSWER,
    an_error_from_in_between_is_unknown: Trouble.ERROR_AFTER,
}
"""Every check, and the trouble it needs a simulator to make."""


# Of a capability.


async def asking_again_is_the_same_call(bench: Bench) -> None:
    call = bench.call()

    first, second = await asyncio.gather(end_of(bench, call), _a_little_later(bench, call))

    assert isinstance(first, Finished), first
    assert isinstance(second, Finished | Running | Unknown), second
    assert bench.charged() in (None, 1)


async def a_lost_call_ends_when_it_is_asked_for_again(bench: Bench) -> None:
    call = bench.call(Trouble.LOST_ANSWER if Trouble.LOST_ANSWER in bench.troubles else None)
    await bench.provider.submit(call, bench.now())

    outcome = await end_of(bench, call)

    assert isinstance(outcome, Finished), outcome


async def a_call_of_which_only_an_id_is_known_comes_to_its_end(bench: Bench) -> None:
    """It was adopted by an operator or a callback, or its answer came late: it is looked at, never submitted again."""
    call = bench.call(Trouble.LOST_ANSWER if Trouble.LOST_ANSWER in bench.troubles else None)
    await bench.provider.submit(call, bench.now())
    adopted = submitted(call, "its-id-there", bench.now())

    if Trouble.THROTTLED in bench.troubles:
        bench.call(Trouble.THROTTLED)
        assert isinstance(await bench.provider.poll(adopted, bench.now()), Running | Unknown)
    bench.call()
    outcome: Polled = Running("its-id-there")
    async with asyncio.timeout(20):
        while isinstance(outcome, Running):
            await asyncio.sleep(0.02)
            outcome = await bench.provider.poll(adopted, bench.now())

    assert isinstance(outcome, Finished), outcome


async def a_lost_call_is_found_in_the_list(bench: Bench) -> None:
    before = bench.now()
    await end_of(bench, bench.call(seed=1))
    call = bench.call(Trouble.LOST_ANSWER, seed=2, intent_at=before)
    await bench.provider.submit(call, bench.now())

    found = await bench.provider.find(call, bench.now())

    assert isinstance(found, Candidates), found
    assert (len(found.provider_ids), found.complete) == (1, True)
    adopted = await bench.provider.poll(submitted(call, found.provider_ids[0], bench.now()), bench.now())
    assert isinstance(adopted, Running | Finished)


async def what_was_never_asked_is_not_in_the_list(bench: Bench) -> None:
    before = bench.now()
    await end_of(bench, bench.call(seed=1))

    found = await bench.provider.find(bench.call(seed=2, intent_at=before), bench.now())

    assert found == Candidates((), complete=True)


async def a_cancel_never_fails(bench: Bench) -> None:
    call = bench.call()
    outcome = await bench.provider.submit(call, bench.now())
    assert isinstance(outcome, Running | Finished)
    running = submitted(call, outcome.provider_id, bench.now())

    await bench.provider.cancel(running, bench.now())
    await bench.provider.cancel(running, bench.now())
    await bench.provider.cancel(submitted(call, "never-was", bench.now()), bench.now())

    ended = await bench.provider.poll(running, bench.now())
    assert isinstance(ended, Failed | Finished)


REPEATED = (
    asking_again_is_the_same_call,
    a_lost_call_ends_when_it_is_asked_for_again,
    a_call_of_which_only_an_id_is_known_comes_to_its_end,
)
OF_CAPABILITY: dict[Capability, tuple[Check, ...]] = {
    Capability.CLIENT_ID: REPEATED,
    Capability.IDEMPOTENCY_KEY: REPEATED,
    Capability.LIST_MATCH: (a_lost_call_is_found_in_the_list, what_was_never_asked_is_not_in_the_list),
    Capability.CANCEL: (a_cancel_never_fails,),
}


def checks(troubles: frozenset[Trouble], capabilities: frozenset[Capability]) -> list[Check]:
    """All that a provider with these capabilities must pass, as far as its bench can make the trouble for it."""
    basic = [check for check, trouble in BASIC.items() if trouble is None or trouble in troubles]
    return basic + [check for name in sorted(capabilities) for check in OF_CAPABILITY.get(name, ())]


async def _a_little_later(bench: Bench, call: Call) -> Submitted:
    await asyncio.sleep(0.02)
    return await bench.provider.submit(call, bench.now())
