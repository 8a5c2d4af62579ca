"""Call backs: which, when, how often, signed how; and every way in which they go wrong."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import (
    Slow,
    WebhookDuplicated,
    WebhookHuge,
    WebhookLate,
    WebhookLost,
    WebhookOutOfOrder,
    WebhookStale,
    WebhookUnsigned,
    WebhookWrongSecret,
)
from darkroom.simulators.signing import signature
from tests.contract.simulated import Receiver, asking, create, noon, receiving, until

ALL = ["start", "output", "logs", "completed"]


@pytest.fixture
async def simulator() -> AsyncIterator[ReplicateSimulator]:
    async with ReplicateSimulator(clock=noon()) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: ReplicateSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(simulator.url) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def ended(simulator: ReplicateSimulator, count: int) -> None:
    """Everything has been tried, so many tries in all."""
    simulator.advance(1)
    await until(lambda: len(simulator.deliveries) >= count)
    assert len(simulator.deliveries) == count


async def test_without_a_filter_outputs_and_the_end_are_sent(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await create(client, webhook=receiver.url)
    await ended(simulator, 2)

    assert [one.event for one in simulator.deliveries] == ["output", "completed"]


async def test_every_event_is_sent_in_order_as_the_prediction_was_then(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    simulator.use(Slow(queue_seconds=1, run_seconds=2))
    created = await create(client, webhook=receiver.url, webhook_events_filter=ALL)
    simulator.advance(3)
    await until(lambda: "completed" in [one.event for one in simulator.deliveries])

    events = [one.event for one in simulator.deliveries]
    assert (events[0], events[-2:], set(events[1:-2])) == ("start", ["output", "completed"], {"logs"})
    assert receiver.statuses()[:2] == ["processing", "processing"]
    assert {one.body["id"] for one in receiver.heard} == {created["id"]}
    assert [one.body["logs"].count("it/s") for one in receiver.heard if one.body["status"] == "processing"] == [
        0, 2, 3, 4,
    ]  # fmt: skip


async def test_logs_and_outputs_are_sent_twice_a_second_at_most(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    simulator.use(Slow(queue_seconds=0, run_seconds=1))
    llama = "meta/meta-llama-3-8b-instruct"
    await create(client, version=llama, webhook=receiver.url, webhook_events_filter=["output"])
    await ended(simulator, 2)

    sizes = [len(one.body["output"]) for one in receiver.heard]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1]


async def test_a_filter_holds_also_for_a_cancel(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    simulator.use(Slow(run_seconds=60))
    created = await create(client, webhook=receiver.url, webhook_events_filter=["completed"])
    simulator.advance(2)
    await client.post(created["urls"]["cancel"])
    await until(lambda: receiver.heard)

    assert receiver.statuses() == ["canceled"]


async def test_the_last_one_is_tried_for_about_a_minute_the_others_once(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.answers = [500] * 9
    await create(client, webhook=receiver.url)
    simulator.advance(1)
    for tries in range(2, 8):
        await until(lambda tries=tries: len(simulator.deliveries) == tries)  # type: ignore[misc]
        simulator.advance(40)

    tried = [(one.event, one.attempt) for one in simulator.deliveries]
    assert tried == [("output", 1), *(("completed", attempt) for attempt in range(1, 7))]
    assert len({one.webhook_id for one in simulator.deliveries if one.event == "completed"}) == 1


async def test_nobody_there_is_tried_again_and_a_redirect_is_not(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    only_the_end: dict[str, Any] = {"webhook_events_filter": ["completed"]}
    await create(client, webhook="http://127.0.0.1:9/", **only_the_end)
    simulator.advance(1)
    await until(lambda: len(simulator.deliveries) == 1)
    simulator.advance(1)
    await until(lambda: len(simulator.deliveries) == 2)
    receiver.answers = [301]
    await create(client, webhook=receiver.url, **only_the_end)
    await ended(simulator, 3)
    simulator.advance(1)

    assert [one.answered for one in simulator.deliveries[:2]] == [None, None]
    assert len(receiver.heard) == 1


async def test_the_signature_is_that_of_the_body_as_sent(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await create(client, prompt="ein Leuchtturm, größer", webhook=receiver.url)
    await ended(simulator, 2)

    for one in receiver.heard:
        sent, stamp = one.headers["webhook-id"], int(one.headers["webhook-timestamp"])
        assert one.headers["webhook-signature"] == signature(simulator.webhook_secret, sent, stamp, one.raw)


async def test_lost(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    simulator.use(WebhookLost(event="completed"))
    await create(client, webhook=receiver.url)
    await ended(simulator, 1)

    assert simulator.deliveries[0].event == "output"


async def test_duplicated(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    simulator.use(WebhookDuplicated(event="completed", copies=3))
    await create(client, webhook=receiver.url)
    await ended(simulator, 4)

    assert len({one.headers["webhook-id"] for one in receiver.heard}) == 2


async def test_late(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    simulator.use(WebhookLate(event="output", seconds=100))
    await create(client, webhook=receiver.url)
    await ended(simulator, 1)
    simulator.advance(100)
    await until(lambda: len(receiver.heard) == 2)

    assert [one.event for one in simulator.deliveries] == ["completed", "output"]


async def test_out_of_order(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    simulator.use(WebhookOutOfOrder())
    await create(client, webhook=receiver.url, webhook_events_filter=["start", "completed"])
    await ended(simulator, 2)

    assert receiver.statuses() == ["succeeded", "processing"]


async def test_unsigned(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    simulator.use(WebhookUnsigned())
    await create(client, webhook=receiver.url)
    await ended(simulator, 2)

    assert not [name for one in receiver.heard for name in one.headers if name.startswith("webhook-")]


async def test_wrong_secret(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    simulator.use(WebhookWrongSecret())
    await create(client, webhook=receiver.url)
    await ended(simulator, 2)

    headers = receiver.heard[0].headers
    rightly = signature(
        simulator.webhook_secret, headers["webhook-id"], int(headers["webhook-timestamp"]), receiver.heard[0].raw
    )
    assert headers["webhook-signature"] != rightly


async def test_stale(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    await create(client, webhook=receiver.url)
    await ended(simulator, 2)
    simulator.use(WebhookStale(seconds=3600))
    await create(client, webhook=receiver.url)
    await ended(simulator, 4)

    fresh, stale = (int(receiver.heard[place].headers["webhook-timestamp"]) for place in (0, 2))
    assert 3590 <= fresh - stale <= 3600


async def test_huge(simulator: ReplicateSimulator, client: httpx.AsyncClient, receiver: Receiver) -> None:
    simulator.use(WebhookHuge(event="completed", size=2_000_000))
    await create(client, webhook=receiver.url)
    await ended(simulator, 2)

    assert [len(one.raw) > 2_000_000 for one in receiver.heard] == [False, True]
