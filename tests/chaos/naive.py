"""What everybody writes first: call and poll inside the Kafka handler, commit after. It pays twice, and must.

Kept here, and only here, to show that the scenario can see the fault: `python -m tests.chaos.naive`.
"""

import asyncio
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from generator_service.plan import Generation, plan
from schemas.clock import utc_now
from schemas.events import JobRequested, MediaGenerated, UrlSource
from schemas.wire import encode
from tests.chaos.points import ORDERS, Orders, Point

GROUP = "naive"


async def main() -> None:
    """Hear requests until SIGTERM."""
    environ = os.environ
    orders = Orders(Path(environ[ORDERS]))
    broker = KafkaBroker(environ["KAFKA_BOOTSTRAP_SERVERS"], logger=None)
    client = httpx.AsyncClient(
        base_url=environ["REPLICATE_BASE_URL"], timeout=5,
        headers={"authorization": f"Bearer {environ['REPLICATE_API_TOKEN']}"},
    )  # fmt: skip

    @broker.subscriber(
        JobRequested.topic, group_id=GROUP, group_instance_id=environ["SERVICE_INSTANCE"], batch=False,
        auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR, session_timeout_ms=6_000, no_reply=True,
    )  # fmt: skip
    async def on_job_requested(request: JobRequested) -> None:
        for generation in plan(request, lambda _: "replicate", {}):
            made = await make(client, generation)
            for index, url in zip(generation.outputs, made, strict=False):
                fact = generated(generation, index, url)
                record = encode(fact, source="naive")
                await broker.publish(record.value, record.topic, key=record.key, partition=record.partition)
        orders.reach(Point.HANDLED)

    await FastStream(broker).run()


async def make(client: httpx.AsyncClient, generation: Generation) -> list[str]:
    """Create a prediction and poll it to its end."""
    ask = generation.ask
    given = {"prompt": ask["prompt"], "seed": ask["seed"], "num_outputs": ask["num_outputs"]}
    answer = await client.post(f"/v1/models/{generation.model}/predictions", json={"input": given})
    prediction: dict[str, Any] = answer.raise_for_status().json()
    while prediction["status"] in ("starting", "processing"):
        await asyncio.sleep(0.1)
        answer = await client.get(f"/v1/predictions/{prediction['id']}")
        prediction = answer.raise_for_status().json()
    if prediction["status"] != "succeeded":
        raise RuntimeError(prediction["status"])
    return list(prediction["output"])


def generated(generation: Generation, index: int, url: str) -> MediaGenerated:
    """The fact about one output."""
    job_id: UUID = generation.job_id
    return MediaGenerated.say(
        job_id, generation.tenant, utc_now(), index=index, generation=generation.number, attempt=1,
        provider="replicate", source=UrlSource(url=url),
    )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
