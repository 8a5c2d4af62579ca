"""Outputs: real media, ranges, and every way in which they go wrong."""

import io
import wave
from collections.abc import AsyncIterator

import httpx
import pytest
from PIL import Image

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults import (
    FileError,
    FileExpired,
    FileRedirect,
    FileSlow,
    FileTruncated,
    FileWrongType,
)
from tests.contract.simulated import again, asking, create, noon


@pytest.fixture
async def simulator() -> AsyncIterator[ReplicateSimulator]:
    async with ReplicateSimulator(clock=noon(), picture_side=128) as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: ReplicateSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(simulator.url) as client:
        yield client


@pytest.fixture
async def url(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> str:
    created = await create(client, input={"output_format": "png"})
    simulator.advance(1)
    link: str = (await again(client, created))["output"][0]
    return link


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
async def test_pictures_are_pictures(simulator: ReplicateSimulator, client: httpx.AsyncClient, kind: str) -> None:
    created = await create(client, input={"output_format": kind, "width": 96, "height": 64})
    simulator.advance(1)
    (link,) = (await again(client, created))["output"]

    file = await client.get(link)

    image = Image.open(io.BytesIO(file.content))
    assert (image.format, image.size) == ("JPEG" if kind == "jpg" else kind.upper(), (96, 64))
    assert link.endswith(f"/out-0.{kind}")
    assert int(file.headers["content-length"]) == len(file.content)


async def test_sounds_are_sounds(simulator: ReplicateSimulator, client: httpx.AsyncClient) -> None:
    version = (await client.get("/v1/models/meta/musicgen")).json()["latest_version"]["id"]
    created = await create(client, version=version)
    simulator.advance(1)

    file = await client.get((await again(client, created))["output"])

    with wave.open(io.BytesIO(file.content)) as sound:
        assert (sound.getnchannels(), file.headers["content-type"]) == (1, "audio/wav")


async def test_files_need_no_token_and_can_be_asked_for_in_parts(url: str, client: httpx.AsyncClient) -> None:
    whole = (await client.get(url)).content

    first = await client.get(url, headers={"authorization": "", "range": "bytes=0-9"})
    rest = await client.get(url, headers={"range": "bytes=10-"})
    beyond = await client.get(url, headers={"range": f"bytes={len(whole)}-"})
    head = await client.head(url)

    assert first.content + rest.content == whole
    assert (first.status_code, first.headers["content-range"]) == (206, f"bytes 0-9/{len(whole)}")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    assert (int(head.headers["content-length"]), head.content) == (len(whole), b"")


async def test_a_file_is_there_from_the_end_on_and_for_an_hour(
    simulator: ReplicateSimulator, client: httpx.AsyncClient
) -> None:
    created = await create(client)
    simulator.advance(1)
    (link,) = (await again(client, created))["output"]
    simulator.reset()
    await create(client)
    statuses = []
    for seconds in (1, 3599, 1):
        statuses.append((await client.get(link)).status_code)
        simulator.advance(seconds)
    statuses.append((await client.get(link)).status_code)

    assert statuses == [404, 200, 200, 404]


async def test_file_error(simulator: ReplicateSimulator, client: httpx.AsyncClient, url: str) -> None:
    simulator.use(FileError(status=403, nth=(1,)))

    assert [(await client.get(url)).status_code for _ in range(2)] == [403, 200]


async def test_file_expired(simulator: ReplicateSimulator, client: httpx.AsyncClient, url: str) -> None:
    simulator.use(FileExpired(nth=(2,)))

    assert [(await client.get(url)).status_code for _ in range(4)] == [200, 404, 404, 404]


async def test_file_slow(simulator: ReplicateSimulator, client: httpx.AsyncClient, url: str) -> None:
    size = len((await client.get(url)).content)
    simulator.use(FileSlow(bytes_per_second=size * 2))

    file = await client.get(url)

    assert file.elapsed.total_seconds() > 0.2
    assert len(file.content) == size == int(file.headers["content-length"])


async def test_file_truncated(simulator: ReplicateSimulator, client: httpx.AsyncClient, url: str) -> None:
    simulator.use(FileTruncated())
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await client.get(url)


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/", ""])
async def test_file_redirect(simulator: ReplicateSimulator, client: httpx.AsyncClient, url: str, to: str) -> None:
    simulator.use(FileRedirect(to=to))

    file = await client.get(url)

    assert (file.status_code, file.headers["location"]) == (302, to or url)


@pytest.mark.parametrize(("body", "start"), [("html", b"<!doctype html>"), ("other", b"GIF89a"), ("empty", b"")])
async def test_file_wrong_type(
    simulator: ReplicateSimulator, client: httpx.AsyncClient, url: str, body: str, start: bytes
) -> None:
    simulator.use(FileWrongType(body=body))  # type: ignore[arg-type]

    file = await client.get(url)

    assert file.status_code == 200
    assert file.content[:15].startswith(start)
    assert not file.content.startswith(b"\x89PNG")
