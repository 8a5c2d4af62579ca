"""The provider that needs no account."""

import io
from typing import Any

import pytest
from PIL import Image

from generator_service.calls import Call, Capability, Failed, Finished, Running
from generator_service.providers.fake import LIFETIME, FakeProvider, draw, extension_of
from schemas.identity import generation_id_of
from tests.builders import ANOTHER_JOB, JOB, NOON, a_call, later


def provider(latency: float = 0) -> FakeProvider:
    return FakeProvider("http://generator:8101", latency)


async def test_without_latency_a_call_is_finished_at_once() -> None:
    call = a_call(outputs=(2, 3))

    answer = await provider().submit(call, NOON)

    assert isinstance(answer, Finished)
    assert answer.provider_id == f"fake-{call.generation_id}"
    assert [source.url for source in answer.sources if source.kind == "url"] == [
        f"http://generator:8101/media/{call.generation_id}/2.jpg",
        f"http://generator:8101/media/{call.generation_id}/3.jpg",
    ]
    assert {source.expires_at for source in answer.sources if source.kind == "url"} == {NOON + LIFETIME}


async def test_asking_again_is_the_same_call() -> None:
    assert Capability.CLIENT_ID in FakeProvider.capabilities
    assert await provider(2).submit(a_call(), NOON) == await provider(2).submit(a_call(), NOON)


async def test_with_latency_a_call_runs_first_and_is_finished_when_its_time_has_come() -> None:
    slow = provider(latency=2)

    running = await slow.submit(a_call(), NOON)
    assert isinstance(running, Running)
    assert running.look_at is not None
    submitted = a_call(submitted_at=NOON, provider_id=running.provider_id)

    assert 1.5 <= (running.look_at - NOON).total_seconds() <= 2.5
    assert await slow.poll(submitted, NOON) == running
    assert isinstance(await slow.poll(submitted, running.look_at), Finished)


async def test_calls_finish_one_after_the_other() -> None:
    calls = [a_call(generation_id=generation_id_of(job, 1, n)) for job in (JOB, ANOTHER_JOB) for n in range(5)]

    answers = [await provider(latency=10).submit(call, NOON) for call in calls]

    assert len({answer.look_at for answer in answers if isinstance(answer, Running)}) > 5


async def test_the_provider_that_was_asked_and_the_one_that_is_polled_may_be_two() -> None:
    running = await provider(latency=2).submit(a_call(), NOON)
    assert isinstance(running, Running)
    assert running.look_at is not None

    assert isinstance(await provider(latency=2).poll(a_call(submitted_at=NOON), later(60)), Finished)


async def test_outputs_that_shall_fail_fail_for_good_and_others_do_not() -> None:
    trouble: dict[str, Any] = {"fail_outputs": [1]}

    refused = await provider().submit(a_call(outputs=(1,), input=trouble), NOON)

    assert isinstance(refused, Failed)
    assert (refused.code, refused.retryable) == ("content_policy", False)
    assert refused.provider_id is not None  # it would say so again, so it speaks for a lost asking too
    assert isinstance(await provider().submit(a_call(outputs=(0,), input=trouble), NOON), Finished)


async def test_a_call_for_several_outputs_fails_when_one_of_them_shall() -> None:
    call = a_call(outputs=(0, 1, 2), input={"fail_outputs": [1]})

    assert isinstance(await provider().submit(call, NOON), Failed)


async def test_so_many_attempts_fail_in_a_way_that_is_tried_again() -> None:
    answers = [await provider().submit(a_call(attempt=n, input={"fail_attempts": 2}), NOON) for n in (1, 2, 3)]

    assert [isinstance(answer, Failed) and answer.retryable for answer in answers] == [True, True, False]
    assert isinstance(answers[2], Finished)


@pytest.mark.parametrize(
    "given", [{"fail_outputs": "all"}, {"fail_attempts": "2"}, {"fail_outputs": None}, {"fail_attempts": 0}], ids=str
)
async def test_trouble_that_cannot_be_meant_is_no_trouble(given: dict[str, Any]) -> None:
    assert isinstance(await provider().submit(a_call(input=given), NOON), Finished)


@pytest.mark.parametrize(
    ("asked", "made"),
    [(None, "jpg"), ("jpg", "jpg"), ("jpeg", "jpg"), ("png", "png"), ("webp", "webp"), ("tiff", "jpg")],
)
def test_a_picture_has_the_format_asked_for_where_the_fake_can_make_it(asked: str | None, made: str) -> None:
    assert extension_of(a_call(output_format=asked)) == made


def test_a_model_for_sounds_makes_sounds_whatever_is_asked_for() -> None:
    assert extension_of(a_call(model="fake/tones", output_format="jpg")) == "wav"


@pytest.mark.parametrize(("asked", "kind"), [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")])
def test_what_is_drawn_is_what_was_asked_for_and_the_same_each_time(asked: str, kind: str) -> None:
    call = a_call(output_format=asked)

    picture = draw(call, 0)

    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == kind
    assert draw(call, 0) == picture


def test_what_is_played_is_a_sound() -> None:
    assert draw(a_call(model="fake/tones"), 0).startswith(b"RIFF")


def test_outputs_of_a_call_differ() -> None:
    call: Call = a_call(outputs=(0, 1))

    assert draw(call, 0) != draw(call, 1)
