"""What the fake provider made, over HTTP."""

import httpx
import pytest
from starlette.applications import Starlette

from generator_service.media import media_routes
from generator_service.providers.fake import draw
from tests.builders import a_call
from tests.fakes import GenerationStore

CALL = a_call(outputs=(2, 3), output_format="png")
PLACE = f"/media/{CALL.generation_id}"


async def get(path: str) -> httpx.Response:
    app = Starlette(routes=media_routes(GenerationStore(calls=[CALL])))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://generator") as client:
        return await client.get(path)


async def test_an_output_is_served_as_what_it_is() -> None:
    answer = await get(f"{PLACE}/3.png")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == draw(CALL, 3)


@pytest.mark.parametrize(
    "path",
    [
        f"{PLACE}/0.png", f"{PLACE}/3.jpg", f"{PLACE}/3", f"{PLACE}/3.exe", f"{PLACE}/-3.png", f"{PLACE}/٣.png",
        f"{PLACE}/{'9' * 5000}.png", f"{PLACE}/03.png", "/media/0d0f4aa2-6f6c-8f0e-9d6b-1f3c5a7e9b2d/3.png",
        "/media/x/3.png",
    ],
    ids=lambda path: ascii(path[-12:]),
)  # fmt: skip
async def test_what_was_never_planned_is_not_there(path: str) -> None:
    assert (await get(path)).status_code == 404


async def test_what_was_removed_is_gone() -> None:
    removed = a_call(prompt="")
    app = Starlette(routes=media_routes(GenerationStore(calls=[removed])))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://generator") as client:
        answer = await client.get(f"/media/{removed.generation_id}/0.jpg")

    assert answer.status_code == 410
