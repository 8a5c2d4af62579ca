"""What a model gave back, as sources: URLs as they are, inline bytes put into the bucket first."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from generator_service.bucket import Stage
from generator_service.calls import Call, Failed, Finished, Unknown
from generator_service.errors import Code, failed
from schemas.events import StagedSource, UrlSource

INLINE = re.compile(r"data:[^,]*?(;base64)?,(.*)", re.DOTALL | re.IGNORECASE)


class NotMedia(Exception):
    """An output that is neither a URL nor bytes."""


async def finished(
    provider_id: str, output: Any, call: Call, stage: Stage, expires_at: datetime | None
) -> Finished | Failed | Unknown:
    """What a call that succeeded made. `Unknown` when inline bytes could not be kept: they are still there to ask for.

    More than the call covers is left out; less is the engine's matter, nothing at all is a failure.
    """
    found = list(dict.fromkeys(media_in(output)))[: len(call.outputs)]
    if not found:
        empty = output is None or output in ([], {}, "")
        nothing = failed(Code.NO_OUTPUT, "the model succeeded and made nothing")
        odd = failed(Code.BAD_OUTPUT, "the model made something that is no media")
        return replace(nothing if empty else odd, provider_id=provider_id)
    sources: list[UrlSource | StagedSource] = []
    try:
        for index, address in zip(call.outputs, found, strict=False):
            if address[:5].lower() == "data:":
                sources.append(await stage(call.generation_id, index, bytes_of(address)))
            else:
                sources.append(_at(address, expires_at))
    except NotMedia as wrong:
        return replace(failed(Code.BAD_OUTPUT, str(wrong)), provider_id=provider_id)
    except Exception as fault:  # noqa: BLE001 - whatever a bucket's client throws, the bytes can be asked for again
        return Unknown(f"the output could not be kept ({type(fault).__name__})")
    return Finished(provider_id, tuple(sources))


def _at(address: str, expires_at: datetime | None) -> UrlSource:
    try:
        return UrlSource(url=address, expires_at=expires_at)
    except ValueError:  # pydantic's own is one
        raise NotMedia("the model's output is at a URL that no fact may carry") from None


def media_in(output: Any) -> Iterator[str]:
    """Every URL and data: URI in an output of any shape, in the order they stand."""
    if isinstance(output, str):
        told = output.strip()
        if told[:5].lower() == "data:" or (
            told.startswith(("https://", "http://")) and told.isprintable() and " " not in told
        ):
            yield told
    elif isinstance(output, dict):
        for value in output.values():
            yield from media_in(value)
    elif isinstance(output, list):
        for value in output:
            yield from media_in(value)


def bytes_of(address: str) -> bytes:
    """What a data: URI holds. `NotMedia` escapes when it holds nothing that can be read."""
    inline = INLINE.fullmatch(address)
    try:
        if inline is None:
            raise ValueError("no comma")
        content = base64.b64decode(unquote_to_bytes(inline[2])) if inline[1] else unquote_to_bytes(inline[2])
    except (binascii.Error, ValueError):
        raise NotMedia("the model's inline output cannot be read") from None
    if not content:
        raise NotMedia("the model's inline output is empty")
    return content
