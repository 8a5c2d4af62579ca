"""What a file is, read from its bytes alone."""

import random

import pytest
from PIL import features

from tests.media_files import a_picture, a_png_that_claims, a_sound, a_sound_that_claims
from uploader_service.sniff import NotMediaError, Sniffed, sniff


@pytest.mark.parametrize(
    ("kind", "content_type", "extension"),
    [
        ("JPEG", "image/jpeg", "jpg"), ("PNG", "image/png", "png"), ("WEBP", "image/webp", "webp"),
        ("GIF", "image/gif", "gif"), ("BMP", "image/bmp", "bmp"), ("TIFF", "image/tiff", "tif"),
    ],
)  # fmt: skip
def test_a_picture_is_known_by_its_bytes_and_measured(kind: str, content_type: str, extension: str) -> None:
    assert sniff(a_picture(kind)) == Sniffed(content_type, extension, width=40, height=30)


def test_a_sound_is_known_by_its_bytes_and_its_length_is_read() -> None:
    assert sniff(a_sound(milliseconds=500)) == Sniffed("audio/wav", "wav", duration_ms=500)


@pytest.mark.parametrize(
    ("content", "content_type", "extension"),
    [
        (b"ID3\x04" + bytes(200), "audio/mpeg", "mp3"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(200), "video/mp4", "mp4"),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x23B\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm",
         "video/webm", "webm"),
    ],
    ids=["mp3", "mp4", "webm"],
)  # fmt: skip
def test_other_sounds_and_videos_are_named_without_measures(content: bytes, content_type: str, extension: str) -> None:
    assert sniff(content) == Sniffed(content_type, extension)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00", b"x", b"<!DOCTYPE html><html><body>Not found</body></html>", b'{"error": "expired"}',
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"PK\x03\x04" + bytes(100),
        b"\x1f\x8b\x08" + bytes(100), b"MZ" + bytes(100), bytes(10_000),
    ],
    ids=lambda content: ascii(content[:14]),
)  # fmt: skip
def test_what_is_neither_picture_sound_nor_video_is_refused(content: bytes) -> None:
    with pytest.raises(NotMediaError, match="neither picture, sound nor video"):
        sniff(content)


def test_a_page_that_pretends_to_be_a_picture_by_its_first_bytes_is_refused() -> None:
    with pytest.raises(NotMediaError, match="broken"):
        sniff(b"\xff\xd8\xff<html><body>not found</body></html>")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_picture_that_ends_within_its_header_is_refused(kind: str) -> None:
    with pytest.raises(NotMediaError):
        sniff(a_picture(kind)[:14])


def test_a_picture_that_ends_after_its_header_is_measured_all_the_same() -> None:
    """Whole transfers are the fetcher's business: nothing is decoded here."""
    whole = a_picture("PNG", (400, 300))

    assert sniff(whole[: len(whole) // 2]).width == 400


@pytest.mark.parametrize("size", [(2**32 - 1, 1), (1, 2**31)])
def test_a_picture_of_an_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(NotMediaError, match="longer than any"):
        sniff(a_png_that_claims(*size))


def test_a_picture_far_too_large_to_decode_is_measured_without_being_decoded() -> None:
    assert sniff(a_png_that_claims(100_000, 100_000)).width == 100_000


@pytest.mark.parametrize(("rate", "frames"), [(0, 100), (1, 2**31 - 1)])
def test_a_sound_whose_header_cannot_be_meant_has_no_length(rate: int, frames: int) -> None:
    assert sniff(a_sound_that_claims(rate, frames)) == Sniffed("audio/wav", "wav")


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some of them
def test_no_damage_to_a_file_does_more_than_have_it_refused() -> None:
    chance = random.Random(20260112)
    kinds = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "ICO", *(["AVIF"] if features.check("avif") else [])]
    files = [a_picture(kind) for kind in kinds] + [a_sound(20)]
    refused = 0

    for _ in range(4_000):
        damaged = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 2, 4, 16))):
            damaged[chance.randrange(min(len(damaged), 200))] = chance.choice((0, 255, 127, 128, chance.randrange(256)))
        if chance.random() < 0.2:
            del damaged[chance.randrange(len(damaged)) :]
        try:
            seen = sniff(bytes(damaged))
        except NotMediaError:
            refused += 1
        else:
            assert all(0 <= (side or 0) < 2**31 for side in (seen.width, seen.height, seen.duration_ms))

    assert 100 < refused < 3_900
