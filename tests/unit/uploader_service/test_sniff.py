"""What a file is, read from its bytes alone; that it is all there; and whether that was asked for."""

import asyncio
import random
from pathlib import Path

import pytest
from PIL import features

from tests.film_files import (
    a_float_sound,
    a_large_mp4_head,
    a_streamed_sound,
    a_webm,
    an_aiff,
    an_avi,
    an_mp3,
    an_mp4,
)
from tests.media_files import a_picture, a_png_that_claims, a_sound, a_sound_that_claims
from uploader_service.decide import NotStored
from uploader_service.landing import Landing
from uploader_service.sniff import NotMediaError, Sniffed, sniff, unexpected
from uploader_service.structure import PORTION

GIGABYTE = 1 << 30
FILMS = {
    "mp4": an_mp4(), "moov first": an_mp4(moov_first=True), "mov": an_mp4(brand=b"qt  "), "webm": a_webm(),
    "wav": a_sound(), "float wav": a_float_sound(), "avi": an_avi(), "aiff": an_aiff(),
    "heic": an_mp4(brand=b"heic").replace(b"moov", b"meta"),
}  # fmt: skip
PICTURES = ["JPEG", "PNG", "WEBP", "GIF", "BMP", *(["AVIF"] if features.check("avif") else [])]


def landed(content: bytes) -> Landing:
    """Bytes that have landed in memory."""
    landing = Landing(Path("/nowhere/output"), GIGABYTE)
    asyncio.run(landing.write(content))
    return landing


def seen(content: bytes) -> Sniffed:
    return sniff(landed(content))


@pytest.mark.parametrize(
    ("kind", "content_type", "extension"),
    [
        ("JPEG", "image/jpeg", "jpg"), ("PNG", "image/png", "png"), ("WEBP", "image/webp", "webp"),
        ("GIF", "image/gif", "gif"), ("BMP", "image/bmp", "bmp"), ("TIFF", "image/tiff", "tif"),
    ],
)  # fmt: skip
def test_a_picture_is_known_by_its_bytes_and_measured(kind: str, content_type: str, extension: str) -> None:
    assert seen(a_picture(kind)) == Sniffed(content_type, extension, width=40, height=30)


@pytest.mark.parametrize("content", [a_sound(500), a_float_sound(500), a_streamed_sound(500)])
def test_a_sound_is_known_by_its_bytes_and_its_length_is_read(content: bytes) -> None:
    assert seen(content) == Sniffed("audio/wav", "wav", duration_ms=500)


@pytest.mark.parametrize("moov_first", [True, False])
def test_a_film_is_measured_in_space_and_time(moov_first: bool) -> None:
    film = an_mp4(1_280, 720, 4_200, moov_first=moov_first)

    assert seen(film) == Sniffed("video/mp4", "mp4", width=1_280, height=720, duration_ms=4_200)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (an_mp3(100), Sniffed("audio/mpeg", "mp3", duration_ms=2_612)),
        (a_webm(), Sniffed("video/webm", "webm")),
        (a_webm(streamed=True), Sniffed("video/webm", "webm")),
        (an_mp4(0, 0, brand=b"M4A "), Sniffed("audio/mp4", "m4a", duration_ms=2_500)),
        (an_mp4(brand=b"qt  "), Sniffed("video/quicktime", "mov", 64, 48, 2_500)),
        (an_mp4(milliseconds=0), Sniffed("video/mp4", "mp4", 64, 48)),
        (an_avi(), Sniffed("video/x-msvideo", "avi")),
        (an_aiff(), Sniffed("audio/x-aiff", "aiff", duration_ms=500)),
    ],
    ids=["mp3", "webm", "streamed webm", "m4a", "mov", "fragmented mp4", "avi", "aiff"],
)
def test_other_sounds_and_films_are_named_with_what_is_cheap_to_read(content: bytes, expected: Sniffed) -> None:
    assert seen(content) == expected


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
    with pytest.raises(NotMediaError, match="neither picture, sound nor video") as refused:
        seen(content)

    assert (refused.value.outcome.code, refused.value.outcome.passing) == ("output_unexpected", False)


def test_a_page_that_pretends_to_be_a_picture_by_its_first_bytes_is_refused() -> None:
    with pytest.raises(NotMediaError, match=r"broken|cut off"):
        seen(b"\xff\xd8\xff<html><body>not found</body></html>")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_that_is_cut_off_anywhere_is_refused(kind: str, share: float) -> None:
    whole = a_picture(kind, (640, 480))

    with pytest.raises(NotMediaError):
        seen(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", FILMS)
def test_a_sound_or_film_that_is_cut_off_anywhere_is_refused(kind: str, share: float) -> None:
    whole = FILMS[kind]

    assert seen(whole).extension
    with pytest.raises(NotMediaError) as refused:
        seen(whole[: int(len(whole) * share)])
    assert (refused.value.outcome.code, refused.value.outcome.passing) == ("output_unreadable", False)


def test_what_may_have_been_cut_off_on_its_way_is_asked_for_again() -> None:
    landing = landed(a_picture("JPEG")[:-20])
    landing.vouched = False

    with pytest.raises(NotMediaError, match="cut off") as refused:
        sniff(landing)

    assert refused.value.outcome.passing


@pytest.mark.parametrize("padding", [bytes(3), bytes(5_000), b"\n", b"made by somebody"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_behind_the_end_does_not_matter(kind: str, padding: bytes) -> None:
    assert seen(a_picture(kind) + padding).width == 40


def test_a_gif_may_be_padded() -> None:
    assert seen(a_picture("GIF") + bytes(30)).width == 40


def test_the_end_mark_of_a_thumbnail_is_not_the_pictures() -> None:
    whole = a_picture("JPEG", (640, 480))
    thumbnail = b"\xff\xe1" + (2 + 300).to_bytes(2) + b"\xff\xd9" * 150
    with_thumbnail = whole[:2] + thumbnail + whole[2:]

    assert seen(with_thumbnail).width == 640
    with pytest.raises(NotMediaError, match="cut off"):
        seen(with_thumbnail[:-2])


def test_an_end_mark_is_found_wherever_the_reading_stops() -> None:
    whole = a_picture("JPEG")
    scan = whole.index(b"\xff\xda")
    body = scan + 2 + int.from_bytes(whole[scan + 2 : scan + 4])

    for length in (PORTION - 1, PORTION, 2 * PORTION - 1):
        assert seen(whole[:body] + bytes(length) + b"\xff\xd9").width == 40
    with pytest.raises(NotMediaError, match="cut off"):
        seen(whole[:body] + bytes(PORTION - 1) + b"\xff" + bytes(PORTION) + b"\xd9")


def test_a_film_without_its_description_is_refused() -> None:
    with pytest.raises(NotMediaError, match="description is missing"):
        seen(an_mp4().replace(b"moov", b"free"))


@pytest.mark.parametrize(
    "content", [an_mp4()[:-8] + b"\0\0\0\4", an_mp4(moov_first=True) + b"\0\0\0\7oops" + bytes(50)]
)
def test_a_film_whose_boxes_make_no_sense_is_refused(content: bytes) -> None:
    with pytest.raises(NotMediaError):
        seen(content)


def test_nobody_makes_us_walk_through_a_file_of_nothing_but_heads() -> None:
    with pytest.raises(NotMediaError, match="no end of boxes"):
        seen(an_mp4() + b"\0\0\0\x08free" * 200_000)


async def test_a_film_of_half_a_gigabyte_is_measured_without_being_read(tmp_path: Path) -> None:
    size, path = 500 << 20, tmp_path / "film"
    with path.open("wb") as file:
        file.write(a_large_mp4_head(size))
        file.truncate(size)
    landing = await Landing.kept(path, 1 << 20)
    assert landing is not None

    async with asyncio.timeout(1):
        assert await asyncio.to_thread(sniff, landing) == Sniffed("video/mp4", "mp4", 64, 48, 2_500)

    with path.open("r+b") as file:
        file.truncate(size - 1)
    cut = await Landing.kept(path, 1 << 20)
    assert cut is not None
    with pytest.raises(NotMediaError, match="1 bytes later"):
        sniff(cut)


@pytest.mark.parametrize("size", [(2**32 - 1, 1), (1, 2**31)])
def test_a_picture_of_an_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(NotMediaError, match="longer than any"):
        seen(a_png_that_claims(*size))


def test_a_picture_far_too_large_to_decode_is_measured_without_being_decoded() -> None:
    assert seen(a_png_that_claims(100_000, 100_000)).width == 100_000


def test_a_sound_whose_header_cannot_be_meant_has_no_length() -> None:
    whole = bytearray(a_sound())
    whole[28:32] = bytes(4)  # no byte a second

    assert seen(bytes(whole)) == Sniffed("audio/wav", "wav")


@pytest.mark.parametrize(("rate", "frames"), [(8_000, 100), (1, 2**31 - 1)])
def test_a_sound_that_promises_more_than_there_is_is_refused(rate: int, frames: int) -> None:
    with pytest.raises(NotMediaError, match="cut off"):
        seen(a_sound_that_claims(rate, frames))


@pytest.mark.parametrize(
    ("asked", "content_type"),
    [
        (None, "audio/wav"), ("", "video/mp4"), ("something new", "image/png"), ("mp3_44100_128", "image/png"),
        ("jpg", "image/jpeg"), ("JPG", "image/webp"), ("png", "image/avif"), ("wav", "audio/mpeg"),
        ("mp3", "video/mp4"), ("opus", "video/webm"), ("mp4", "video/webm"), ("mp4", "image/gif"), ("gif", "video/mp4"),
        ("gif", "image/webp"),
    ],
)  # fmt: skip
def test_another_format_of_the_same_kind_is_taken_because_it_is_paid_for(asked: str | None, content_type: str) -> None:
    assert unexpected(asked, Sniffed(content_type, "x")) is None


@pytest.mark.parametrize(
    ("asked", "content_type"),
    [
        ("jpg", "audio/wav"), ("webp", "video/mp4"), ("wav", "image/png"), ("mp3", "image/jpeg"),
        ("mp4", "image/jpeg"), ("webm", "audio/mpeg"), ("gif", "audio/wav"),
    ],
)  # fmt: skip
def test_another_kind_than_was_asked_for_is_a_failure_that_says_so(asked: str, content_type: str) -> None:
    wrong = unexpected(asked, Sniffed(content_type, "x"))

    assert wrong is not None
    assert wrong.outcome == NotStored(
        "output_unexpected", f"asked for {asked}, the model made {content_type}", passing=False
    )


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some of them
def test_no_damage_to_a_file_does_more_than_have_it_refused() -> None:
    chance = random.Random(20260112)
    files = [a_picture(kind) for kind in [*PICTURES, "TIFF", "ICO"]]
    files += [
        a_sound(20),
        a_float_sound(20),
        an_mp4(),
        an_mp4(moov_first=True),
        a_webm(),
        an_mp3(3),
        an_aiff(),
        an_avi(),
    ]
    refused, tries = 0, 8_000

    for _ in range(tries):
        damaged = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 2, 4, 16))):
            damaged[chance.randrange(min(len(damaged), 400))] = chance.choice((0, 255, 127, 128, chance.randrange(256)))
        if chance.random() < 0.2:
            del damaged[chance.randrange(len(damaged)) :]
        landing = Landing(Path("/nowhere/output"), GIGABYTE)
        landing._memory, landing.size = bytes(damaged), len(damaged)
        try:
            found = sniff(landing)
        except NotMediaError:
            refused += 1
        else:
            assert all(0 <= (side or 0) < 2**31 for side in (found.width, found.height, found.duration_ms))

    assert 100 < refused < tries - 100
