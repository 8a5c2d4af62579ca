"""The calls that cost nothing: predictions, their cancel, models, versions, the account."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom.simulators.answers import problem
from darkroom.simulators.faults import Subject
from darkroom.simulators.replicate.create import NOT_FOUND
from darkroom.simulators.replicate.creating import data_uris
from darkroom.simulators.replicate.desk import Desk
from darkroom.simulators.replicate.faults.courses import CancelFault, CancelPending, CancelRace
from darkroom.simulators.replicate.models import COG_VERSION, SimulatedModel, schema_of
from darkroom.simulators.replicate.paging import BadCursorError, page
from darkroom.simulators.replicate.prediction import Prediction
from darkroom.simulators.replicate.view import Style, shown
from darkroom.simulators.replicate.world import World

VERSIONS_MADE = "2025-01-01T00:00:00.000000Z"


class Reading:
    """Answers questions, and takes cancels."""

    def __init__(self, world: World, desk: Desk) -> None:
        self._world, self._desk = world, desk

    async def prediction(self, request: Request) -> Response:
        """`GET /predictions/{id}`."""
        return await self._about_one(request, "get")

    async def cancel(self, request: Request) -> Response:
        """`POST /predictions/{id}/cancel`: 200 with the prediction; one that has ended stays as it is."""
        return await self._about_one(request, "cancel")

    async def predictions(self, request: Request) -> Response:
        """`GET /predictions`: newest first, by cursor, `created_after` included, `created_before` not."""

        async def act() -> Response:
            try:
                return JSONResponse(await self._page(request.query_params))
            except (BadCursorError, ValueError) as fault:
                return problem(422, f"- {fault}\n", "Invalid query parameters")

        return await self._with_faults(request, Subject("list"), act)

    async def model(self, request: Request) -> Response:
        """`GET /models/{owner}/{name}`, its versions, and one of them."""
        owner, name, version = (request.path_params.get(part, "") for part in ("owner", "name", "version"))
        model = self._world.shelf.get(f"{owner}/{name}")

        async def act() -> Response:
            if model is None or (version and version not in model.versions):
                return problem(404, NOT_FOUND)
            if version:
                return JSONResponse(_version(model, version))
            if request.url.path.endswith("/versions"):
                versions = [_version(model, one) for one in model.versions]
                return JSONResponse({"next": None, "previous": None, "results": versions})
            return JSONResponse(self._model(model))

        return await self._with_faults(request, Subject("model", f"{owner}/{name}"), act)

    async def models(self, request: Request) -> Response:
        """`GET /models`."""

        async def act() -> Response:
            shelf = self._world.shelf
            found = [self._model(model) for name in shelf.names() if (model := shelf.get(name))]
            return JSONResponse({"next": None, "previous": None, "results": found})

        return await self._with_faults(request, Subject("model"), act)

    async def account(self, request: Request) -> Response:
        """`GET /account`."""
        body = {"type": "organization", "username": "acme", "name": "Acme (simulated)", "github_url": None}
        return await self._with_faults(request, Subject("account"), _saying(body))

    async def secret(self, request: Request) -> Response:
        """`GET /webhooks/default/secret`."""
        return await self._with_faults(request, Subject("account"), _saying({"key": self._world.secret}))

    async def _about_one(self, request: Request, call: str) -> Response:
        prediction = self._world.predictions.get(request.path_params["id"])
        about = (prediction.ask.model.name, prediction.ask.input) if prediction else (None, {})
        subject = Subject(call, *about)

        async def act() -> Response:
            if prediction is None:
                return problem(404, "Prediction not found")
            if call == "get":
                return JSONResponse(await self._shown(prediction, "read"))
            return JSONResponse(await self._shown(self._canceled(prediction, subject), "listed"))

        return await self._with_faults(request, subject, act)

    def _canceled(self, prediction: Prediction, subject: Subject) -> Prediction:
        now, later = self._world.clock.now(), 0.0
        faults = self._world.plan.strike(subject, CancelFault)
        if prediction.ended(now):
            return prediction
        for fault in faults:
            if isinstance(fault, CancelRace):
                return self._world.change(prediction.finished(prediction.age(now)))
            if isinstance(fault, CancelPending):
                later = fault.seconds
        return self._world.change(prediction.canceled(prediction.age(now) + later))

    async def _shown(self, prediction: Prediction, style: Style) -> dict[str, Any]:
        world, now = self._world, self._world.clock.now()
        as_data = prediction.look.shape == "data" and not prediction.removed(now) and prediction.ended(now)
        files = await data_uris(world, prediction) if as_data else world.links(prediction)
        return shown(prediction, now, files, world.base, style)

    async def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        after, before = (_time(query.get(name)) for name in ("created_after", "created_before"))
        found = page(self._world.between(after, before), query.get("cursor"), self._world.settings.page_size)
        kept = {name: query[name] for name in ("created_after", "created_before") if name in query}

        def link(cursor: str | None) -> str | None:
            return f"{self._world.base}/v1/predictions?{urlencode(kept | {'cursor': cursor})}" if cursor else None

        results = [await self._shown(prediction, "listed") for prediction in found.items]
        return {"previous": link(found.previous), "next": link(found.next), "results": results}

    async def _with_faults(self, request: Request, subject: Subject, act: Any) -> Response:
        return await self._desk.answer(request, subject, self._desk.strike(subject), act)

    def _model(self, model: SimulatedModel) -> dict[str, Any]:
        owner, name = model.name.split("/")
        runs = sum(one.ask.model.name == model.name for one in self._world.predictions.values())
        return {
            "url": f"{self._world.base}/{model.name}", "owner": owner, "name": name, "description": model.description,
            "visibility": "public", "github_url": None, "paper_url": None, "license_url": None, "run_count": runs,
            "is_official": model.official, "cover_image_url": None, "default_example": None,
            "latest_version": _version(model, model.versions[0]),
        }  # fmt: skip


def _version(model: SimulatedModel, version: str) -> dict[str, Any]:
    return {
        "id": version,
        "created_at": VERSIONS_MADE,
        "cog_version": COG_VERSION,
        "openapi_schema": schema_of(model),
    }


def _saying(body: dict[str, Any]) -> Any:
    async def act() -> Response:
        return JSONResponse(body)

    return act


def _time(text: str | None) -> datetime | None:
    """ISO 8601, with a zone. `ValueError` escapes."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment
