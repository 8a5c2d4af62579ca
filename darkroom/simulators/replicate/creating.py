"""The three creates: accept, put it on the bill, wait if the caller asked to, answer."""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from darkroom.simulators.answers import CutShort, until_gone
from darkroom.simulators.faults import Subject
from darkroom.simulators.media import data_uri
from darkroom.simulators.replicate.courier import Courier
from darkroom.simulators.replicate.course import span_of
from darkroom.simulators.replicate.create import RefusedError, Sent, ask_of, read_body, wait_of
from darkroom.simulators.replicate.delivery import file_bytes
from darkroom.simulators.replicate.desk import Desk
from darkroom.simulators.replicate.prediction import Prediction
from darkroom.simulators.replicate.view import shown
from darkroom.simulators.replicate.world import Line, World

Way = Literal["version", "model", "deployment"]


class Creating:
    """Takes creates."""

    def __init__(self, world: World, desk: Desk, courier: Courier) -> None:
        self._world, self._desk, self._courier = world, desk, courier

    async def create(self, request: Request, way: Way) -> Response:
        """One create, from the first byte to the last. Whatever happens on the way, the bill has a line for it."""
        try:
            raw = await request.body()
            sent = Sent(way, "/".join(request.path_params.values()), read_body(raw), request.headers)
        except ClientDisconnect:
            return CutShort(Response())  # it never asked
        except RefusedError as refused:
            return refused.answer
        line = self._line(request, sent)
        subject = Subject("create", line.model, sent.input)
        faults = self._desk.strike(subject)
        line.faults = tuple(fault.fault for fault in faults)

        async def act() -> Response:
            return await self._accept(request, sent, line)

        answer = await self._desk.answer(request, subject, faults, act)
        line.client_disconnected = await request.is_disconnected()
        line.answered = None if isinstance(answer, CutShort) or line.client_disconnected else answer.status_code
        return answer

    def _line(self, request: Request, sent: Sent) -> Line:
        version, webhook = sent.body.get("version"), sent.body.get("webhook")
        known = self._world.shelf.of_version(version.rpartition(":")[2]) if isinstance(version, str) else None
        line = Line(
            at=self._world.clock.now(),
            call=f"{request.method} {request.url.path}",
            model=sent.model or (known.name if known else None),
            input=sent.input,
            webhook=webhook if isinstance(webhook, str) else None,
        )
        self._world.lines.append(line)
        return line

    async def _accept(self, request: Request, sent: Sent, line: Line) -> Response:
        try:
            ask = ask_of(sent, self._world.shelf, self._world.deployments)
            wait = wait_of(request.headers)
        except RefusedError as refused:
            return refused.answer
        prediction = self._world.accept(ask)
        line.prediction, line.model = prediction.id, ask.model.name
        self._courier.attend(prediction)
        if wait is None:
            return JSONResponse(self._shown(prediction, self._world.links(prediction)), 201)
        body = await self._waited(request, prediction, wait)
        return JSONResponse(body, 201, {"preference-applied": f"wait={wait:g}"})

    def _shown(self, prediction: Prediction, files: list[str]) -> dict[str, Any]:
        return shown(prediction, self._world.clock.now(), files, self._world.base, "created")

    async def _waited(self, request: Request, prediction: Prediction, wait: float) -> Mapping[str, Any]:
        """What a caller who waits gets: `processing` with all output when it is done, else `starting`."""
        clock, news = self._world.clock, asyncio.ensure_future(self._world.bell(prediction.id).wait())
        ready = min(wait, span_of(prediction.course).ended)
        alarm, gone = clock.alarm(prediction.at(ready)), asyncio.ensure_future(until_gone(request.receive))
        waiting: list[asyncio.Future[Any]] = [alarm, news, gone]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
        prediction = self._world.predictions[prediction.id]
        in_sync = {"logs": "", "started_at": None, "completed_at": None, "metrics": None, "output": None}
        status = prediction.standing(clock.now()).status
        if status != "succeeded":
            body = self._shown(prediction, [])
            return body if prediction.ended(clock.now()) else _without(body | {"status": "starting"}, in_sync)
        files = await self._files(prediction)
        body = self._shown(prediction, files)
        return _without(body | {"status": "processing"}, in_sync) | {"logs": "", "output": body["output"]}

    async def _files(self, prediction: Prediction) -> list[str]:
        if not self._world.settings.data_uris_in_sync or prediction.ask.model.kind == "text":
            return self._world.links(prediction)
        return await data_uris(self._world, prediction)


async def data_uris(world: World, prediction: Prediction) -> list[str]:
    """The outputs inside `data:` URIs."""
    indexes = range(prediction.course.outputs)
    return [data_uri(await file_bytes(world, prediction, index), prediction.extension) for index in indexes]


def _without(body: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}
