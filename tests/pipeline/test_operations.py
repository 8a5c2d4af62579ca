"""Hands on the money: held calls are settled once, and a bill that shows more than our books is an alarm."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.clock import SimulatedClock
from darkroom.simulators.replicate.faults.answers import DropAnswer
from darkroom.simulators.replicate.faults.courses import Fail, Unlisted
from darkroom.simulators.replicate.faults.webhooks import WebhookLost
from schemas.clock import utc_now
from schemas.events import RetryRequested
from tests.pipeline.driver import Pipeline, until
from tests.pipeline.operator import darkroom

FLUX = "black-forest-labs/flux-schnell"


@pytest.fixture
def prompt() -> str:
    return f"a strongroom {uuid4()}"


def charged(replicate: ReplicateSimulator, prompt: str) -> list[Any]:
    return [entry for entry in replicate.bill().entries if entry.input.get("prompt") == prompt]


def at(replicate: ReplicateSimulator) -> dict[str, str]:
    """How the account is reached."""
    return {"REPLICATE_BASE_URL": replicate.url, "REPLICATE_API_TOKEN": "r8_made_up"}


async def held(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str, unlisted: float = 3600
) -> asyncpg.Record:
    """A call that was accepted and charged, and that nobody could find."""
    about = {"prompt": prompt}
    lag = [Unlisted(seconds=unlisted, input=about)] if unlisted else []
    replicate.use(DropAnswer(nth=(1,), input=about), WebhookLost(input=about), *lag)
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    row = await pipeline.call_in("IN_DOUBT", job_id)
    await pipeline.admin.execute(
        "UPDATE generator.generations SET state = 'HELD', fence = fence + 1, due_at = now() + interval '1 day' "
        "WHERE id = $1",
        row["id"],
    )
    return row


async def test_a_held_call_is_listed_without_its_prompt_and_adopted_once(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    stack, row = pipeline.stack, await held(pipeline, replicate, prompt)
    name, prediction = str(row["id"]), charged(replicate, prompt)[0].prediction

    people, programs = await darkroom(stack, "held", "list"), await darkroom(stack, "held", "list", "--json")
    adopted = await darkroom(stack, "held", "adopt", name, prediction, "--json", **at(replicate))
    again = await darkroom(stack, "held", "adopt", name, prediction)
    another = await darkroom(stack, "held", "adopt", name, "p-another")
    given_up = await darkroom(stack, "held", "give-up", name)
    job = await pipeline.end_of(row["job_id"])

    [listed] = [each for each in programs.json if each["generation_id"] == name]
    assert (listed["job_id"], listed["model"], listed["attempt"]) == (str(row["job_id"]), FLUX, 1)
    assert name in people.out
    assert prompt not in people.out + programs.out
    shown = adopted.json["shown"]
    done = {"generation_id": name, "done": "done", "state": "SUBMITTED", "shown": shown}
    assert (adopted.code, adopted.json) == (0, done)
    assert (shown["provider_id"], shown["model"], shown["same"]) == (prediction, FLUX, True)
    assert (again.code, "Nothing changed" in again.out) == (0, True)
    assert [(answer.code, "is not held" in answer.err) for answer in (another, given_up)] == [(1, True)] * 2
    assert (job["status"], len(charged(replicate, prompt))) == ("COMPLETED", 1)


async def test_a_held_call_is_given_no_id_that_its_provider_does_not_have_or_has_for_something_else(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    """A mistyped id was polled for an hour and failed, and a retry paid again although the call existed."""
    stack, row = pipeline.stack, await held(pipeline, replicate, prompt)
    adopt, prediction = ("held", "adopt", str(row["id"])), charged(replicate, prompt)[0].prediction
    strangers = await predicted(replicate)

    mistyped = await darkroom(stack, *adopt, prediction[:-1], **at(replicate))
    another = await darkroom(stack, *adopt, strangers, **at(replicate))
    programs = await darkroom(stack, *adopt, strangers, "--json", **at(replicate))
    right = await darkroom(stack, *adopt, prediction, **at(replicate))
    job = await pipeline.end_of(row["job_id"])

    assert [(each.code, "nothing changed" in each.err.lower()) for each in (mistyped, another)] == [(1, True)] * 2
    assert "has no call of that id" in mistyped.err
    assert (strangers in another.out, "is not the lost one" in another.err) == (True, True)
    assert (programs.code, programs.json["done"], programs.json["shown"]["same"]) == (1, "anothers", False)
    assert (right.code, prediction in right.out, FLUX in right.out) == (0, True, True)
    assert prompt not in another.out + right.out
    assert (job["status"], len(charged(replicate, prompt))) == ("COMPLETED", 1)


async def test_an_id_that_cannot_be_asked_about_is_only_taken_at_the_operators_word(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    stack, row = pipeline.stack, await held(pipeline, replicate, prompt)
    adopt = ("held", "adopt", str(row["id"]), charged(replicate, prompt)[0].prediction)

    no_token = await darkroom(stack, *adopt)
    away = await darkroom(stack, *adopt, **at(replicate) | {"REPLICATE_BASE_URL": "http://127.0.0.1:1"})
    state = await pipeline.admin.fetchval("SELECT state::text FROM generator.generations WHERE id = $1", row["id"])
    at_our_word = await darkroom(stack, *adopt, "--unseen")
    job = await pipeline.end_of(row["job_id"])

    assert (no_token.code, "REPLICATE_API_TOKEN is not set" in no_token.err, "--unseen" in no_token.err) == (
        2,
        True,
        True,
    )
    assert (away.code, "nothing changed" in away.err, "--unseen" in away.err) == (1, True, True)
    assert state == "HELD"
    assert (at_our_word.code, "at your word" in at_our_word.out) == (0, True)
    assert (job["status"], len(charged(replicate, prompt))) == ("COMPLETED", 1)


async def test_an_id_at_a_provider_that_cannot_look_it_up_is_taken_at_the_operators_word(pipeline: Pipeline) -> None:
    job = await pipeline.end_of(await pipeline.submit(model="fake/painter"))
    [call] = await pipeline.calls(job["job_id"])
    await pipeline.admin.execute(
        "UPDATE generator.generations SET state = 'HELD', provider_id = NULL, fence = fence + 1, "
        "due_at = now() + interval '1 day' WHERE id = $1", call["id"],
    )  # fmt: skip

    adopted = await darkroom(pipeline.stack, "held", "adopt", str(call["id"]), call["provider_id"])

    assert (adopted.code, "fake cannot be asked" in adopted.out, "at your word" in adopted.out) == (0, True, True)
    await pipeline.call_in("SUCCEEDED", job["job_id"])


async def test_a_held_call_cannot_be_given_what_belongs_to_another(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    replicate.use()
    other = await pipeline.end_of(await pipeline.submit(model=FLUX, prompt="somebody else's"))
    [theirs] = await pipeline.calls(other["job_id"])
    row = await held(pipeline, replicate, prompt)

    taken = await darkroom(pipeline.stack, "held", "adopt", str(row["id"]), theirs["provider_id"], "--json")
    await darkroom(pipeline.stack, "held", "give-up", str(row["id"]))
    await pipeline.end_of(row["job_id"])

    assert (taken.code, taken.json["done"], taken.json["state"]) == (1, "taken", "HELD")


async def test_a_call_that_was_given_up_fails_and_a_retry_finds_it_free(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    stack, row = pipeline.stack, await held(pipeline, replicate, prompt, unlisted=0)
    job_id, name = row["job_id"], str(row["id"])

    first, again = [await darkroom(stack, "held", "give-up", name) for _ in range(2)]
    failed = await pipeline.end_of(job_id)
    redo = ({"index": 0, "from": "generate"},)
    await pipeline.say(RetryRequested.say(job_id, "dev", utc_now(), revision=2, outputs=redo))
    found = await revision(pipeline, job_id, 2)

    assert (first.code, again.code, "Nothing changed" in again.out) == (0, 0, True)
    assert (failed["status"], failed["media"][0]["error_code"]) == ("FAILED", "outcome_unknown")
    assert (found["status"], len(charged(replicate, prompt))) == ("COMPLETED", 1)


async def test_what_is_not_there_is_said_to_be_not_there(pipeline: Pipeline) -> None:
    unknown = str(uuid4())

    answers = [
        await darkroom(pipeline.stack, "held", "adopt", unknown, "p-1"),
        await darkroom(pipeline.stack, "held", "give-up", unknown),
    ]
    resumed = await darkroom(pipeline.stack, "resume", "tenant", "nobody")
    mistyped = await darkroom(pipeline.stack, "pause", "provider", "replcate")

    assert [(answer.code, "there is no generation" in answer.err) for answer in answers] == [(1, True)] * 2
    assert (resumed.code, "was not paused" in resumed.out) == (0, True)
    assert (mistyped.code, "choose one of" in mistyped.err) == (1, True)


async def test_a_failed_call_is_never_taken_for_the_lost_one_after_it(
    pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str
) -> None:
    about: dict[str, Any] = {"input": {"prompt": prompt}}
    replicate.use(
        Fail(nth=(1,), **about), DropAnswer(nth=(2,), **about), Unlisted(nth=(2,), seconds=6, **about),
        WebhookLost(**about),
    )  # fmt: skip

    job = await pipeline.end_of(await pipeline.submit(model=FLUX, prompt=prompt))

    [row] = await pipeline.calls(job["job_id"])
    assert [entry.prediction for entry in charged(replicate, prompt)][1:] == [row["provider_id"]]
    assert (job["status"], row["attempt"]) == ("COMPLETED", 2)


@pytest.fixture
async def an_hour_ago() -> AsyncIterator[ReplicateSimulator]:
    """Another account at Replicate, where it is an hour earlier."""
    async with ReplicateSimulator(
        seed=99, clock=SimulatedClock(utc_now() - timedelta(hours=1)), picture_side=16
    ) as simulator:
        yield simulator


async def test_a_call_that_nobody_submitted_is_an_alarm(pipeline: Pipeline, an_hour_ago: ReplicateSimulator) -> None:
    extra = await predicted(an_hour_ago)
    told = at(an_hour_ago)
    check = ("bill", "check", "--provider", "replicate", "--since", "90m")

    alarm = await darkroom(pipeline.stack, *check, "--json", **told)
    words = await darkroom(pipeline.stack, *check, **told)
    await pipeline.admin.execute("INSERT INTO generator.former_calls VALUES ('replicate', $1, $2, 1)", extra, uuid4())
    quiet = await darkroom(pipeline.stack, *check, **told)

    assert (alarm.code, alarm.json["alarm"], alarm.json["listed"]) == (1, True, 1)
    assert [each["provider_id"] for each in alarm.json["extras"]] == [extra]
    assert (words.code, extra in words.out) == (1, True)
    assert (quiet.code, "all of them ours" in quiet.out) == (0, True)


async def test_a_bill_that_cannot_be_read_is_no_all_clear(pipeline: Pipeline) -> None:
    check = ("bill", "check", "--provider", "replicate")

    nobody = await darkroom(
        pipeline.stack, *check, REPLICATE_BASE_URL="http://127.0.0.1:1", REPLICATE_API_TOKEN="r8_made_up"
    )
    no_token = await darkroom(pipeline.stack, *check)
    nothing = await darkroom(pipeline.stack, *check, "--since", "2m", REPLICATE_API_TOKEN="r8_made_up")

    assert (nobody.code, "cannot be read" in nobody.err) == (1, True)
    assert (no_token.code, "REPLICATE_API_TOKEN is not set" in no_token.err) == (2, True)
    assert (nothing.code, "look further back" in nothing.err) == (2, True)


async def test_a_brake_that_is_pulled_again_keeps_its_reason_until_there_is_another(pipeline: Pipeline) -> None:
    reasons = []
    for why in (("--why", "the invoice looks wrong"), (), ("--why", "still wrong")):
        await darkroom(pipeline.stack, "pause", "model", "acme/dear", *why)
        brakes = (await darkroom(pipeline.stack, "brakes", "list", "--json")).json["brakes"]
        reasons += [brake["why"] for brake in brakes if brake["name"] == "acme/dear"]
    await darkroom(pipeline.stack, "resume", "model", "acme/dear")

    assert reasons == ["the invoice looks wrong", "the invoice looks wrong", "still wrong"]


async def test_an_account_that_may_not_be_asked_says_until_when_and_why(pipeline: Pipeline) -> None:
    until_then = utc_now() + timedelta(seconds=30)
    block = "UPDATE generator.accounts SET blocked_until = $1, blocked_why = $2 WHERE provider = 'replicate'"
    await pipeline.admin.execute(block, until_then, "insufficient_credit")
    try:
        people = await darkroom(pipeline.stack, "brakes", "list")
        programs = await darkroom(pipeline.stack, "brakes", "list", "--json")
    finally:
        await pipeline.admin.execute(block, None, None)

    [account] = [each for each in programs.json["accounts"] if each["provider"] == "replicate"]
    assert (account["blocked_until"], account["blocked_why"]) == (until_then.isoformat(), "insufficient_credit")
    [line] = [each for each in people.out.splitlines() if each.startswith("replicate")]
    assert line.split()[-2:] == [f"{until_then:%H:%M:%SZ}", "insufficient_credit"]


async def predicted(simulator: ReplicateSimulator) -> str:
    """Have something made behind our back."""
    async with httpx.AsyncClient(headers={"authorization": "Bearer r8_made_up"}) as http:
        body = {"input": {"prompt": "nobody of ours asked for this"}}
        answer = await http.post(f"{simulator.url}/v1/models/{FLUX}/predictions", json=body)
    return str(answer.json()["id"])


async def revision(pipeline: Pipeline, job_id: UUID, number: int) -> dict[str, Any]:
    """The job once that revision is done."""
    job: dict[str, Any] = {}

    async def done() -> bool:
        job.update(await pipeline.status(job_id))
        return job["revision"] == number and bool(job["done"])

    await until(done, 60, f"revision {number} of {job_id}")
    return job
