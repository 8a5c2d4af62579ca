"""Sources go wrong: one that expired is asked for once more, and no other output waits for a bad one."""

from typing import Any

import pytest

from darkroom.simulators.replicate.faults.answers import GatewayError
from darkroom.simulators.replicate.faults.files import (
    FileError,
    FileExpired,
    FileRedirect,
    FileSlow,
    FileTruncated,
    FileWrongType,
)
from schemas.events import MediaGenerated, UploadFailed
from tests.pipeline.storing.site import Made, Site

LIMITS = {"UPLOADER_FETCH_TIMEOUT": "PT1S", "UPLOADER_MAX_ATTEMPTS": "3", "UPLOADER_MAX_BYTES": "150000"}
LARGE = 512  # pixels, and more bytes than that
RETENTION = 3_600  # seconds until the provider removes what it made


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_expired_source_is_asked_for_once_more_and_stored(here: Site, status: Any) -> None:
    await here.uploader(**LIMITS)
    here.replicate.use(FileError(status=status, times=1))
    made = await here.make()

    job = await here.end_of(made)

    assert job["status"] == "COMPLETED"
    assert await asked(here, made) == ([0, 1], [("source_expired", False)])


async def test_a_source_that_is_gone_for_good_fails_after_it_was_asked_for_once(here: Site) -> None:
    await here.uploader(**LIMITS)
    here.replicate.use(FileExpired())
    made = await here.make()

    job = await here.end_of(made)

    assert (job["status"], job["media"][0]["error_code"]) == ("FAILED", "source_expired")
    assert await asked(here, made) == ([0, 1], [("source_expired", False), ("source_expired", True)])


async def test_an_output_that_its_provider_has_removed_fails_when_no_answer_comes(here: Site) -> None:
    await here.close()
    made = await here.make()
    here.replicate.advance(RETENTION)
    await here.uploader(**LIMITS, UPLOADER_RENEWAL_PATIENCE="PT2S")

    job = await here.end_of(made)

    assert (job["status"], job["media"][0]["error_code"]) == ("FAILED", "source_expired")
    assert await asked(here, made) == ([0], [("source_expired", False), ("source_expired", True)])


async def test_a_provider_that_does_not_say_where_an_output_is_is_asked_again(here: Site) -> None:
    await here.close()
    made = await here.make()
    down = GatewayError(on="get", status=503, times=1)
    here.replicate.use(FileError(status=404, times=1), down)
    await here.uploader(**LIMITS)

    job = await here.end_of(made)

    assert (job["status"], await asked(here, made)) == ("COMPLETED", ([0, 1], [("source_expired", False)]))
    assert [fault["struck"] for fault in here.replicate.faults()] == [1, 1]


async def test_three_of_four_outputs_are_served_while_the_fourth_waits_and_after_it_failed(here: Site) -> None:
    await here.uploader(**LIMITS)
    here.replicate.use(FileExpired(nth=(1,)))
    async with here.unwritable("generator.renewals"):  # so that nobody answers where the fourth is
        made = await here.make(outputs=4)
        waiting = await here.waits(made, "source_expired")
        served = await here.pipeline.served(waiting)

    job = await here.end_of(made)

    [late] = [media["index"] for media in waiting["media"] if media["status"] == "PROCESSING"]
    assert served == {index: sum_ for index, sum_ in enumerate(made.sums) if index != late}
    assert (waiting["done"], job["status"]) == (False, "PARTIAL")
    assert (job["media"][late]["error_code"], len(await here.pipeline.served(job))) == ("source_expired", 3)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(FileTruncated(times=1), id="truncated"),
        pytest.param(FileError(status=503, times=2), id="503"),
        pytest.param(FileError(status=429, times=2), id="429"),
        pytest.param(FileSlow(bytes_per_second=100, times=1), id="slow"),
        pytest.param(FileWrongType(body="empty", times=1), id="empty"),
    ],
)
async def test_a_source_that_has_trouble_for_a_moment_is_fetched_all_the_same(here: Site, fault: Any) -> None:
    await here.uploader(**LIMITS)
    here.replicate.use(fault)

    job = await here.end_of(await here.make())

    assert job["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(FileTruncated(), "source_unavailable", id="truncated"),
        pytest.param(FileError(status=500), "source_unavailable", id="500"),
        pytest.param(FileWrongType(body="empty"), "source_unavailable", id="empty"),
        pytest.param(FileSlow(bytes_per_second=100), "source_unavailable", id="a trickle"),
        pytest.param(FileWrongType(body="html"), "output_unexpected", id="a page"),
        pytest.param(FileWrongType(body="other"), "output_unreadable", id="half a picture"),
        pytest.param(FileRedirect(to="http://169.254.169.254/latest/meta-data/"), "source_forbidden", id="metadata"),
        pytest.param(FileRedirect(to="https://10.0.0.1/out.png"), "source_forbidden", id="private"),
        pytest.param(FileRedirect(to="file:///etc/passwd"), "source_forbidden", id="a file"),
        pytest.param(FileRedirect(), "source_forbidden", id="redirects to itself"),
    ],
)
async def test_a_source_that_cannot_be_had_fails_its_output_and_touches_no_generation(
    here: Site, fault: Any, code: str
) -> None:
    await here.uploader(**LIMITS)
    here.replicate.use(fault)
    made = await here.make()

    job = await here.end_of(made)

    [call] = await here.pipeline.calls(made.job_id)
    assert (job["status"], job["media"][0]["error_code"]) == ("FAILED", code)
    assert (call["state"], call["attempt"], await here.objects(made)) == ("SUCCEEDED", 1, {})


async def test_an_output_that_is_too_large_is_not_fetched_to_its_end(here: Site) -> None:
    await here.uploader(**LIMITS)
    made = await here.make(side=LARGE)

    job = await here.end_of(made)

    assert (job["status"], job["media"][0]["error_code"]) == ("FAILED", "output_too_large")
    assert await asked(here, made) == ([0], [("output_too_large", True)])


async def asked(here: Site, made: Made) -> tuple[list[int], list[tuple[str, bool]]]:
    """Which sources were named for a job's output, and which failures were said of it."""
    named = [fact.renewal for fact in await here.pipeline.facts(MediaGenerated, made.job_id)]
    failed = [(fact.code, fact.final) for fact in await here.pipeline.facts(UploadFailed, made.job_id)]
    return named, failed
