"""Real files, made on the spot."""

import io
import struct
import wave
import zlib

from PIL import Image


def a_picture(kind: str, size: tuple[int, int] = (40, 30)) -> bytes:
    """A picture of one colour, in a format as Pillow names it."""
    made = io.BytesIO()
    Image.new("RGB", size, (10, 120, 200)).save(made, kind)
    return made.getvalue()


def a_sound(milliseconds: int = 500, rate: int = 8_000) -> bytes:
    """A silent WAV."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(2 * rate * milliseconds // 1000))
    return made.getvalue()


def a_sound_that_claims(rate: int, frames: int) -> bytes:
    """A WAV whose header says so, whatever follows."""
    size = frames * 2
    head = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, 0, 2, 16)
    return head + b"data" + struct.pack("<I", size) + bytes(64)


def a_png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header says so, with a right checksum."""
    whole = a_picture("PNG")
    head = b"IHDR" + struct.pack(">II", width, height) + whole[24:29]
    return whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:]
