"""A body that breaks off is taken up where it did, and only ever with the rest of the same bytes."""

import pytest

from tests.integration.uploader_service.fetching.landed import (
    FILE,
    IN_MEMORY,
    fetched,
    outcome_of,
)
from tests.strange_sources import (
    Answers,
    BreaksOff,
    Chunked,
    EndsEarly,
    GivesLess,
    Lies,
    Replaced,
    StrangeSources,
)
from uploader_service.fetch import RESUMES, Fetcher
from uploader_service.landing import Landing


@pytest.mark.parametrize("after", [1, 5_000, IN_MEMORY + 7])
async def test_a_source_that_breaks_off_is_taken_up_where_it_did(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, after: int
) -> None:
    place = sources.put("file", FILE, BreaksOff(after))

    assert await fetched(fetcher, sources.at("file"), landing) == FILE
    assert place.asked[1]["if-range"] == '"one"'
    assert place.asked[1]["range"] == f"bytes={max(0, after - 4_096)}-"


async def test_a_source_that_breaks_off_again_and_again_is_taken_up_a_few_times(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("file", FILE, *[BreaksOff(70_000)] * RESUMES)

    assert await fetched(fetcher, sources.at("file"), landing) == FILE


async def test_a_part_that_is_shorter_than_asked_for_is_not_the_end(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    place = sources.put("file", FILE, BreaksOff(10_000), GivesLess(100_000))

    assert await fetched(fetcher, sources.at("file"), landing) == FILE
    assert [asked.get("range") for asked in place.asked] == [None, "bytes=5904-", f"bytes={105_904 - 4_096}-"]


async def test_a_source_that_always_breaks_off_is_given_up_until_later(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    place = sources.put("file", FILE, *[BreaksOff(10_000)] * 10)

    outcome = await outcome_of(fetcher, sources.at("file"), landing)

    assert (outcome.code, outcome.passing, len(place.asked)) == ("source_unavailable", True, RESUMES + 1)


async def test_a_date_will_do_where_there_is_no_strong_tag(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    place = sources.put("file", FILE, BreaksOff(10_000))
    place.etag, place.last_modified = 'W/"one"', "Mon, 12 Jan 2026 12:00:00 GMT"

    assert await fetched(fetcher, sources.at("file"), landing) == FILE
    assert place.asked[1]["if-range"] == place.last_modified


@pytest.mark.parametrize("lacking", ["etag", "in_ranges"])
async def test_a_source_whose_rest_cannot_be_asked_for_is_never_taken_for_whole(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, lacking: str
) -> None:
    place = sources.put("file", FILE, BreaksOff(10_000))
    setattr(place, lacking, "")

    outcome = await outcome_of(fetcher, sources.at("file"), landing)

    assert (outcome.code, outcome.passing, len(place.asked)) == ("source_unavailable", True, 1)


async def test_a_source_that_changed_meanwhile_is_taken_anew(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("file", FILE, BreaksOff(10_000), Replaced(FILE[::-1]))

    assert await fetched(fetcher, sources.at("file"), landing) == FILE[::-1]


@pytest.mark.parametrize(
    "lie",
    [
        Lies(), Lies("bytes 0-255999/256000"), Lies("bytes 5904-255999/999999"), Lies("bytes 5904-1/256000"),
        Lies("bytes 5904-256000/256000"), Lies("nonsense"),
    ],
)  # fmt: skip
async def test_a_server_that_lies_about_parts_is_asked_for_the_whole(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing, lie: Lies
) -> None:
    place = sources.put("file", FILE, BreaksOff(10_000), lie)

    assert await fetched(fetcher, sources.at("file"), landing) == FILE
    assert ["range" in asked for asked in place.asked] == [False, True, False]


async def test_a_server_that_has_no_such_part_any_more_is_asked_for_the_whole(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    place = sources.put("file", FILE, BreaksOff(10_000), Answers(416))

    assert await fetched(fetcher, sources.at("file"), landing) == FILE
    assert "range" not in place.asked[2]


async def test_a_source_that_is_gone_when_its_rest_is_asked_for_has_expired(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("file", FILE, BreaksOff(10_000), Answers(404))

    assert (await outcome_of(fetcher, sources.at("file"), landing)).code == "source_expired"


async def test_a_body_whose_length_nobody_said_is_not_vouched_for(
    sources: StrangeSources, fetcher: Fetcher, landing: Landing
) -> None:
    sources.put("short", FILE, EndsEarly(10_000))
    sources.put("file", FILE, Chunked())

    await fetcher.fetch(sources.at("short"), "fake", landing)
    assert (landing.size, landing.vouched) == (10_000, False)

    await landing.restart()
    await fetcher.fetch(sources.at("file"), "fake", landing)
    assert (landing.size, landing.vouched) == (len(FILE), True)
