"""What people may send, and the first look at it. Nothing is published before everything in here holds."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request

from gateway.bodies import json_body
from gateway.inputs import SHOWN, Inputs
from gateway.problems import FieldError, invalid_fields, unknown_model
from schemas.catalogue import ModelCard
from schemas.events import Input, Moment, Seed
from schemas.identity import job_id_of

BODY_BYTES = 128 * 1_024
PROMPT_BYTES = 64 * 1_024
KEY = re.compile(r"[\x20-\x7e]{1,255}")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # all but tab and line ends


def _plain(text: str) -> str:
    if CONTROLS.search(text):
        raise ValueError("holds control characters")
    return text


def _bounded(text: str) -> str:
    if len(text.encode()) > PROMPT_BYTES:
        raise ValueError(f"takes more than {PROMPT_BYTES} bytes")
    if not text.strip():
        raise ValueError("is empty")
    return text


def _no_flag(value: Any) -> Any:
    """Refuse true and false for a number: they are no 1 and 0 to whoever sent them."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


NotAFlag = BeforeValidator(_no_flag)
Plain = Annotated[str, AfterValidator(_plain)]
Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain)]
Words = Annotated[str, Field(max_length=512), AfterValidator(_plain)]


def _plain_everywhere(value: Any) -> Any:
    """Refuse control characters in any text inside `value`, names included."""
    if isinstance(value, str):
        _plain(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _plain(name)
            _plain_everywhere(inner)
    elif isinstance(value, list):
        for inner in value:
            _plain_everywhere(inner)
    return value


class JobAsk(BaseModel):
    """A job to make. Only `model` and `prompt` are needed."""

    model_config = ConfigDict(
        extra="allow",
        allow_inf_nan=False,
        json_schema_extra={"additionalProperties": False},
    )

    model: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,255}$",
        description="The model's name, as its provider writes it. One that is not in the catalogue goes to the "
        "default provider.",
    )
    prompt: Annotated[Plain, AfterValidator(_bounded)] = Field(description="What to make. At most 64 KiB.")
    num_outputs: Annotated[int, NotAFlag] = Field(1, ge=1, le=10, description="How many.")
    seed: Annotated[Seed | None, NotAFlag] = Field(
        None, description="For repeatable results. One is derived when it is missing."
    )
    output_format: str | None = Field(
        None, pattern="^[a-z0-9]{1,10}$", description="Such as jpg, png or webp. The model's own choice when missing."
    )
    input: Annotated[Input, AfterValidator(_plain_everywhere)] = Field(
        default_factory=dict,
        description="What else this model takes: `GET /api/v1/models/{name}` shows its JSON Schema.",
    )
    metadata: dict[Name, Words] = Field(
        default_factory=dict, max_length=50, description="Words of your own, given back in status and events."
    )
    deadline: Moment | None = Field(
        None, description="After this nothing more is asked of a provider. What was paid for is stored anyway."
    )
    max_attempts: Annotated[int | None, NotAFlag] = Field(
        None, ge=1, le=20,
        description="Tries of each provider call after known failures; 1 pays at most once. The service's setting "
        "when missing.",
    )  # fmt: skip


class Asks:
    """Reads requests, and holds them against what the models can do."""

    def __init__(self, models: Mapping[str, ModelCard], *, strict: bool = False) -> None:
        """`strict` refuses models that are not in the catalogue. `UncheckableError` escapes for a bad schema in it."""
        self._models, self._inputs, self._strict = models, Inputs(models), strict

    async def read(self, request: Request) -> JobAsk:
        """The body of a request as a job to make. Raises a 413, 415 or 422 problem; a 422 names every bad field."""
        body = await json_body(request, BODY_BYTES)
        try:
            ask = JobAsk.model_validate_json(body)
        except ValidationError as wrong:
            raise invalid_fields([FieldError.of(error) for error in wrong.errors(include_input=False)]) from None
        card = self._models.get(ask.model)
        if card is None and self._strict:
            raise unknown_model(get_close_matches(ask.model, self._models, n=3))
        errors = self._inputs.errors(ask.model, ask.input)
        if card and card.formats and ask.output_format and ask.output_format not in card.formats:
            errors += [FieldError(field="output_format", reason=f"{ask.model} makes {', '.join(card.formats)}")]
        if errors:
            raise invalid_fields(errors)
        return ask

    def warnings(self, ask: JobAsk) -> list[str]:
        """What was ignored or not looked at, so that a typo does not go unnoticed."""
        told = [f"unknown field ignored: {name[:SHOWN]}" for name in sorted(ask.model_extra or {})]
        card = self._models.get(ask.model)
        if card is None:
            return [*told, "the model is not in the catalogue: its input is not checked"]
        told += [
            f"input.{name[:SHOWN]} is not known to the model: passed on unchecked"
            for name in self._inputs.unknown(ask.model, ask.input)
        ]
        if card.takes is not None:
            asked = {"seed": ask.seed, "output_format": ask.output_format}
            left = [name for name, value in asked.items() if value is not None and name not in card.takes]
            told += [f"{name} is not taken by the model: it is not sent" for name in left]
        return told


def job_named(tenant: str, key: str | None) -> tuple[UUID, str]:
    """The id of the job that this tenant means by `key`, and the key: one is minted when none was given."""
    if key is None:
        key = str(uuid4())
    elif not KEY.fullmatch(key):
        raise invalid_fields(
            [FieldError(field="Idempotency-Key", reason="must be 1 to 255 printable ASCII characters")]
        )
    return job_id_of(tenant, key), key
