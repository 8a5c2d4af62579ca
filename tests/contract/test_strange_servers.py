"""Replicate's adapter against servers that no simulator of Replicate would be."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from darkroom.simulators.server import LOCAL, listen, serving
from generator_service.calls import Call, Candidates, Failed, Finished, Running, Unknown
from generator_service.providers.replicate import ReplicateProvider
from schemas.clock import utc_now
from schemas.events import UrlSource
from tests.contract.bench import Bucket, a_call, submitted
from tests.contract.benches import FLUX, TOKEN

ID = "abcdefghijklmnopqrstuvwxyz"
ANSWER: dict[str, Any] = {"id": ID, "model": FLUX, "version": "hidden", "status": "starting", "input": {}}


@asynccontextmanager
async def answering(answer: Callable[[Request], Response], seconds: float = 5) -> AsyncIterator[ReplicateProvider]:
    """A provider whose server answers everything like this."""

    async def anything(request: Request) -> Response:
        return answer(request)

    app = Starlette(routes=[Route("/{path:path}", anything, methods=["GET", "POST"])])
    listening = listen(LOCAL, 0)
    url = f"http://{LOCAL}:{listening.getsockname()[1]}"
    async with serving(app, listening):
        provider = ReplicateProvider(SecretStr(TOKEN), url, timedelta(minutes=30), Bucket().stage, seconds)
        try:
            yield provider
        finally:
            await provider.close()


def showing(**fields: Any) -> Callable[[Request], Response]:
    return lambda _: Response(json.dumps(ANSWER | fields), media_type="application/json")


def a_running_call() -> Call:
    return submitted(a_call(model=FLUX), ID, utc_now())


NONSENSE: dict[str, Callable[[], Response]] = {
    "a page": lambda: PlainTextResponse("<html>It works!</html>"),
    "a list": lambda: JSONResponse([]),
    "no id": lambda: JSONResponse({"status": "starting"}),
    "a number for an id": lambda: JSONResponse(ANSWER | {"id": 7}),
    "an id that no row can hold": lambda: JSONResponse(ANSWER | {"id": "a\0b"}),
    "half a letter for an id": lambda: PlainTextResponse(json.dumps(ANSWER | {"id": "\ud83d"})),
    "a redirect": lambda: RedirectResponse("https://elsewhere.example/", 301),
    "nothing": lambda: Response(status_code=204),
    "brackets": lambda: PlainTextResponse("[" * 100_000),
    "a teapot": lambda: PlainTextResponse("teapot", 418),
}


@pytest.mark.parametrize("answer", NONSENSE)
async def test_a_create_whose_answer_makes_no_sense_is_unknown(answer: str) -> None:
    async with answering(lambda _: NONSENSE[answer]()) as provider:
        assert isinstance(await provider.submit(a_call(model=FLUX), utc_now()), Unknown)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "queued"},
        {"status": None},
        {"status": ["starting"]},
        {"model": None, "version": None, "input": None, "metrics": None, "urls": {"get": None}},
        {"created_at": 1_700_000_000, "logs": {"not": "text"}, "metrics": {"predict_time": float("nan")}},
        {"error": {"not": "text"}, "webhook": "https://echoed.example/", "something": "new"},
    ],
)
async def test_a_prediction_of_an_unknown_kind_still_runs(fields: dict[str, Any]) -> None:
    async with answering(showing(**fields)) as provider:
        assert await provider.submit(a_call(model=FLUX), utc_now()) == Running(ID)
        assert await provider.poll(a_running_call(), utc_now()) == Running(ID)


async def test_a_create_that_is_over_at_once_is_looked_at_at_once() -> None:
    at = utc_now()
    async with answering(showing(status="succeeded", output=["https://replicate.delivery/a.png"])) as provider:
        assert await provider.submit(a_call(model=FLUX), at) == Running(ID, at)
        assert isinstance(await provider.poll(a_running_call(), at), Finished)


@pytest.mark.parametrize(
    "output",
    [
        "data:image/png;base64,",
        "data:image/png;base64,%%%",
        "data:nothing",
        "https://x.example/" + "a" * 9_000,
        "https://x.example/\0a.png",
    ],
    ids=["empty", "garbled", "no comma", "too long", "unreadable for every reader of facts"],
)
async def test_an_output_that_cannot_be_kept_is_final(output: str) -> None:
    async with answering(showing(status="succeeded", output=output)) as provider:
        outcome = await provider.poll(a_running_call(), utc_now())

    assert isinstance(outcome, Failed)
    assert not outcome.retryable


async def test_an_answer_from_the_end_of_time_is_taken_for_one_of_now() -> None:
    at = utc_now()
    made = showing(status="succeeded", output="https://replicate.delivery/a.png", completed_at="9999-12-31T23:59:59Z")

    async with answering(made) as provider:
        outcome = await provider.poll(a_running_call(), at)

    assert outcome == Finished(
        ID, (UrlSource(url="https://replicate.delivery/a.png", expires_at=at + timedelta(hours=1)),)
    )


async def test_an_answer_about_another_call_says_nothing() -> None:
    async with answering(showing(id="z" * 26, status="failed", error="it broke")) as provider:
        assert isinstance(await provider.poll(a_running_call(), utc_now()), Unknown)


async def test_somebody_elses_input_in_the_list_may_be_of_any_depth() -> None:
    deep = '{"a":' * 700 + "1" + "}" * 700
    page = json.dumps({"results": [ANSWER | {"model": FLUX, "input": "deep"}], "next": None}).replace('"deep"', deep)

    async with answering(lambda _: PlainTextResponse(page)) as provider:
        assert await provider.find(a_call(model=FLUX), utc_now()) == Candidates((), complete=True)


async def test_the_next_page_is_asked_of_the_same_server_wherever_it_is_said_to_be() -> None:
    asked: list[str] = []

    def pages(request: Request) -> Response:
        asked.append(str(request.url.query))
        further = {"next": "https://elsewhere.example/v1/predictions?cursor=two"} if len(asked) == 1 else {"next": None}
        return JSONResponse({"results": [ANSWER], "previous": None} | further)

    async with answering(pages) as provider:
        found = await provider.find(a_call(model="other/model"), utc_now())

    assert asked == ["", "cursor=two"]
    assert isinstance(found, Candidates)


async def test_a_list_without_an_end_is_given_up_as_incomplete() -> None:
    def again(_: Request) -> Response:
        return JSONResponse({"results": [ANSWER], "previous": None, "next": "/v1/predictions?cursor=again"})

    async with answering(again) as provider:
        found = await provider.find(a_call(model=FLUX), utc_now())

    assert isinstance(found, Candidates)
    assert not found.complete


async def test_one_unreadable_entry_does_not_spoil_a_page() -> None:
    def page(_: Request) -> Response:
        return JSONResponse({"results": [None, {"id": None}, ANSWER], "next": None})

    async with answering(page) as provider:
        assert await provider.poll_many([a_running_call()], utc_now()) == {ID: Running(ID)}


async def test_a_server_that_takes_the_request_and_says_nothing_is_given_up_on() -> None:
    open_for: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_for.append(writer)

    async with await asyncio.start_server(silent, LOCAL, 0) as server:
        url = f"http://{LOCAL}:{server.sockets[0].getsockname()[1]}"
        provider = ReplicateProvider(SecretStr(TOKEN), url, timedelta(minutes=30), Bucket().stage, 0.2)

        outcome = await provider.submit(a_call(model=FLUX), utc_now())

        await provider.close()
        for writer in open_for:
            writer.close()
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("name", ["", "../account", "a b", "x" * 200, "a?b=c"])
async def test_an_id_that_replicate_cannot_have_is_never_asked_for(name: str) -> None:
    asked: list[str] = []

    def remember(request: Request) -> Response:
        asked.append(request.url.path)
        return JSONResponse(ANSWER)

    async with answering(remember) as provider:
        call = submitted(a_call(model=FLUX), name, utc_now())
        await provider.cancel(call, utc_now())
        assert isinstance(await provider.poll(call, utc_now()), Failed)

    assert asked == []
