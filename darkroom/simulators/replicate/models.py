"""The models a simulated Replicate has, and what their inputs may hold."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

COG_VERSION = "0.16.12"


class SimulatedModel(BaseModel):
    """One model. An official one is called by its name alone, and hides its version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    kind: Literal["image", "audio", "text"] = "image"
    official: bool = False
    description: str = "A simulated model."
    formats: tuple[Literal["jpg", "png", "webp", "wav"], ...] = ("webp", "jpg", "png")
    most_outputs: int = Field(4, ge=1, description="1: a single output, not a list.")
    open_input: bool = Field(False, description="Takes any input at all.")

    @property
    def versions(self) -> tuple[str, ...]:
        """Ids, the newest first: the same in every simulator."""
        return tuple(sha256(f"{self.name} version {number}".encode()).hexdigest() for number in (2, 1))

    @property
    def one_by_one(self) -> bool:
        """Whether outputs appear while it runs: text does, files come all at the end."""
        return self.kind == "text"


MODELS = (
    SimulatedModel(name="black-forest-labs/flux-schnell", official=True, description="Pictures in four steps."),
    SimulatedModel(name="black-forest-labs/flux-1.1-pro", official=True, most_outputs=1, description="One picture."),
    SimulatedModel(name="stability-ai/sdxl", formats=("png",), description="Pictures from text, by version."),
    SimulatedModel(name="meta/musicgen", kind="audio", formats=("wav",), most_outputs=1, description="Music."),
    SimulatedModel(name="meta/meta-llama-3-8b-instruct", kind="text", official=True, description="Words."),
)
DEPLOYMENTS = {"acme/sdxl": "stability-ai/sdxl"}


class Shelf:
    """The models of one simulator, by name and by version."""

    def __init__(self, models: Iterable[SimulatedModel], *, any_model: bool) -> None:
        self._models = {model.name: model for model in models}
        self._any_model = any_model

    def names(self) -> list[str]:
        """Those that are described."""
        return list(self._models)

    def get(self, name: str) -> SimulatedModel | None:
        """The model of that name, made up when any will do."""
        if self._any_model and name not in self._models and name.count("/") == 1:
            return SimulatedModel(name=name, official=True, open_input=True, most_outputs=10)
        return self._models.get(name)

    def of_version(self, version: str) -> SimulatedModel | None:
        """The model that has this version."""
        return next((model for model in self._models.values() if version in model.versions), None)


def schema_of(model: SimulatedModel) -> dict[str, Any]:
    """The model's `openapi_schema`, as far as clients look into it."""
    enums = {"output_format": list(model.formats)} if model.kind != "text" else {}
    schemas = {name: {"enum": values, "type": "string", "title": name} for name, values in enums.items()}
    return {
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "openapi": "3.0.2",
        "components": {"schemas": {"Input": _input_of(model), "Output": _output_of(model)} | schemas},
    }


def _input_of(model: SimulatedModel) -> dict[str, Any]:
    properties: dict[str, dict[str, Any]] = {"prompt": {"type": "string"}, "seed": {"type": "integer"}}
    if model.kind == "text":
        properties |= {"max_tokens": _whole(1, 4096, 512), "temperature": _number(0, 5, 0.6)}
    else:
        reference = [{"$ref": "#/components/schemas/output_format"}]
        properties["output_format"] = {"allOf": reference, "default": model.formats[0]}
    if model.kind == "audio":
        properties["duration"] = _whole(1, 60, 8)
    if model.kind == "image":
        properties |= _of_a_picture(model)
    for order, (name, shape) in enumerate(properties.items()):
        shape |= {"title": name.replace("_", " ").title(), "x-order": order}
    return {"type": "object", "title": "Input", "required": ["prompt"], "properties": properties}


def _of_a_picture(model: SimulatedModel) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = {
        "width": _whole(64, 2048, 1024),
        "height": _whole(64, 2048, 1024),
        "aspect_ratio": {"type": "string", "default": "1:1"},
        "output_quality": _whole(0, 100, 80),
        "negative_prompt": {"type": "string", "default": ""},
        "guidance_scale": _number(0, 50, 7.5),
        "num_inference_steps": _whole(1, 500, 4),
        "disable_safety_checker": {"type": "boolean", "default": False},
        "image": {"type": "string", "format": "uri"},
    }
    return properties | ({"num_outputs": _whole(1, model.most_outputs, 1)} if model.most_outputs > 1 else {})


def _whole(least: int, most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


def _number(least: float, most: float, default: float) -> dict[str, Any]:
    return {"type": "number", "minimum": least, "maximum": most, "default": default}


def _output_of(model: SimulatedModel) -> Mapping[str, Any]:
    if model.kind == "text":
        extra = {"x-cog-array-type": "iterator", "x-cog-array-display": "concatenate"}
        return {"type": "array", "items": {"type": "string"}, "title": "Output"} | extra
    file = {"type": "string", "format": "uri"}
    return {"type": "array", "items": file, "title": "Output"} if model.most_outputs > 1 else file | {"title": "Output"}
