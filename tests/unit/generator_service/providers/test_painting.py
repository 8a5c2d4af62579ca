"""The fake provider's pictures: always the same, never alike, readable in every format."""

import hashlib
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest
from PIL import Image

from generator_service.providers.painting import ENCODINGS, ImageFormat, paint
from generator_service.providers.scenery.scenes import SCENES
from generator_service.providers.scenery.themes import Subject, theme_of

FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
IN_A_FRESH_PROCESS = """
import hashlib
from generator_service.providers.painting import paint
picture = paint(model="fake/painter", prompt="a city", seed=7, index=0, image_format="jpg", width=320, height=240)
print(hashlib.sha256(picture).hexdigest())
"""


def a_picture(**changes: Any) -> bytes:
    ask: dict[str, Any] = {
        "model": "fake/painter", "prompt": "a city", "seed": 7, "index": 0, "image_format": "jpg",
        "width": 320, "height": 240,
    }  # fmt: skip
    return paint(**ask | changes)


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_same_ask_gives_the_same_bytes(image_format: ImageFormat) -> None:
    assert a_picture(image_format=image_format) == a_picture(image_format=image_format)


def test_another_process_paints_the_same_bytes() -> None:
    told = subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], capture_output=True, check=True, text=True)

    assert told.stdout.strip() == hashlib.sha256(a_picture()).hexdigest()


def test_threads_that_paint_at_once_do_not_disturb_each_other() -> None:
    with ThreadPoolExecutor(8) as threads:
        pictures = list(threads.map(lambda number: a_picture(seed=number % 4), range(32)))

    assert pictures == [a_picture(seed=number % 4) for number in range(32)]


@pytest.mark.parametrize(
    "change", [{"model": "fake/other"}, {"prompt": "a city!"}, {"seed": 8}, {"seed": -7}, {"index": 1}], ids=str
)
def test_another_ask_gives_another_picture(change: dict[str, Any]) -> None:
    assert a_picture(**change) != a_picture()


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("size", [(1024, 768), (333, 501), (1, 1), (64, 2100)], ids=str)
def test_every_format_decodes_and_has_its_size(image_format: ImageFormat, size: tuple[int, int]) -> None:
    picture = a_picture(image_format=image_format, width=size[0], height=size[1])

    with Image.open(io.BytesIO(picture)) as image:
        image.load()
    assert (image.format, image.size) == (ENCODINGS[image_format][0], size)


@pytest.mark.parametrize("subject", get_args(Subject))
@pytest.mark.parametrize("mood", ["", "sunset", "dawn", "day", "night", "winter"])
def test_every_subject_can_be_painted_in_every_mood_and_composition(subject: Subject, mood: str) -> None:
    pictures = {a_picture(prompt=f"{subject} {mood}", index=index) for index in range(4)}

    assert len(pictures) == 4


@pytest.mark.parametrize(
    "prompt",
    ["", " ", "\n", "a", "🌆🌊", "ein Schloß im Nebel", "\ud800", "\0", "x" * 65536, "city " * 13107, "星空"],
    ids=lambda prompt: ascii(prompt[:12]),
)
def test_any_prompt_gives_a_picture(prompt: str) -> None:
    with Image.open(io.BytesIO(a_picture(prompt=prompt))) as image:
        assert image.size == (320, 240)


def test_a_picture_for_the_demo_is_of_a_size_that_real_models_make() -> None:
    picture = a_picture(prompt="A futuristic city at sunset", width=1024, height=768)

    assert 50_000 < len(picture) < 200_000


def test_the_prompts_words_choose_subject_and_mood() -> None:
    theme = theme_of("fake/painter", "A futuristic CITY, at sunset", 1, 0)

    assert (theme.subject, theme.palette.mood) == ("city", "sunset")


def test_the_outputs_of_a_job_share_the_subject_and_differ_in_colours_and_composition() -> None:
    themes = [theme_of("fake/painter", "something nobody knows a word of", 1, index) for index in range(4)]

    assert len({theme.subject for theme in themes}) == 1
    assert len({theme.palette for theme in themes}) == len({theme.take % 4 for theme in themes}) == 4


def test_every_subject_has_a_scene() -> None:
    assert set(SCENES) == set(get_args(Subject))
