"""Real films and sounds in containers, made on the spot: small, but whole."""

import math
import struct

from tests.media_files import a_sound


def a_box(kind: bytes, *content: bytes) -> bytes:
    """A box of an MP4."""
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def an_mp4(
    width: int = 64, height: int = 48, milliseconds: int = 2_500, *, media: bytes = bytes(500), brand: bytes = b"isom",
    moov_first: bool = False,
) -> bytes:  # fmt: skip
    """A film with a sound track before the film's own."""
    head = a_box(b"mvhd", bytes(12), struct.pack(">II", 1_000, milliseconds), bytes(80))
    sides = struct.pack(">II", width << 16, height << 16)
    sound = a_box(b"trak", a_box(b"tkhd", bytes(76), bytes(8)))
    film = a_box(b"trak", a_box(b"tkhd", bytes(76), sides), a_box(b"mdia"))
    description, content = a_box(b"moov", head, sound, film), a_box(b"mdat", media)
    order = (description, content) if moov_first else (content, description)
    return b"".join([a_box(b"ftyp", brand, bytes(4), brand), *order])


def a_large_mp4_head(size: int) -> bytes:
    """What goes before the media of a film of so many bytes in all, which then must be nothing but media."""
    start = an_mp4(moov_first=True, media=b"")[:-8]
    return start + struct.pack(">I4sQ", 1, b"mdat", size - len(start))


def a_webm(content: bytes = bytes(300), *, streamed: bool = False) -> bytes:
    """A head, and one segment that holds so much; `streamed`: whose length its writer did not know."""
    length = (1 << 56) - 1 if streamed else len(content)
    head = b"\x1a\x45\xdf\xa3\x93\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\x82\x84webm"
    return head + b"\x18\x53\x80\x67" + struct.pack(">Q", 1 << 56 | length) + content


def an_mp3(frames: int = 100) -> bytes:
    """Silence of 128 kbit/s at 44,100 Hz: 26.12 ms a frame."""
    return (b"\xff\xfb\x90\xc4" + bytes(413)) * frames


def a_float_sound(milliseconds: int = 500, rate: int = 8_000) -> bytes:
    """A WAV of floating point numbers, as numerical libraries write it, which the standard library does not read."""
    samples = rate * milliseconds // 1000
    content = b"".join(struct.pack("<f", math.sin(number / 5)) for number in range(samples))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, rate, rate * 4, 4, 32)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


def a_streamed_sound(milliseconds: int = 500) -> bytes:
    """A WAV that was written to a pipe: nobody could go back and say how long it had become."""
    whole = bytearray(a_sound(milliseconds))
    at = whole.index(b"data")
    whole[4:8] = whole[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    return bytes(whole)


def an_avi() -> bytes:
    """The outermost list of one."""
    body = b"AVI " + struct.pack("<4sI", b"LIST", 100) + bytes(100)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def an_aiff() -> bytes:
    """Half a second of silence."""
    rate = bytes.fromhex("400bfa00000000000000")  # 8,000 as a number of 80 bits
    common = a_chunk(b"COMM", struct.pack(">hIh", 1, 4_000, 16) + rate)
    body = b"AIFF" + common + a_chunk(b"SSND", bytes(8) + bytes(8_000))
    return b"FORM" + struct.pack(">I", len(body)) + body


def a_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of an AIFF."""
    return kind + struct.pack(">I", len(content)) + content
