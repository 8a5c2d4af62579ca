"""The body of a request, read within bounds."""

from starlette.datastructures import Headers
from starlette.requests import Request

from gateway.problems import too_large, unsupported_media_type


async def json_body(request: Request, limit: int) -> bytes:
    """The body of a request that is to be JSON. Raises a 415 problem when its headers say that it is something else,
    and a 413 problem.
    """
    _expect_json(request.headers)
    return await limited_body(request, limit)


async def limited_body(request: Request, limit: int) -> bytes:
    """The body of a request. Raises a 413 problem as soon as it is known to be larger than `limit` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 15 or int(announced) > limit):
        raise too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def _expect_json(headers: Headers) -> None:
    """Refuse what is not called JSON.

    Without a name it is taken for JSON, as the original did, but not from a web page: a page of another site may send
    anything but JSON without asking first, and where the doors are open that would be enough to make a job.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise unsupported_media_type("the body is compressed: send it as it is, without Content-Encoding")
    given = headers.get("content-type")
    if given is None:
        if "origin" in headers:
            raise unsupported_media_type("say what the body is: Content-Type: application/json")
        return
    if given == "application/json":
        return  # nearly always, on the hottest path
    kind, *parameters = (part.strip().lower() for part in given.split(";"))
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise unsupported_media_type("the body must be JSON: send it with -H 'Content-Type: application/json'")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in ("utf-8", "utf8", "us-ascii"):
            raise unsupported_media_type("the body must be in UTF-8")
