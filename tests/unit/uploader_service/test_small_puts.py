"""How a small PUT is written and signed: as the client itself does it."""

from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.awsrequest import AioAWSResponse

from stage.bucket import BucketSettings, bucket_client, write_options
from uploader_service.small_puts import Place, rehearsed

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

OWN = {"S3_ENDPOINT_URL": "http://127.0.0.1:9000"}
AWS = {"S3_REGION": "eu-central-1", "S3_CHECKSUMS": "when_required"}
KMS = {"S3_SERVER_SIDE_ENCRYPTION": "aws:kms", "S3_KMS_KEY_ID": "key-1", "S3_STORAGE_CLASS": "STANDARD_IA"}
STORES = {
    "an endpoint of one's own": OWN,
    "its bucket in the host name": {"S3_ENDPOINT_URL": "https://store.example:8443", "S3_ADDRESSING_STYLE": "virtual"},
    "a gateway's path": {"S3_ENDPOINT_URL": "https://store.example/s3/"},
    "AWS": AWS,
    "AWS, the bucket in the path": AWS | {"S3_ADDRESSING_STYLE": "path"},
    "a bucket that is no host name": AWS | {"S3_BUCKET_NAME": "my.media"},
    "encrypted": OWN | KMS,
}
PER_REQUEST = {"amz-sdk-invocation-id", "amz-sdk-request", "authorization", "x-amz-date"}
UNSIGNED = {"accept-encoding", "content-length", "expect", "host", "transfer-encoding", "user-agent"}
"""What only says how the request travels; host and encoding are signed as well here."""


def settings_of(told: dict[str, str]) -> BucketSettings:
    keys = {"S3_ACCESS_KEY_ID": "a", "S3_SECRET_ACCESS_KEY": "b", "S3_BUCKET_NAME": "media"}
    return BucketSettings.model_validate(keys | told)


def asked_of(settings: BucketSettings) -> dict[str, Any]:
    return {
        "Bucket": settings.s3_bucket_name, "Key": "jobs/abc/ä +%[1]~/1/0.png", "ContentType": "image/png",
        "ContentMD5": "xMpCOKC5I4INzFCab3WEmw==", "Metadata": {"sha256": "0" * 64}, "IfNoneMatch": "*",
        **write_options(settings),
    }  # fmt: skip


async def sent_by(client: "S3Client", asked: dict[str, Any]) -> Any:
    """The request that the client would send for this."""
    caught: list[Any] = []

    def catch(request: Any, **_: Any) -> AioAWSResponse:
        caught.append(request)
        return AioAWSResponse(request.url, 200, {}, Empty())

    client.meta.events.register("before-send.s3.PutObject", catch)
    await client.put_object(Body=b"pixels", **asked)
    return caught[0]


class Empty:
    """An answer without a body."""

    async def read(self) -> bytes:
        return b""


def described(headers: Any) -> dict[str, str]:
    """What the headers say of the object."""
    texts = {name.lower(): v.decode() if isinstance(v, bytes) else str(v) for name, v in headers.items()}
    return {name: value for name, value in texts.items() if name not in PER_REQUEST | UNSIGNED}


def scope_of(authorization: str | bytes) -> list[str]:
    """For which region and service it is signed."""
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    return text.split("Credential=")[1].split(",")[0].split("/")[2:]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("told", STORES.values(), ids=list(STORES))
async def test_a_small_put_says_what_the_client_says(told: dict[str, str]) -> None:
    settings = settings_of(told)
    async with bucket_client(settings) as client:
        place = await rehearsed(client, settings.s3_bucket_name)
        theirs = await sent_by(client, asked_of(settings))

        assert place is not None
        ours = place.request(asked_of(settings))

    assert ours.url == theirs.url
    assert described(ours.headers) == described(theirs.headers)
    assert scope_of(ours.headers["Authorization"]) == scope_of(theirs.headers["Authorization"])


async def place_of(told: dict[str, str]) -> Place | None:
    settings = settings_of(told)
    async with bucket_client(settings) as client:
        return await rehearsed(client, settings.s3_bucket_name)


async def test_the_sum_the_host_and_the_condition_are_signed_and_the_body_is_not() -> None:
    place = await place_of(OWN)

    assert place is not None
    headers = place.request(asked_of(settings_of(OWN))).headers
    signed = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"content-md5", "content-type", "host", "if-none-match", "x-amz-meta-sha256"} <= set(signed)
    assert headers["X-Amz-Content-SHA256"] == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [("https://store.example:443", "store.example"), ("http://store.example:443", "store.example:443"),
     ("http://[::1]:9000", "[::1]:9000")],
)  # fmt: skip
async def test_the_host_is_named_with_its_port_unless_that_is_the_usual_one(endpoint: str, host: str) -> None:
    place = await place_of({"S3_ENDPOINT_URL": endpoint})

    assert place is not None
    assert place.host == host


@pytest.mark.parametrize(
    "told",
    [{"S3_REGION": "eu-central-1"}, OWN | {"S3_CHECKSUMS": "when_supported"},
     AWS | {"S3_BUCKET_NAME": "media--euc1-az1--x-s3"}],
    ids=["AWS as it comes", "checksums", "an express bucket"],
)  # fmt: skip
async def test_what_takes_more_than_one_signed_request_is_the_clients(told: dict[str, str]) -> None:
    assert await place_of(told) is None


async def test_what_goes_through_a_proxy_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")

    assert await place_of({"S3_ENDPOINT_URL": "http://store.example:9000"}) is None
