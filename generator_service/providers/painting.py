"""The pictures of the built-in fake provider."""

from __future__ import annotations

import io
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

from PIL import Image, ImageChops, ImageDraw, ImageFont

from generator_service.providers.chance import Chance
from generator_service.providers.scenery.brushes import Canvas
from generator_service.providers.scenery.palettes import BRIGHTEST
from generator_service.providers.scenery.scenes import SCENES
from generator_service.providers.scenery.themes import theme_of

ImageFormat = Literal["jpg", "png", "webp"]

# The least effort that still looks good: measured on one core, 1024x768.
ENCODINGS: dict[ImageFormat, tuple[str, dict[str, Any]]] = {
    "jpg": ("JPEG", {"quality": 82}),
    "png": ("PNG", {"compress_level": 1}),
    "webp": ("WEBP", {"quality": 82, "method": 0}),
}
SMALLEST, LARGEST = 64, 2048  # pixels a side: what scenes are drawn for; other sizes are scaled
GRAIN = 255 - BRIGHTEST  # levels of film grain: hides the steps of a gradient


def paint(
    *,
    model: str,
    prompt: str,
    seed: int,
    index: int,
    image_format: ImageFormat,
    width: int = 1024,
    height: int = 768,
) -> bytes:
    """A picture for this output, of this format and size: the same bytes for the same arguments on every call.

    Words the prompt is known for choose what is seen; a caption says that it is fake, with seed and index.
    """
    theme = theme_of(model, prompt, seed, index)
    size = min(LARGEST, max(SMALLEST, width)), min(LARGEST, max(SMALLEST, height))
    canvas = Canvas(
        Image.new("RGB", size, theme.palette.ground),
        Chance("paint", model, prompt, seed, index),
        theme.palette,
        theme.take,
    )
    SCENES[theme.subject](canvas)
    image = ImageChops.add_modulo(canvas.image, _grain(*size))  # never wraps: see BRIGHTEST
    _caption(image, f"fake · seed {seed} · #{index}")
    return _encoded(image if size == (width, height) else image.resize((width, height)), image_format)


@lru_cache(maxsize=4)
def _grain(width: int, height: int) -> Image.Image:
    """Fine noise, always the same; shared, so never drawn on."""
    side = 256
    noise = b"".join(sha256(block.to_bytes(4, "big")).digest() for block in range(side * side // 32))
    tile = Image.frombytes("L", (side, side), noise).point([value * (GRAIN + 1) // 256 for value in range(256)])
    whole = Image.new("L", (width, height))
    for y in range(0, height, side):
        for x in range(0, width, side):
            whole.paste(tile, (x, y))
    return Image.merge("RGB", (whole, whole, whole))


def _caption(image: Image.Image, text: str) -> None:
    """Write small in the lower right corner, readable on light and dark."""
    font = _font(max(8, image.height // 55))
    _, _, wide, high = font.getbbox(text)
    x, y = image.width - wide - image.height // 50, image.height - high - image.height // 55
    draw = ImageDraw.Draw(image)
    draw.text((x + 1, y + 1), text, font=font, fill=(20, 20, 28))
    draw.text((x, y), text, font=font, fill=(236, 236, 232))


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _encoded(image: Image.Image, image_format: ImageFormat) -> bytes:
    encoder, effort = ENCODINGS[image_format]
    encoded = io.BytesIO()
    image.save(encoded, encoder, **effort)
    return encoded.getvalue()
