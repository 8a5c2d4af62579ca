"""Providers call back: a lost call is found again, and whatever else comes to the door changes nothing."""

import json
import time
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults.answers import DropAnswer
from darkroom.simulators.replicate.faults.courses import Unlisted
from darkroom.simulators.replicate.faults.webhooks import (
    WebhookDuplicated,
    WebhookHuge,
    WebhookLost,
    WebhookOutOfOrder,
    WebhookWrongSecret,
)
from darkroom.simulators.signing import secret_of, signed_headers
from schemas.callbacks import Doorbell, live_keys
from tests.pipeline.driver import Pipeline, until

FLUX = "black-forest-labs/flux-schnell"


class Door:
    """Rings at the gateway as the provider would, and in ways it would not."""

    def __init__(self, pipeline: Pipeline, simulator: ReplicateSimulator) -> None:
        self._pipeline, self._secret = pipeline, simulator.webhook_secret
        self._keys = live_keys(pipeline.stack.environ["CALLBACK_KEYS"])

    def path(self, bell: Doorbell) -> str:
        """The path for a doorbell, proven."""
        return bell.path(*next(iter(self._keys.items())))

    async def ring(
        self, bell: Doorbell | str, provider_id: str = "p-nobody", *, secret: str | None = None, age: int = 0,
        body: bytes | None = None, signed: bool = True,
    ) -> httpx.Response:  # fmt: skip
        """Call back about `provider_id`, signed unless told otherwise."""
        raw = json.dumps({"id": provider_id, "status": "processing"}).encode() if body is None else body
        headers = signed_headers(secret or self._secret, "msg_1", int(time.time()) - age, raw) if signed else {}
        path = bell if isinstance(bell, str) else self.path(bell)
        return await self._pipeline.http.post(path, content=raw, headers=headers)


@pytest.fixture
def door(pipeline: Pipeline, replicate: ReplicateSimulator) -> Door:
    return Door(pipeline, replicate)


def bell_of(row: asyncpg.Record) -> Doorbell:
    return Doorbell(row["provider"], row["job_id"], row["id"], row["attempt"])


def prompt_of(row: asyncpg.Record) -> str:
    return str(json.loads(row["ask"])["prompt"])


def entries(replicate: ReplicateSimulator, prompt: str) -> list[Any]:
    """The bill for one prompt."""
    return [entry for entry in replicate.bill().entries if entry.input.get("prompt") == prompt]


async def lost(pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str) -> tuple[UUID, asyncpg.Record, str]:
    """A job whose call was accepted and charged, and whose answer, callbacks and place in the list are all lost."""
    about = {"prompt": prompt}
    replicate.use(DropAnswer(input=about), Unlisted(seconds=3600, input=about), WebhookLost(input=about))
    job_id = await pipeline.submit(model=FLUX, prompt=prompt)
    row = await pipeline.call_in("IN_DOUBT", job_id)
    return job_id, row, entries(replicate, prompt)[0].prediction


async def test_a_lost_call_is_found_again_by_its_callback_and_paid_once(
    pipeline: Pipeline, replicate: ReplicateSimulator
) -> None:
    about = {"prompt": "a lighthouse, its answer lost"}
    replicate.use(DropAnswer(input=about), Unlisted(seconds=3600, input=about))

    job = await pipeline.end_of(await pipeline.submit(model=FLUX, **about))

    [row] = await pipeline.calls(job["job_id"])
    [charged] = entries(replicate, about["prompt"])
    assert job["status"] == "COMPLETED"
    assert (row["attempt"], row["provider_id"]) == (1, charged.prediction)
    assert job["cost_units"] == 1


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([WebhookLost()], id="lost"),
        pytest.param([WebhookDuplicated(copies=5)], id="duplicated"),
        pytest.param([WebhookOutOfOrder()], id="out of order"),
        pytest.param([WebhookWrongSecret()], id="forged"),
        pytest.param([WebhookHuge(size=11_000_000)], id="huge"),
    ],
)
async def test_callbacks_that_go_wrong_neither_harm_a_job_nor_are_needed(
    pipeline: Pipeline, replicate: ReplicateSimulator, faults: list[Any]
) -> None:
    prompt = f"a harbour {uuid4()}"
    replicate.use(*(fault.model_copy(update={"input": {"prompt": prompt}}) for fault in faults))

    job = await pipeline.end_of(await pipeline.submit(model=FLUX, prompt=prompt))
    await pipeline.settled()

    [row] = await pipeline.calls(job["job_id"])
    assert job["status"] == "COMPLETED"
    assert (row["attempt"], len(entries(replicate, prompt))) == (1, 1)


async def test_a_callback_after_the_end_changes_nothing(
    pipeline: Pipeline, replicate: ReplicateSimulator, door: Door
) -> None:
    replicate.use()
    job = await pipeline.end_of(await pipeline.submit(model=FLUX, prompt="a ship that has sailed"))
    [before] = await pipeline.calls(job["job_id"])

    answers = [
        (await door.ring(bell_of(before), name)).status_code
        for name in (before["provider_id"], "another")
        for _ in "ab"
    ]
    await pipeline.settled()

    assert answers == [204] * 4
    assert await pipeline.calls(job["job_id"]) == [before]
    assert await pipeline.status(job["job_id"]) == job


async def test_only_a_callback_about_the_very_attempt_finds_a_lost_call(
    pipeline: Pipeline, replicate: ReplicateSimulator, door: Door
) -> None:
    job_id, row, prediction = await lost(pipeline, replicate, "a cave nobody has found")
    others = [
        replace(bell_of(row), attempt=2),
        replace(bell_of(row), generation_id=uuid4()),
        Doorbell("replicate", uuid4(), uuid4(), 1),
    ]

    answers = [(await door.ring(bell, prediction)).status_code for bell in others]
    await heard(pipeline, 3, others)
    [untouched] = await pipeline.calls(job_id)
    found = await door.ring(bell_of(row), prediction)
    job = await pipeline.end_of(job_id)

    assert answers == [204] * 3
    assert (untouched["state"], untouched["provider_id"]) == ("IN_DOUBT", None)
    assert found.status_code == 204
    assert (job["status"], len(entries(replicate, prompt_of(row)))) == ("COMPLETED", 1)


async def test_a_second_call_that_calls_back_for_one_attempt_is_not_taken(
    pipeline: Pipeline, replicate: ReplicateSimulator, door: Door
) -> None:
    job_id, row, prediction = await lost(pipeline, replicate, "two caves alike")

    await door.ring(bell_of(row), prediction)
    await door.ring(bell_of(row), "p-the-second")
    job = await pipeline.end_of(job_id)
    await pipeline.settled()

    [after] = await pipeline.calls(job_id)
    assert (job["status"], after["provider_id"]) == ("COMPLETED", prediction)


async def test_what_does_not_prove_itself_is_refused_and_never_heard(
    pipeline: Pipeline, replicate: ReplicateSimulator, door: Door
) -> None:
    replicate.use()
    job_id = await pipeline.submit(model=FLUX, prompt="a door with a lock")
    await pipeline.end_of(job_id)
    await pipeline.settled()
    before = len(await pipeline.records("provider.called_back"))
    bell = bell_of((await pipeline.calls(job_id))[0])
    path = door.path(bell)
    last = path[-1]

    answers = {
        "wrong proof": await door.ring(path[:-1] + ("0" if last != "0" else "1")),
        "no proof": await door.ring(path.rpartition("/")[0] + "/%C3%A9"),
        "another attempt's proof": await door.ring(path.replace("/1/", "/2/")),
        "unknown key": await door.ring(path.replace("/replicate/local/", "/replicate/other/")),
        "another provider": await door.ring(path.replace("/replicate/", "/cog/")),
        "wrong signature": await door.ring(bell, secret=secret_of("somebody else")),
        "unsigned": await door.ring(bell, signed=False),
        "an hour old": await door.ring(bell, age=3600),
        "huge": await door.ring(bell, body=b"x" * (10 * 1024 * 1024 + 1)),
        "no json": await door.ring(bell, body=b"{"),
        "no id": await door.ring(bell, body=b'{"status": "succeeded"}'),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "wrong proof": 404, "no proof": 404, "another attempt's proof": 404, "unknown key": 404,
        "another provider": 404, "wrong signature": 401, "unsigned": 401, "an hour old": 401, "huge": 413,
        "no json": 401, "no id": 422,
    }  # fmt: skip
    assert len(await pipeline.records("provider.called_back")) == before


@pytest.mark.usefixtures("local_servers_only")
async def test_kafka_away_is_a_503_so_that_the_provider_calls_again(
    pipeline: Pipeline, replicate: ReplicateSimulator, door: Door
) -> None:
    job_id, row, prediction = await lost(pipeline, replicate, "a bridge that is out")

    await pipeline.stack.stop("kafka")
    refused = await door.ring(bell_of(row), prediction)
    await pipeline.stack.start("kafka")

    async def is_heard() -> bool:
        return (await door.ring(bell_of(row), prediction)).status_code == 204

    await until(is_heard, 20, "the doorbell to be heard, as the provider rings again")
    job = await pipeline.end_of(job_id)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert job["status"] == "COMPLETED"
    assert len(entries(replicate, prompt_of(row))) == 1


async def heard(pipeline: Pipeline, count: int, bells: list[Doorbell]) -> None:
    """Return once the generator has read that many doorbells of these."""
    names = {str(bell.job_id).encode() for bell in bells}
    records = [r for r in await pipeline.records("provider.called_back") if r.key in names]
    assert len(records) == count

    async def read() -> bool:
        rows = await pipeline.admin.fetch("SELECT * FROM generator.offsets WHERE topic = 'provider.called_back'")
        following = {row["partition"]: row["next"] for row in rows}
        return all(following.get(r.partition, 0) > r.offset for r in records)

    await until(read, 20, "the doorbells to be heard")
