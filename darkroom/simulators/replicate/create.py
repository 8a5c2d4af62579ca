"""Reading a create: what is asked for, or why it is refused. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from darkroom.simulators.answers import Problem, problem
from darkroom.simulators.replicate.course import cancel_after
from darkroom.simulators.replicate.models import Shelf, SimulatedModel, schema_of
from darkroom.simulators.replicate.prediction import Ask
from darkroom.simulators.replicate.validate import InvalidField, wrong_in_body, wrong_in_input

PREFER = re.compile(r"wait(?:=([1-9]|[1-9][0-9]|60))?")
LONGEST_WAIT = 60.0
NOT_FOUND = "The requested resource could not be found."
NO_VERSION = "The specified version does not exist (or perhaps you don't have permission to use it?)"


class RefusedError(Exception):
    """The create is not accepted; the answer says why."""

    def __init__(self, answer: Problem) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


@dataclass(frozen=True)
class Sent:
    """A create as it arrived: by which way, for whom, and with what."""

    way: Literal["version", "model", "deployment"]
    name: str  # of the model or deployment in the path
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The model as far as the caller named it, for matching faults and for the bill."""
        if self.way != "version":
            return self.name
        version = self.body.get("version")
        return version.partition(":")[0] if isinstance(version, str) and "/" in version else None

    @property
    def input(self) -> dict[str, Any]:
        """The input, or nothing when it is none."""
        given = self.body.get("input")
        return given if isinstance(given, dict) else {}


def read_body(raw: bytes) -> dict[str, Any]:
    """The body of a create. `RefusedError` escapes when it is no JSON object."""
    try:
        body = json.loads(raw)
    except ValueError:
        raise RefusedError(problem(400, "The request body is not valid JSON.")) from None
    if not isinstance(body, dict):
        raise invalid([InvalidField("invalid_type", "(root)", "Invalid type. Expected: object, given: array")])
    return body


def ask_of(sent: Sent, shelf: Shelf, deployments: Mapping[str, str]) -> Ask:
    """What is asked for. `RefusedError` escapes: 404 for whom, 422 for what."""
    if wrong := wrong_in_body(sent.body):
        raise invalid(wrong)
    model, version = _model_and_version(sent, shelf, deployments)
    if not model.open_input and (wrong := wrong_in_input(sent.input, schema_of(model))):
        raise invalid(wrong)
    webhook, events = _webhook(sent.body)
    deployment = sent.name if sent.way == "deployment" else None
    return Ask(model, version, sent.input, webhook, events, _cancel_after(sent.headers), deployment)


def wait_of(headers: Mapping[str, str]) -> float | None:
    """The seconds in `Prefer: wait`; None when the caller does not want to wait. `RefusedError` escapes."""
    prefer = headers.get("prefer", "").strip()
    if not prefer.startswith("wait"):
        return None
    shape = PREFER.fullmatch(prefer)
    if not shape or float(shape[1] or 0) > LONGEST_WAIT:
        raise invalid([InvalidField("pattern", "Prefer", r"Does not match pattern '^wait(=([1-9]|[1-9][0-9]|60))?$'")])
    return float(shape[1] or LONGEST_WAIT)


def invalid(wrong: list[InvalidField]) -> RefusedError:
    """The 422 for these."""
    said = "".join(
        f"- {one.description if one.field == '(root)' else f'{one.field}: {one.description}'}\n" for one in wrong
    )
    fields = [one._asdict() for one in wrong]
    return RefusedError(problem(422, said, "Input validation failed", invalid_fields=fields))


def _model_and_version(sent: Sent, shelf: Shelf, deployments: Mapping[str, str]) -> tuple[SimulatedModel, str]:
    """For whom, and the version that the answer shows."""
    if sent.way == "deployment":
        model = shelf.get(deployments.get(sent.name, ""))
        if model is None:
            raise RefusedError(problem(404, NOT_FOUND))
        return model, "dp-" + model.versions[0][:32]
    if sent.way == "model":
        model = shelf.get(sent.name)
        if model is None or not model.official:
            raise RefusedError(problem(404, NOT_FOUND))
        return model, "hidden"
    if "version" not in sent.body:
        raise invalid([InvalidField("required", "(root)", "version is required")])
    name, _, version = sent.body["version"].rpartition(":")
    model = shelf.get(name) if name else shelf.get(version) if "/" in version else shelf.of_version(version)
    if model and "/" in version and not name and model.official:
        return model, "hidden"
    if model is None or (version not in model.versions and not model.open_input):
        raise RefusedError(problem(422, NO_VERSION, "Invalid version or not permitted"))
    return model, version


def _webhook(body: Mapping[str, Any]) -> tuple[str | None, frozenset[str]]:
    events = frozenset(body.get("webhook_events_filter") or ("output", "completed"))
    if "webhook_completed" in body and "webhook" not in body:
        return body["webhook_completed"], frozenset({"completed"})
    return body.get("webhook"), events


def _cancel_after(headers: Mapping[str, str]) -> float:
    header = headers.get("cancel-after")
    if header is None:
        return inf
    seconds = cancel_after(header)
    if seconds is None:
        raise invalid([InvalidField("pattern", "Cancel-After", "Must be a duration of at least 5 seconds")])
    return seconds
