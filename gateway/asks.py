"""What people may send, and the first look at it. Nothing is published before everything in here holds."""

import re
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from gateway.problems import FieldError, invalid_fields, too_large
from schemas.catalogue import catalogue
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
        json_schema_extra={
            "additionalProperties": False,
            "examples": [{"model": "fake/painter", "prompt": "A futuristic city at sunset", "num_outputs": 4,
                          "seed": 12345, "output_format": "jpg"}],
        },
    )  # fmt: skip

    model: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,255}$",
        description="The model's name, as its provider writes it. One that is not in the catalogue goes to the "
        "default provider.",
    )
    prompt: Annotated[Plain, AfterValidator(_bounded)] = Field(description="What to make. At most 64 KiB.")
    num_outputs: int = Field(1, ge=1, le=10, description="How many.")
    seed: Seed | None = Field(None, description="For repeatable results. One is derived when it is missing.")
    output_format: str | None = Field(
        None, pattern="^[a-z0-9]{1,10}$", description="Such as jpg, png or webp. The model's own choice when missing."
    )
    input: Annotated[Input, AfterValidator(_plain_everywhere)] = Field(
        default_factory=dict, description="What else this model takes."
    )
    metadata: dict[Name, Words] = Field(
        default_factory=dict, max_length=50, description="Words of your own, given back in status and events."
    )
    deadline: Moment | None = Field(
        None, description="After this nothing more is asked of a provider. What was paid for is stored anyway."
    )
    max_attempts: int | None = Field(
        None, ge=1, le=20,
        description="Tries of each provider call after known failures; 1 pays at most once. The service's setting "
        "when missing.",
    )  # fmt: skip


async def read_ask(request: Request) -> JobAsk:
    """The body of a request as a job to make. Raises a 413 or a 422 problem that names every bad field."""
    body = await limited_body(request, BODY_BYTES)
    try:
        ask = JobAsk.model_validate_json(body)
    except ValidationError as wrong:
        raise invalid_fields([FieldError.of(error) for error in wrong.errors(include_input=False)]) from None
    card = catalogue().get(ask.model)
    if card and ask.output_format and ask.output_format not in card.formats:
        reason = f"{ask.model} makes {', '.join(card.formats)}"
        raise invalid_fields([FieldError(field="output_format", reason=reason)])
    return ask


async def limited_body(request: Request, limit: int) -> bytes:
    """The body of a request. Raises a 413 problem as soon as it is known to be larger than `limit` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def job_named(tenant: str, key: str | None) -> tuple[UUID, str]:
    """The id of the job that this tenant means by `key`, and the key: one is minted when none was given."""
    if key is None:
        key = str(uuid4())
    elif not KEY.fullmatch(key):
        raise invalid_fields(
            [FieldError(field="Idempotency-Key", reason="must be 1 to 255 printable ASCII characters")]
        )
    return job_id_of(tenant, key), key


def warnings_of(ask: JobAsk) -> list[str]:
    """What was ignored, so that a typo does not go unnoticed."""
    return [f"unknown field ignored: {name[:64]}" for name in sorted(ask.model_extra or {})]
