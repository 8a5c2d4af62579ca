"""Real JPEG pictures of a given size, no two alike, the same on every machine and in every run."""

import io
import random

from PIL import Image

BYTES = 60_000
"""Of one picture: what a model's picture of half a megapixel takes."""

_SIDE, _QUALITY = 250, 90  # of noise: 58,100 bytes, give or take 200
_COMMENT = b"\xff\xfe"
_HEAD = 4  # bytes of a comment's marker and length


def picture(number: int) -> bytes:
    """The JPEG of that number: noise, which no store or network can make smaller, filled up to `BYTES` by a comment."""
    noise = random.Random(number).randbytes(_SIDE * _SIDE * 3)  # noqa: S311 - it has to be the same each time
    made = io.BytesIO()
    Image.frombytes("RGB", (_SIDE, _SIDE), noise).save(made, "JPEG", quality=_QUALITY)
    drawn = made.getvalue()
    missing = BYTES - len(drawn)
    comment = _COMMENT + (missing - 2).to_bytes(2) + bytes(missing - _HEAD)
    return drawn[:2] + comment + drawn[2:]  # behind the marker that every JPEG begins with
