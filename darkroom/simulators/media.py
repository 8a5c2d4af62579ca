"""The files that simulated models make: real pictures and sounds, the same for the same input."""

import asyncio
import base64
from functools import lru_cache
from typing import Any

from generator_service.providers.painting import paint
from generator_service.providers.tones import play

TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "wav": "audio/wav"}
KEPT = 128  # files: some megabytes


@lru_cache(maxsize=KEPT)
def draw(model: str, prompt: str, seed: int, index: int, extension: str, size: tuple[int, int]) -> bytes:
    """The file of one output. The same bytes for the same arguments."""
    if extension == "wav":
        return play(model=model, prompt=prompt, seed=seed, index=index)
    return paint(
        model=model, prompt=prompt, seed=seed, index=index, width=size[0], height=size[1],
        image_format=extension,  # type: ignore[arg-type]
    )  # fmt: skip


async def drawn(model: str, given: dict[str, Any], seed: int, index: int, extension: str, side: int) -> bytes:
    """The file of one output, drawn beside the loop: `side` wide and high, if the input says no size."""
    width, height = (given[name] if isinstance(given.get(name), int) else side for name in ("width", "height"))
    return await asyncio.to_thread(draw, model, str(given.get("prompt", "")), seed, index, extension, (width, height))


def data_uri(content: bytes, extension: str) -> str:
    """The file inside a `data:` URI."""
    return f"data:{TYPES[extension]};base64,{base64.b64encode(content).decode()}"
