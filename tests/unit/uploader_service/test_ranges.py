"""When the rest of a body can be asked for, and what is taken for it."""

import pytest

from uploader_service.ranges import Version

WHOLE = Version('"one"', 1_000, in_ranges=True)


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, Version(None, None, False)),
        ({"ETag": '"one"', "Content-Length": "1000", "Accept-Ranges": "bytes"}, WHOLE),
        ({"ETag": 'W/"one"', "Accept-Ranges": "none"}, Version(None, None, False)),
        ({"ETag": 'W/"one"', "Last-Modified": "a date"}, Version("a date", None, False)),
        ({"ETag": '""', "Content-Length": "-1"}, Version(None, None, False)),
        ({"Content-Length": "9" * 30, "Accept-Ranges": "Bytes"}, Version(None, None, True)),
    ],
)
def test_a_version_is_what_the_headers_say(headers: dict[str, str], version: Version) -> None:
    assert Version.of(headers) == version


@pytest.mark.parametrize(
    ("version", "resumable"),
    [
        (WHOLE, True), (Version("a date", None, True), True),
        (Version('"one"', 9, False), False), (Version(None, 9, True), False),
    ],
)  # fmt: skip
def test_only_parts_of_what_has_a_name_can_be_asked_for(version: Version, resumable: bool) -> None:
    assert version.resumable is resumable


@pytest.mark.parametrize("said", ["bytes 400-999/1000", "bytes 400-999/*", "bytes 400-500/1000"])
def test_an_answer_from_the_very_byte_asked_for_is_the_rest(said: str) -> None:
    assert WHOLE.goes_on({"Content-Range": said, "ETag": '"one"'}, 400) == WHOLE
    assert WHOLE.goes_on({"Content-Range": said}, 400) == WHOLE


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Content-Range": ""}, {"Content-Range": "bytes 0-999/1000"}, {"Content-Range": "bytes 401-999/1000"},
        {"Content-Range": "bytes 400-999/1001"}, {"Content-Range": "bytes 400-1000/1000"},
        {"Content-Range": "bytes 400-399/1000"}, {"Content-Range": "bytes */1000"},
        {"Content-Range": "lines 400-999/1000"},
        {"Content-Range": "bytes 400-999/1000", "ETag": '"two"'},
        {"Content-Range": "bytes 400-999/1000", "Content-Type": "multipart/byteranges", "ETag": 'W/"one"'},
    ],
    ids=str,
)  # fmt: skip
def test_any_other_answer_is_not(headers: dict[str, str]) -> None:
    assert WHOLE.goes_on(headers, 400) is None


def test_the_rest_may_say_how_long_the_whole_is() -> None:
    version = Version("a date", None, in_ranges=True)

    assert version.goes_on({"Content-Range": "bytes 400-999/1000", "ETag": '"new"'}, 400) == Version(
        "a date", 1_000, True
    )
