"""`replicate` 1.0.7, as it is, against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.pagination import async_paginate
from replicate.webhook import InvalidSignatureError, Webhooks, WebhookSigningSecret

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import Abort, Fail, WebhookWrongSecret
from tests.contract.simulated import FLUX, SDXL, receiving, until

PROMPT = {"prompt": "a lighthouse at dusk"}


@asynccontextmanager
async def client_of(simulator: ReplicateSimulator, **more: Any) -> AsyncIterator[Client]:
    client = Client(api_token="r8_test", base_url=simulator.url, **more)
    client.poll_interval = 0.02
    try:
        yield client
    finally:
        await client._async_client.aclose()


async def test_create_get_and_wait() -> None:
    async with ReplicateSimulator(run_seconds=0.1) as simulator, client_of(simulator) as client:
        created = await client.predictions.async_create(model=FLUX, input=PROMPT | {"num_outputs": 2})
        statuses = [created.status]

        await created.async_wait()
        seen = await client.predictions.async_get(created.id)

        assert [*statuses, created.status, seen.status] == ["starting", "succeeded", "succeeded"]
        assert len(seen.output or []) == 2
        assert seen.progress
        assert seen.progress.percentage == 1.0
        assert simulator.bill().charged == 1


async def test_create_by_version_and_by_deployment() -> None:
    async with ReplicateSimulator() as simulator, client_of(simulator) as client:
        version = (await client.models.async_get(SDXL)).latest_version
        assert version

        by_version = await client.predictions.async_create(version=version, input=PROMPT)
        by_deployment = await client.deployments.predictions.async_create("acme/sdxl", input=PROMPT)

        assert (by_version.model, by_version.version) == (SDXL, version.id)
        assert by_deployment.version.startswith("dp-")


async def test_run_waits_and_gives_files_that_can_be_read() -> None:
    async with ReplicateSimulator() as simulator, client_of(simulator) as client:
        outputs: Any = await client.async_run(FLUX, input=PROMPT | {"output_format": "png"})

        assert [(await output.aread())[:4] for output in outputs] == [b"\x89PNG"]


async def test_run_without_waiting_polls() -> None:
    async with ReplicateSimulator(run_seconds=0.1) as simulator, client_of(simulator) as client:
        outputs: Any = await client.async_run(FLUX, input=PROMPT, wait=False, use_file_output=False)

        assert (await client._async_client.get(outputs[0])).content[8:12] == b"WEBP"


async def test_run_of_a_model_of_words() -> None:
    async with ReplicateSimulator() as simulator, client_of(simulator) as client:
        words: Any = await client.async_run("meta/meta-llama-3-8b-instruct", input=PROMPT)

        assert "a lighthouse at dusk" in "".join(words)


async def test_run_raises_what_the_model_failed_with() -> None:
    faults = [Fail(error="NSFW content detected. Try running it again.")]
    async with ReplicateSimulator(faults=faults) as simulator, client_of(simulator) as client:
        with pytest.raises(ModelError, match="NSFW content detected"):
            await client.async_run(FLUX, input=PROMPT)


async def test_the_list_is_paged_to_its_end() -> None:
    async with ReplicateSimulator(page_size=3) as simulator, client_of(simulator) as client:
        made = [(await client.predictions.async_create(model=FLUX, input=PROMPT)).id for _ in range(7)]

        pages = [page async for page in async_paginate(client.predictions.async_list)]

        assert [len(page) for page in pages] == [3, 3, 1]
        assert [one.id for page in pages for one in page] == made[::-1]
        back = await client.predictions.async_list(pages[2].previous)
        assert [one.id for one in back] == [one.id for one in pages[1]]


async def test_cancel() -> None:
    async with ReplicateSimulator(run_seconds=60) as simulator, client_of(simulator) as client:
        created = await client.predictions.async_create(model=FLUX, input=PROMPT)

        await created.async_cancel()

        assert created.status == "canceled"
        assert created.output is None


async def test_models_and_versions() -> None:
    async with ReplicateSimulator() as simulator, client_of(simulator) as client:
        model = await client.models.async_get(SDXL)
        listed = await model.versions.async_list()
        version = await model.versions.async_get(listed[1].id)

        assert model.latest_version
        assert listed[0].id == model.latest_version.id
        assert "prompt" in version.openapi_schema["components"]["schemas"]["Input"]["properties"]
        assert (await client.accounts.async_current()).username == "acme"


async def test_a_webhook_passes_the_clients_own_validation_and_a_forged_one_does_not() -> None:
    async with receiving() as receiver, ReplicateSimulator() as simulator, client_of(simulator) as client:
        secret = await client.webhooks.default.async_secret()
        await client.predictions.async_create(model=FLUX, input=PROMPT, webhook=receiver.url)
        await until(lambda: "succeeded" in receiver.statuses())
        simulator.use(WebhookWrongSecret())
        await client.predictions.async_create(model=FLUX, input=PROMPT, webhook=receiver.url)
        count = len(receiver.heard)
        await until(lambda: len(receiver.heard) > count)

        true, forged = receiver.heard[0], receiver.heard[-1]
        Webhooks.validate(headers=true.headers, body=true.raw.decode(), secret=secret, tolerance=300)
        with pytest.raises(InvalidSignatureError):
            Webhooks.validate(headers=forged.headers, body=forged.raw.decode(), secret=secret)
        assert isinstance(secret, WebhookSigningSecret)


async def test_a_wrong_token_is_the_error_the_client_knows() -> None:
    async with ReplicateSimulator(token="r8_other") as simulator, client_of(simulator) as client:
        with pytest.raises(ReplicateError) as caught:
            await client.predictions.async_create(model=FLUX, input=PROMPT)

        assert (caught.value.status, caught.value.title) == (401, "Unauthenticated")
        assert simulator.bill().charged == 0


async def test_the_client_does_not_know_aborted() -> None:
    async with ReplicateSimulator(faults=[Abort()]) as simulator, client_of(simulator) as client:
        created = await client.predictions.async_create(model=FLUX, input=PROMPT)
        simulator.advance(10)

        with pytest.raises(ValueError, match="unexpected value"):
            await client.predictions.async_get(created.id)


async def test_the_blocking_client() -> None:
    async with ReplicateSimulator() as simulator:

        def blocking() -> bytes:
            client = Client(api_token="r8_test", base_url=simulator.url)
            (output,) = client.run(FLUX, input=PROMPT)
            client._client.close()
            content: bytes = output.read()
            return content

        assert (await asyncio.to_thread(blocking))[8:12] == b"WEBP"
