"""Where a list goes on, as a text that callers hand back without reading it."""

import base64
import binascii
from typing import Annotated, Any, TypeVar

from fastapi import Query
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from gateway.problems import FieldError, invalid_fields

T = TypeVar("T")

Cursor = Annotated[
    str | None,
    Query(
        max_length=512, description="`next_cursor` of the answer before. The list begins anew without it.",
        examples=["WyIyMDI2LTA1LTAxVDEwOjAwOjAwWiJd"],
    ),
]  # fmt: skip


def write_cursor(place: tuple[Any, ...]) -> str:
    """The cursor that leads on behind `place`."""
    return base64.urlsafe_b64encode(to_json(place)).decode().rstrip("=")


def read_cursor(cursor: str, kind: TypeAdapter[T]) -> T:
    """The place that a cursor names. Raises a 422 problem for what is no cursor of this list."""
    try:
        return kind.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValidationError, binascii.Error, ValueError):
        raise invalid_fields([FieldError(field="cursor", reason="is none that this list gave out")]) from None
