"""Records of former versions are read by today's class, in a registry of their own that no service knows."""

import json
from typing import Any, ClassVar, Literal

import pytest

from schemas.events import Event
from schemas.identity import partition_of
from schemas.upcasters import NoUpcasterError, Upcasters, raised
from schemas.wire import NewerVersionError, Position, UnreadableRecordError, decode
from tests.builders import JOB

KEY = str(JOB).encode()


class PictureHung(Event):
    """A fact in its third version: the room's name became a list, then the height got a unit."""

    topic: ClassVar[str] = "picture.hung"
    type: Literal["picture.hung"] = "picture.hung"
    v: Literal[3] = 3  # type: ignore[assignment]

    rooms: tuple[str, ...]
    height_cm: int


def rooms(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != "room"} | {"rooms": [value["room"]]}


def unit(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != "height"} | {"height_cm": value["height"] * 100}


FACTS: dict[str, type[Event]] = {PictureHung.topic: PictureHung}
UPCASTERS: Upcasters = {("picture.hung", 1): rooms, ("picture.hung", 2): unit}
ENVELOPE = {
    "event_id": "b9b4ceae-9e2a-54c0-8e94-d3d4c2455dc8", "type": "picture.hung", "occurred_at": "2026-01-12T10:00:00Z",
    "job_id": str(JOB), "tenant": "acme", "revision": 1,
}  # fmt: skip
VERSIONS: dict[int, dict[str, Any]] = {
    1: {"v": 1, "room": "hall", "height": 2},
    2: {"v": 2, "rooms": ["hall"], "height": 2},
    3: {"v": 3, "rooms": ["hall"], "height_cm": 200},
}


def read(said: dict[str, Any], upcasters: Upcasters = UPCASTERS) -> Event:
    place = Position("picture.hung", partition_of(KEY), 0)
    return decode(place, KEY, json.dumps(ENVELOPE | said).encode(), facts=FACTS, upcasters=upcasters)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_record_of_any_version_is_read_as_what_it_meant(version: int) -> None:
    event = read(VERSIONS[version])

    assert isinstance(event, PictureHung)
    assert (event.v, event.rooms, event.height_cm, event.tenant) == (3, ("hall",), 200, "acme")


def test_an_upcaster_leaves_the_value_that_it_was_given() -> None:
    given = dict(VERSIONS[1])

    raised(given, PictureHung, UPCASTERS)

    assert given == VERSIONS[1]


def test_a_version_newer_than_the_reader_stops_it_and_says_what_to_deploy() -> None:
    with pytest.raises(NewerVersionError, match=r"picture.hung holds version 4; this reader knows 3: deploy the newer"):
        read(VERSIONS[3] | {"v": 4})


def test_a_former_version_that_nobody_can_read_any_more_stops_the_reader() -> None:
    with pytest.raises(NoUpcasterError, match=r"no upcaster reads version 2 of picture.hung"):
        read(VERSIONS[1], {("picture.hung", 1): rooms})


@pytest.mark.parametrize("version", [0, -(10**12), "1", None, 1.0, True])
def test_a_version_that_never_was_is_unreadable(version: Any) -> None:
    with pytest.raises(UnreadableRecordError):
        read(VERSIONS[3] | {"v": version})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"v": 1, "height": 2}, "is no value of version 1: KeyError"),
        ({"v": 1, "room": "hall", "height": [2]}, "read as version 1: height_cm: Input should be a valid integer"),
        ({"v": 2, "rooms": 7, "height": 2}, "read as version 2: rooms: Input should be a valid array"),
    ],
)
def test_a_broken_record_of_a_former_version_is_unreadable_and_says_why(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableRecordError) as why:
        read(said)

    assert str(why.value) == reason
