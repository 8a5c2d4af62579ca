"""Serving what predictions made: real files, until they are removed, wrong in the ways that faults ask for."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from darkroom.simulators.answers import CutShort
from darkroom.simulators.faults import Subject
from darkroom.simulators.media import TYPES, drawn
from darkroom.simulators.ranges import UnsatisfiableError, span_of
from darkroom.simulators.replicate.faults.files import (
    FileError,
    FileExpired,
    FileFault,
    FileRedirect,
    FileSlow,
    FileTruncated,
    FileWrongType,
)
from darkroom.simulators.replicate.prediction import Prediction
from darkroom.simulators.replicate.world import World

PAGE = b"<!doctype html><title>Just a moment...</title><p>Checking your browser before you go on."
CHUNKS_A_SECOND = 10


async def file_bytes(world: World, prediction: Prediction, index: int) -> bytes:
    """The bytes of one output."""
    return await drawn(
        prediction.ask.model.name, prediction.ask.input, prediction.seed, index, prediction.extension,
        world.settings.picture_side,
    )  # fmt: skip


async def deliver(world: World, request: Request) -> Response:
    """`/delivery/{token}/out-{index}.{extension}`: needs no token. 404 for what is not there, yet or any more."""
    path, now = request.url.path, world.clock.now()
    prediction = world.predictions.get(world.by_token.get(request.path_params["token"], ""))
    index = _index_of(prediction, request.path_params["name"]) if prediction else None
    if prediction is None or index is None or index >= prediction.standing(now).outputs:
        return _missing()
    faults = world.plan.strike(Subject("file", prediction.ask.model.name, prediction.ask.input), FileFault)
    if any(isinstance(fault, FileExpired) for fault in faults):
        world.expired_files.add(path)
    if prediction.removed(now) or path in world.expired_files:
        return _missing()
    for fault in faults:
        if isinstance(fault, FileError):
            return Response(f"{fault.status}\n", fault.status, media_type="text/plain")
        if isinstance(fault, FileRedirect):
            return RedirectResponse(fault.to or str(request.url), 302)
    return _whole_or_part(request, await file_bytes(world, prediction, index), prediction.extension, faults)


def _index_of(prediction: Prediction, name: str) -> int | None:
    number = name.removeprefix("out-").removesuffix(f".{prediction.extension}")
    return int(number) if number.isdecimal() and name == f"out-{number}.{prediction.extension}" else None


def _missing() -> Response:
    return Response("Not Found\n", 404, media_type="text/plain")


def _whole_or_part(request: Request, content: bytes, extension: str, faults: list[FileFault]) -> Response:
    media_type, headers = TYPES[extension], {"accept-ranges": "bytes"}
    for fault in faults:
        if isinstance(fault, FileWrongType):
            content, media_type = _something_else(fault, content, media_type)
    size = len(content)
    try:
        part = span_of(request.headers.get("range"), size)
    except UnsatisfiableError:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{size}"})
    if part:
        headers["content-range"] = f"bytes {part.first}-{part.last - 1}/{size}"
        content = content[part.first : part.last]
    answer = Response(content, 206 if part else 200, headers, media_type)
    return _spoiled(answer, content, faults)


def _something_else(fault: FileWrongType, content: bytes, media_type: str) -> tuple[bytes, str]:
    if fault.body == "html":
        return PAGE, "text/html"
    return (b"", media_type) if fault.body == "empty" else (b"GIF89a" + content[6:4096], media_type)


def _spoiled(answer: Response, content: bytes, faults: list[FileFault]) -> Response:
    for fault in faults:
        if isinstance(fault, FileTruncated):
            return CutShort(answer, "half")
        if isinstance(fault, FileSlow):
            trickle = _trickle(content, max(1, fault.bytes_per_second // CHUNKS_A_SECOND))
            slow = StreamingResponse(trickle, answer.status_code)
            slow.raw_headers = list(answer.raw_headers)
            return slow
    return answer


async def _trickle(content: bytes, chunk: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), chunk):
        yield content[start : start + chunk]
        await asyncio.sleep(1 / CHUNKS_A_SECOND)
