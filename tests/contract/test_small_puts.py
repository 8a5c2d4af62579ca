"""Small PUTs beside the client's own: one suite for both, on a lax store, a strict one and faulty ones."""

import asyncio
import base64
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stage.bucket import bucket_client
from tests.stores import NoStrictStoreError, lax_store, settings_of, strict_store
from tests.strange_store import LosesAnswer, Refuses, Resets, Silent, StrangeStore
from uploader_service.landing import Landing
from uploader_service.objects import Objects
from uploader_service.settings import Settings
from uploader_service.small_puts import SmallPuts
from uploader_service.store_calls import StoreFault, once

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PIXELS = random.Random(20260112).randbytes(60_000)
TAG = f'"{hashlib.md5(PIXELS, usedforsecurity=False).hexdigest()}"'
TOLD = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "DATABASE_URL": "postgresql://db/darkroom"}
BY_THE_CLIENT = "amz-sdk-invocation-id"
"""A header that nobody but the client sends."""

Put = Callable[..., Awaitable[Any]]
WAYS: dict[str, Callable[["S3Client"], Put]] = {
    "small": lambda client: SmallPuts(client).put,
    "the client's": lambda client: lambda body, **asked: client.put_object(Body=body, **asked),
}


@pytest.fixture(scope="module", params=["lax", "strict"])
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where a real store is."""
    serving = lax_store if request.param == "lax" else strict_store
    try:
        async with serving(tmp_path_factory.mktemp(request.param)) as settings:
            yield settings["S3_ENDPOINT_URL"]
    except NoStrictStoreError as why:
        pytest.skip(str(why))


@pytest.fixture
async def strange(store: str) -> AsyncIterator[StrangeStore]:
    """The store behind one that counts and goes wrong."""
    async with StrangeStore.before(store) as before:
        yield before


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key of the test's own, with all that has to be quoted in it."""
    return f"jobs/abc/{request.node.name} ä+%41~/0.png"


@asynccontextmanager
async def client_of(url: str, **more: str) -> AsyncIterator["S3Client"]:
    async with bucket_client(Settings.model_validate({**TOLD, **settings_of(url), **more})) as opened:
        yield opened


def asked(key: str, body: bytes = PIXELS) -> dict[str, Any]:
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return {
        "Bucket": "media", "Key": key, "ContentType": "image/png", "ContentMD5": md5, "Metadata": {"sha256": "abc"}
    }  # fmt: skip


async def fault_of(putting: Put, arguments: dict[str, Any], seconds: float = 10) -> tuple[str, int, bool]:
    with pytest.raises(StoreFault) as fault:
        await once(lambda: putting(PIXELS, **arguments), seconds)
    return fault.value.code, fault.value.status, fault.value.at_once


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
async def test_what_was_put_is_there(way: Callable[["S3Client"], Put], strange: StrangeStore, key: str) -> None:
    async with client_of(strange.url) as client:
        answer = await way(client)(PIXELS, **asked(key))

        found = await client.get_object(Bucket="media", Key=key)
        assert await found["Body"].read() == PIXELS
    assert (found["ContentType"], found["Metadata"], answer["ETag"]) == ("image/png", {"sha256": "abc"}, TAG)


async def test_a_small_put_is_one_request_that_is_not_the_clients(strange: StrangeStore, key: str) -> None:
    async with client_of(strange.url) as client:
        await SmallPuts(client).put(PIXELS, **asked(key))

    assert [(sent.method, BY_THE_CLIENT in sent.headers) for sent in strange.asked] == [("PUT", False)]


async def test_a_checksum_behind_the_body_is_left_to_the_client(strange: StrangeStore, key: str) -> None:
    async with client_of(strange.url, S3_CHECKSUMS="when_supported") as client:
        await SmallPuts(client).put(PIXELS, **asked(key))

    assert [(sent.method, BY_THE_CLIENT in sent.headers) for sent in strange.asked] == [("PUT", True)]


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
async def test_bytes_that_changed_on_their_way_are_refused(
    way: Callable[["S3Client"], Put], store: str, key: str
) -> None:
    async with client_of(store) as client:
        fault = await fault_of(way(client), asked(key, body=b"others"))

    assert fault == ("BadDigest", 400, True)


async def test_a_wrong_secret_is_refused_as_it_is_to_the_client(store: str, key: str) -> None:
    faults = []
    for way in WAYS.values():
        async with client_of(store, S3_SECRET_ACCESS_KEY="another") as client:
            faults.append(await fault_of(way(client), asked(key)))

    assert faults[0] == faults[1]
    assert faults[0][1] in (400, 403)


@pytest.mark.parametrize(
    "fault",
    [
        Refuses(503, "SlowDown"), Refuses(500, "InternalError"), Refuses(403, "AccessDenied"),
        Refuses(412, "PreconditionFailed"), Refuses(400, "BadDigest"), Refuses(501, "NotImplemented"),
        Resets(0), Resets(30_000), LosesAnswer(), Silent(),
    ],
    ids=str,
)  # fmt: skip
async def test_a_fault_is_to_a_small_put_what_it_is_to_the_client(
    strange: StrangeStore, key: str, fault: Refuses
) -> None:
    strange.stays_wrong(fault, on="PUT")
    faults, puts = [], []
    for way in WAYS.values():
        strange.asked.clear()
        async with client_of(strange.url) as client:
            faults.append(await fault_of(way(client), asked(key), seconds=1))
        puts.append(strange.count("PUT"))

    assert faults[0] == faults[1]
    assert puts[0] == puts[1]


async def put_output(strange: StrangeStore, path: Path, key: str, in_memory: int) -> bytes:
    """Put one as the uploader does. What is there then."""
    landing = Landing(path, in_memory)
    await landing.write(PIXELS)
    settings = Settings.model_validate({**TOLD, **settings_of(strange.url)})
    async with bucket_client(settings) as client:
        await Objects(client, settings).put(key, landing, "image/png", first=True)
        await landing.discard()
        found = await client.get_object(Bucket="media", Key=key)
        content: bytes = await found["Body"].read()
        return content


@pytest.mark.parametrize(("in_memory", "by_the_client"), [(len(PIXELS), False), (0, True)], ids=["memory", "file"])
async def test_an_output_in_memory_is_a_small_put_and_one_in_a_file_is_not(
    strange: StrangeStore, tmp_path: Path, key: str, in_memory: int, by_the_client: bool
) -> None:
    assert await put_output(strange, tmp_path / "output", key, in_memory) == PIXELS

    puts = [BY_THE_CLIENT in sent.headers for sent in strange.asked if sent.method == "PUT"]
    assert set(puts) == {by_the_client}


async def test_an_answer_that_is_lost_once_does_no_harm(strange: StrangeStore, tmp_path: Path, key: str) -> None:
    strange.goes_wrong(LosesAnswer())

    assert await put_output(strange, tmp_path / "output", key, len(PIXELS)) == PIXELS


class Says:
    """A server that gives prepared answers, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self._answers = list(answers)
        self.heads: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Says"]:
        """Until the end."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if "100-continue" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not head.startswith("HEAD"):
            await reader.readexactly(len(PIXELS))
        status, headers, body = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(body))}.items()]
        writer.write("\r\n".join([f"HTTP/1.1 {status} So", *lines, "Connection: close", "", ""]).encode() + body)
        await writer.drain()
        writer.close()


NAMESPACE = b'<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Code>SlowDown</Code></Error>'


@pytest.mark.parametrize(
    "answer",
    [
        (502, {}, b"<html><body>Bad Gateway</body></html>"), (503, {}, b""), (403, {}, b"go away"), (403, {}, b""),
        (400, {}, b"<Error><Code>Entity"), (503, {}, NAMESPACE), (500, {}, b"\xff\xfe"),
        (200, {}, b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code></Error>'),
        (503, {}, b"<ErrorResponse><Error><Code>Throttling</Code></Error><RequestId>1</RequestId></ErrorResponse>"),
    ],
    ids=str,
)  # fmt: skip
async def test_an_odd_answer_is_to_a_small_put_what_it_is_to_the_client(
    answer: tuple[int, dict[str, str], bytes],
) -> None:
    faults = []
    async with Says(answer).serving() as says:
        for way in WAYS.values():
            async with client_of(says.url) as client:
                faults.append(await fault_of(way(client), asked("0.png")))

    assert faults[0] == faults[1]


async def test_what_the_store_says_of_its_encryption_is_passed_on() -> None:
    async with (
        Says((200, {"ETag": '"1"', "x-amz-server-side-encryption": "aws:kms"}, b"")).serving() as says,
        client_of(says.url) as client,
    ):
        answer = await SmallPuts(client).put(PIXELS, **asked("0.png"))

    assert answer == {"ETag": '"1"', "ServerSideEncryption": "aws:kms"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with Says((200, {"ETag": TAG}, b"")).serving() as elsewhere:
        moved = (status, {"Location": f"{elsewhere.url}/media/0.png"}, b"")
        async with Says(moved).serving() as says, client_of(says.url) as client:
            fault = await fault_of(SmallPuts(client).put, asked("0.png"))

    assert fault == (str(status), status, False)
    assert elsewhere.heads == []


async def test_a_bucket_in_another_region_is_found_by_the_client_and_small_puts_go_there_from_then_on() -> None:
    words = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"
    async with (
        Says((400, {}, words), (400, {}, words), (200, {"ETag": TAG}, b"")).serving() as says,
        client_of(says.url) as client,
    ):
        small = SmallPuts(client)
        for _ in range(2):
            await small.put(PIXELS, **asked("0.png"))

    sent = [(BY_THE_CLIENT in head, "/eu-central-1/s3/" in head) for head in says.heads]
    assert sent == [(False, False), (True, False), (True, True), (False, True)]


async def test_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Says((200, {"ETag": TAG}, b"")).serving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with client_of("http://store.invalid:9000") as client:
            await SmallPuts(client).put(PIXELS, **asked("0.png"))

    assert [head.split()[1] for head in proxy.heads] == ["http://store.invalid:9000/media/0.png"]
