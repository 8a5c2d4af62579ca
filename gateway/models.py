"""The models that can be asked for, and what each takes."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, Field

from gateway import problems
from gateway.callers import Reader
from gateway.etags import known
from gateway.problems import no_such_model
from schemas.catalogue import ModelCard

FRESH = "private, max-age=60"
"""The catalogue is read when the gateway starts."""


class ModelSummary(BaseModel):
    """A model in a list."""

    name: str = Field(description="As `/generate` takes it.")
    provider: str = Field(description="Who makes it.")
    kind: str | None = Field(description="image, audio or video; null when its schema does not say.")
    formats: list[str] = Field(
        description="What `output_format` may be; the first is made when none is asked for. Empty: it cannot be chosen."
    )
    description: str = Field(description="What it makes, as its provider says.")
    links: dict[str, str] = Field(description="Where to see what it takes.")


class Models(BaseModel):
    """Every model in the catalogue, by name. Others go to the default provider, unless only these are accepted."""

    models: list[ModelSummary] = Field(description="By name.")


class Model(ModelSummary):
    """One model, and what it takes."""

    outputs_per_call: int = Field(description="Of how many outputs one provider call is.")
    cost_units: int = Field(description="What one provider call counts towards the caps.")
    input_schema: dict[str, Any] = Field(
        description="JSON Schema (2020-12) of `input`. A request that does not keep it is refused with 422."
    )


def models_routes(models: Mapping[str, ModelCard]) -> APIRouter:
    """The routes to the catalogue, each answer made once."""
    router = APIRouter(prefix="/api/v1", tags=["models"])
    listed = _Answer(Models(models=[_summary(models[name]) for name in sorted(models)]))
    shown = {name: _Answer(_whole(card)) for name, card in models.items()}
    unchanged: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has changed since."}}
    if_none = Header(
        description="The `ETag` of the last answer: 304 while nothing has changed since.",
        examples=['"0f1e2d3c4b5a69788796a5b4c3d2e1f0"'],
    )

    @router.get(
        "/models",
        response_model=Models,
        summary="List models",
        responses=problems.responses(401, 403, 429, 503) | unchanged,
    )
    async def list_models(_: Reader, if_none_match: Annotated[str | None, if_none] = None) -> Response:
        """Every model in the catalogue: who makes it and which formats. Its schema is at its own link."""
        return listed.given(if_none_match)

    @router.get(
        "/models/{name:path}", response_model=Model, summary="See what a model takes",
        responses=problems.responses(401, 403, 404, 429, 503) | unchanged,
    )  # fmt: skip
    async def show_model(
        _: Reader,
        name: Annotated[str, Path(description="Its name, slashes and all.", examples=["fake/painter"])],
        if_none_match: Annotated[str | None, if_none] = None,
    ) -> Response:
        """A model with the JSON Schema of its `input`."""
        if name not in shown:
            raise no_such_model()
        return shown[name].given(if_none_match)

    return router


class _Answer:
    """A body that never changes while this process runs."""

    def __init__(self, body: BaseModel) -> None:
        self._body = body.model_dump_json().encode()
        self._headers = {"ETag": f'"{hashlib.sha256(self._body).hexdigest()[:32]}"', "Cache-Control": FRESH}

    def given(self, if_none_match: str | None) -> Response:
        if known(self._headers["ETag"], if_none_match):
            return Response(status_code=304, headers=self._headers)
        return Response(self._body, media_type="application/json", headers=self._headers)


def _summary(card: ModelCard) -> ModelSummary:
    return ModelSummary.model_validate(_facts(card))


def _whole(card: ModelCard) -> Model:
    more = {"outputs_per_call": card.outputs_per_call, "cost_units": card.cost_units}
    return Model.model_validate(_facts(card) | more | {"input_schema": card.input_schema})


def _facts(card: ModelCard) -> dict[str, Any]:
    return {
        "name": card.name, "provider": card.provider, "kind": card.kind, "formats": list(card.formats),
        "description": card.description, "links": {"self": f"/api/v1/models/{card.name}"},
    }  # fmt: skip
