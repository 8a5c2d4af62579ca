"""Pure: what is sent to Replicate for a call, and whether a prediction in its list may be that call."""

import json
import re
from collections.abc import Mapping
from typing import Any

from generator_service.calls import Call
from schemas.catalogue import catalogue

NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
VERSION = re.compile("[0-9a-f]{64}")
MODEL = re.compile(f"(?P<model>{NAME}/{NAME})")
VERSIONED = re.compile(f"(?:(?P<model>{NAME}/{NAME}):)?(?P<version>[0-9a-f]{{64}})")
DEPLOYMENT = re.compile(f"deployments/(?P<deployment>{NAME}/{NAME})")


def replicate_input(call: Call) -> dict[str, Any]:
    """The `input` of a call: what the caller put there, and the fields that have names of their own, which win.

    None is left out, and so is a field that the model is known not to take. How many outputs to make is the plan's to
    say, so that nothing is paid that nobody waits for.
    """
    card = catalogue().get(call.model)
    takes_many = call.takes is not None or call.num_outputs > 1 or (card is not None and card.outputs_per_call > 1)
    named = {
        "prompt": call.prompt,
        "seed": call.seed,
        "num_outputs": call.num_outputs if takes_many else None,
        "output_format": call.output_format,
    }
    taken = named.keys() if call.takes is None else call.takes
    rest = {name: value for name, value in call.input.items() if name != "num_outputs" and value is not None}
    return rest | {name: value for name, value in named.items() if value is not None and name in taken}


def canonical(value: Any) -> str:
    """One text for everything that is the same JSON: no order of names, 1.0 as 1. ValueError when it is no JSON, or
    nested deeper than anybody's input.
    """
    try:
        return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise ValueError("is nested too deep") from None


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def aimed_at(model: str) -> dict[str, str] | None:
    """How 1.0.7 names this model in a create: official models, versions, deployments. None when it is no such name."""
    if versioned := VERSIONED.fullmatch(model):
        return {"version": versioned["version"]}
    if deployment := DEPLOYMENT.fullmatch(model):
        return {"deployment": deployment["deployment"]}
    return {"model": model} if MODEL.fullmatch(model) else None


class Names:
    """What Replicate calls the models that were asked for: some come back under another name."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def learn(self, asked: str, told: str) -> None:
        """A create for `asked` was answered by a prediction of `told`."""
        if told:
            self._seen[asked] = told

    def same(self, asked: str, model: str, version: str, deployment: str | None = None) -> bool | None:
        """Whether a prediction that shows these is one of the model `asked`. None when nobody can tell."""
        deployed = DEPLOYMENT.fullmatch(asked)
        if deployed and deployment:
            return deployment == deployed["deployment"]
        wanted = VERSIONED.fullmatch(asked)
        if wanted and VERSION.fullmatch(version):
            return version == wanted["version"]
        name = (wanted["model"] if wanted else asked) or asked
        if model in (name, self._seen.get(asked)):
            return True
        # A name that is surely another model's; a stranger may be ours under a new name.
        others = {told for known, told in self._seen.items() if known != asked} | self._seen.keys() | catalogue().keys()
        return False if asked in self._seen or model in others else None
