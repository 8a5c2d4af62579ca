"""Which changes of a fact break a reader, and which do not."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

from schemas.contract.compatibility import breaks, breaks_since
from schemas.contract.json_schemas import schema_of
from schemas.events import Event


class Frame(BaseModel):
    """A part of another fact."""

    kind: Literal["frame"] = "frame"
    width: int


class Matte(BaseModel):
    """Another part that may stand in its place."""

    kind: Literal["matte"] = "matte"
    shade: str


class PictureHung(Event):
    """A fact that no service says."""

    topic: ClassVar[str] = "picture.hung"
    type: Literal["picture.hung"] = "picture.hung"

    room: str = Field(min_length=1, max_length=20)
    height: int = Field(ge=0, le=300)
    side: Literal["left", "right"]
    tags: list[str] = Field(default_factory=list, max_length=5)
    light: Literal["day"] = "day"
    lamp: int | None = None
    frame: Frame | Matte = Field(discriminator="kind")
    notes: dict[str, str] = Field(default_factory=dict)
    price: int = 0


def changed(**fields: Any) -> type[Event]:
    """The fact with some fields declared anew, each as (annotation, default) or as an annotation alone."""
    declared = {name: given[0] if isinstance(given, tuple) else given for name, given in fields.items()}
    defaults = {name: given[1] for name, given in fields.items() if isinstance(given, tuple)}
    parts = {"__annotations__": declared, "__module__": __name__, "__doc__": PictureHung.__doc__, **defaults}
    return type("PictureHung", (PictureHung,), parts)


def without(field: str) -> dict[str, Any]:
    """Today's schema, where a field is gone."""
    schema = schema_of(PictureHung)
    del schema["properties"][field]
    schema["required"] = [name for name in schema["required"] if name != field]
    return schema


def found(today: type[Event] | dict[str, Any]) -> Sequence[str]:
    now = schema_of(today) if isinstance(today, type) else today
    return [str(each) for each in breaks(schema_of(PictureHung), now)]


class Crate(BaseModel):
    """What nobody expected where a frame or a matte stands."""

    kind: Literal["crate"] = "crate"


class WiderFrame(BaseModel):
    """A frame whose width became text."""

    kind: Literal["frame"] = "frame"
    width: str


BREAKS: dict[str, tuple[type[Event] | dict[str, Any], list[str]]] = {
    "a field is removed": (without("lamp"), ["value.lamp: was removed"]),
    "a needed field is removed": (without("room"), ["value.room: was removed"]),
    "a type is changed": (changed(height=str), ["value.height: was integer, is string"]),
    "a type is narrowed": (changed(price=(bool, False)), ["value.price: was integer, is boolean"]),
    "a type is widened": (changed(height=float), ["value.height: was integer, is number"]),
    "another type is allowed beside": (
        changed(height=Annotated[int, Field(ge=0, le=300)] | str),
        ["value.height: may now be string, which no reader expects"],
    ),
    "an optional field is needed": (changed(lamp=(int, ...)), ["value.lamp: must be there now"]),
    "a new field is needed": (changed(owner=str), ["value.owner: must be there now"]),
    "a needed field may be left out": (
        changed(side=(Literal["left", "right"] | None, None)),
        ["value.side: may be left out now"],
    ),
    "an enum loses a value": (changed(side=Literal["left"]), ["value.side: may no longer be 'right'"]),
    "an enum gains a value": (
        changed(side=Literal["left", "right", "top"]),
        ["value.side: may now be 'top', which no reader expects"],
    ),
    "a free text becomes an enum": (changed(room=Literal["hall"]), ["value.room: may be only certain values now"]),
    "an enum becomes a free text": (changed(side=str), ["value.side: may be anything now"]),
    "a constant changes": (
        changed(light=(Literal["night"], "night")),
        ["value.light: was always 'day', is always 'night'"],
    ),
    "the version changes without a new file": (changed(v=(Literal[2], 2)), ["value.v: was always 1, is always 2"]),
    "an upper bound is tightened": (
        changed(height=Annotated[int, Field(ge=0, le=299)]),
        ["value.height: maximum is 299 now, was 300"],
    ),
    "a lower bound is tightened": (
        changed(height=Annotated[int, Field(ge=1, le=300)]),
        ["value.height: minimum is 1 now, was 0"],
    ),
    "a bound is added": (changed(price=(Annotated[int, Field(le=9)], 0)), ["value.price: maximum is 9 now, was open"]),
    "a text must be shorter": (
        changed(room=Annotated[str, Field(min_length=1, max_length=19)]),
        ["value.room: maxLength is 19 now, was 20"],
    ),
    "a list must be shorter": (
        changed(tags=(Annotated[list[str], Field(max_length=4)], Field(default_factory=list))),
        ["value.tags: maxItems is 4 now, was 5"],
    ),
    "a pattern is added": (
        changed(room=Annotated[str, Field(min_length=1, max_length=20, pattern="^[a-z]+$")]),
        ["value.room: must match ^[a-z]+$ now"],
    ),
    "a list holds something else": (
        changed(tags=(Annotated[list[int], Field(max_length=5)], Field(default_factory=list))),
        ["value.tags[]: was string, is integer"],
    ),
    "a map holds something else": (
        changed(notes=(dict[str, int], Field(default_factory=dict))),
        ["value.notes.*: was string, is integer"],
    ),
    "a default changes": (changed(price=(int, 1)), ["value.price: default was 0, is 1"]),
    "a format is dropped": (changed(job_id=str), ["value.job_id: format was 'uuid', is none"]),
    "an alternative is gone": (changed(frame=Frame), ["value.frame: may no longer be object of kind matte"]),
    "an alternative is added": (
        changed(frame=Annotated[Frame | Matte | Crate, Field(discriminator="kind")]),
        ["value.frame: may now be object of kind crate, which no reader expects"],
    ),
    "a field of an alternative changes": (
        changed(frame=Annotated[WiderFrame | Matte, Field(discriminator="kind")]),
        ["value.frame.width: was integer, is string"],
    ),
    "unknown fields are forbidden": (
        schema_of(PictureHung) | {"additionalProperties": False},
        ["value.*: was anything, is nothing"],
    ),
    "a keyword comes that nobody compares": (
        schema_of(PictureHung) | {"dependentRequired": {"lamp": ["price"]}},
        ["value: dependentRequired was none, is {'lamp': ['price']}"],
    ),
}


@pytest.mark.parametrize("change", BREAKS)
def test_a_change_that_a_reader_would_notice_is_named_with_its_place(change: str) -> None:
    today, expected = BREAKS[change]

    assert found(today) == expected


HARMLESS: dict[str, type[Event] | dict[str, Any]] = {
    "nothing": PictureHung,
    "an optional field is added": changed(owner=(str | None, None)),
    "an optional field with a default is added": changed(owner=(str, "nobody")),
    "the fact is described anew": schema_of(PictureHung) | {"description": "Other words.", "title": "Hung"},
    "a field is described anew": changed(room=Annotated[str, Field(min_length=1, max_length=20, description="Where.")]),
    "an upper bound is widened": changed(height=Annotated[int, Field(ge=0, le=400)]),
    "a lower bound is widened": changed(height=Annotated[int, Field(ge=-1, le=300)]),
    "a bound is dropped": changed(height=int),
    "a text may be longer": changed(room=Annotated[str, Field(min_length=1, max_length=99)]),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_a_change_that_no_reader_would_notice_passes(change: str) -> None:
    assert found(HARMLESS[change]) == []


def test_a_pattern_that_is_dropped_is_a_bound_that_is_widened() -> None:
    fenced = schema_of(changed(room=Annotated[str, Field(min_length=1, max_length=20, pattern="^[a-z]+$")]))

    assert breaks(fenced, schema_of(PictureHung)) == []


V1 = {"picture.hung.v1": schema_of(PictureHung)}
V2 = {"picture.hung.v2": schema_of(changed(v=(Literal[2], 2), room=int))}


def test_a_break_under_the_same_version_is_found() -> None:
    [fault] = breaks_since(V1, {"picture.hung.v1": without("lamp")}, ())

    assert str(fault) == "picture.hung.v1.lamp: was removed"


def test_any_change_passes_under_a_new_version_that_leaves_an_upcaster_behind() -> None:
    assert breaks_since(V1, V2, {("picture.hung", 1)}) == []


def test_a_new_version_without_an_upcaster_is_found() -> None:
    [fault] = breaks_since(V1, V2, ())

    assert str(fault) == "picture.hung.v1: no upcaster leads on from version 1"


def test_each_version_ever_released_needs_its_upcaster() -> None:
    v3 = {"picture.hung.v3": schema_of(changed(v=(Literal[3], 3)))}

    faults = breaks_since({**V1, **V2}, v3, {("picture.hung", 1)})

    assert [str(fault) for fault in faults] == ["picture.hung.v2: no upcaster leads on from version 2"]


def test_a_version_that_goes_back_is_found() -> None:
    [fault] = breaks_since(V2, V1, {("picture.hung", 1)})

    assert str(fault) == "picture.hung.v2: the version went back to 1"


def test_a_fact_that_nobody_reads_any_more_is_found() -> None:
    [fault] = breaks_since(V1, {}, ())

    assert str(fault) == "picture.hung.v1: no class reads its records any more"


def test_a_new_fact_breaks_nobody() -> None:
    assert breaks_since({}, V1, ()) == []
