"""The pictures that benches store."""

import io
from pathlib import Path

from PIL import Image

from bench.pictures import BYTES, picture
from uploader_service.landing import Landing
from uploader_service.sniff import sniff


def test_a_picture_is_a_whole_jpeg_of_exactly_the_promised_size() -> None:
    for number in range(20):
        content = picture(number)

        with Image.open(io.BytesIO(content)) as opened:
            opened.load()
            assert (opened.format, opened.size) == ("JPEG", (250, 250))
        assert len(content) == BYTES


def test_no_two_pictures_are_alike_and_each_is_the_same_every_time() -> None:
    assert len({picture(number) for number in range(50)}) == 50
    assert picture(7) == picture(7)


async def test_the_uploader_takes_one_for_what_it_is(tmp_path: Path) -> None:
    landing = Landing(tmp_path / "output", BYTES)
    await landing.write(picture(0))

    assert sniff(landing).content_type == "image/jpeg"
