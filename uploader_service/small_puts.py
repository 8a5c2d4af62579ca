"""PUTs bytes that are in memory as aiobotocore would, for a third of what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import aiohttp
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from botocore.utils import get_environ_proxies
from yarl import URL

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

OPERATION = "PutObject"
REHEARSED_KEY = "-"
ELSEWHERE = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
"""The bucket is in another region than ours. The client finds out in which, and asks there from then on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the keys of a bucket begin, and how a PUT there is written and signed."""

    url: str
    host: str
    auth: Any
    context: Mapping[str, Any]
    headers: Mapping[str, str]
    """The header that each argument of `put_object` becomes, and the beginning of those that `Metadata` becomes."""

    def request(self, asked: Mapping[str, Any]) -> AWSRequest:
        """The signed request of `put_object` with these arguments.

        As with the client, Content-MD5 is signed and the body is not: the store checks the one by the other.
        """
        headers = {"Host": self.host, "Accept-Encoding": "identity"}
        for name, value in asked.items():
            if name == "Metadata":
                headers |= {self.headers[name] + key: word for key, word in value.items()}
            elif name in self.headers:
                headers[self.headers[name]] = value
        request = AWSRequest("PUT", self.url + quote(asked["Key"], safe="/~"), headers)
        request.context.update(self.context)
        self.auth.add_auth(request)
        return request


class SmallPuts:
    """The client's `put_object` for bytes: the same arguments, answers and errors, but no redirect is followed.

    The client says once how it would do it. Where that is more than one signed request, it does it itself each time.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client
        self._errors = create_parser("rest-xml")
        self._place: Place | None = None
        self._only_the_client = False

    async def put(self, body: bytes, **asked: Any) -> Any:
        """The tag that the store gave it, and how it is encrypted. Raises what `put_object` raises, or aiohttp does."""
        if self._place is None and not self._only_the_client:
            self._place = await rehearsed(self._client, asked["Bucket"])
            self._only_the_client = self._place is None
        if self._place is not None:
            try:
                return await self._send(self._place.request(asked), body)
            except ClientError as refused:
                if refused.response["Error"].get("Code") not in ELSEWHERE:
                    raise
                self._place = None
        return await self._client.put_object(Body=body, **asked)

    async def _send(self, request: AWSRequest, body: bytes) -> dict[str, str]:
        """When the connection breaks, aiohttp sends it once more: the same bytes under the same key do no harm."""
        session = await _connections(self._client)
        url, headers = URL(request.url, encoded=True), dict(request.headers.items())
        async with session.put(url, data=body, headers=headers, allow_redirects=False) as answer:
            words = await answer.read()
            status = 500 if b"<Error" in words and answer.status == 200 else answer.status
            if status >= 300:
                told = {"status_code": status, "headers": answer.headers, "body": words}
                raise ClientError(self._errors.parse(told, None), OPERATION)
            encryption = answer.headers.get("x-amz-server-side-encryption", "")
            return {"ETag": answer.headers.get("ETag", ""), "ServerSideEncryption": encryption}


async def rehearsed(client: "S3Client", bucket: str) -> Place | None:
    """How the client PUTs into this bucket; None when only it can. Nothing is sent."""
    client.meta.events.register(f"before-call.s3.{OPERATION}", _stop_short, unique_id="rehearsal")
    said = cast("Any", await client.put_object(Bucket=bucket, Key=REHEARSED_KEY))
    url, context, config = said["url"], said["context"], client.meta.config
    sums_up = config.request_checksum_calculation != "when_required"  # it then sends a checksum behind the body
    proxies = config.proxies or get_environ_proxies(url)
    if sums_up or proxies or context["auth_type"] != "s3v4" or not url.endswith(f"/{REHEARSED_KEY}"):
        return None
    signing = context["signing"]
    auth = await said["signer"].get_auth_instance(signing["signing_name"], signing["region"], context["auth_type"])
    return Place(
        url.removesuffix(REHEARSED_KEY), URL(url).host_port_subcomponent or "", auth, {"client_config": config},
        _headers(client),
    )  # fmt: skip


def _stop_short(params: dict[str, Any], request_signer: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
    """Before the client sends a request: when it is the rehearsal's, answer with the request itself."""
    if params["url_path"] != f"/{REHEARSED_KEY}":
        return None
    return AWSResponse(params["url"], 200, {}, None), {**params, "signer": request_signer}


def _headers(client: "S3Client") -> dict[str, str]:
    """By botocore's own description of S3."""
    members = client.meta.service_model.operation_model(OPERATION).input_shape.members
    described = {name: member.serialization for name, member in members.items()}
    return {name: how["name"] for name, how in described.items() if how.get("location") in ("header", "headers")}


async def _connections(client: "S3Client") -> aiohttp.ClientSession:
    """The client's own, with its TLS, time-outs and limits; they end with it. It has no public name for them."""
    session: aiohttp.ClientSession = await cast("Any", client)._endpoint.http_session._get_session(None)
    return session
