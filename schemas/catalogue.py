"""The models we know: who makes them, what they take, and how many outputs one call may ask for."""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schemas.input_schema import bounded

FOLDER = Path(__file__).with_name("models")
OwnField = Literal["prompt", "seed", "num_outputs", "output_format"]
OWN_FIELDS: tuple[OwnField, ...] = get_args(OwnField)
"""What a request has fields of its own for. Everything else that a model takes is its `input`."""
MOST_PER_CALL = 10


class CatalogueError(ValueError):
    """A card cannot be used: names its file and says why."""


class ModelCard(BaseModel):
    """What is known of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,255}$")
    provider: str = Field(min_length=1)
    description: str
    kind: Literal["image", "audio", "video"] | None = Field(None, description="None: its schema does not say.")
    outputs_per_call: int = Field(ge=1, le=MOST_PER_CALL, description="1: one call per output, with seed + index.")
    cost_units: int = Field(1, ge=0, description="What one call counts towards a provider's daily cap.")
    formats: tuple[str, ...] = Field(
        (), description="The first is made when none is asked for; empty: the model makes what it makes."
    )
    takes: tuple[OwnField, ...] | None = Field(
        None, description="Which fields of a request the model has a word for; None: whichever its provider sends."
    )
    input_schema: Annotated[dict[str, JsonValue], AfterValidator(bounded)] = Field(
        default={"type": "object"}, description="JSON Schema of `input`: what the model takes beside those fields."
    )


@cache
def catalogue(directory: str = "") -> Mapping[str, ModelCard]:
    """Every known model by name: the packaged cards, and those of `directory` over them. Read once.

    `CatalogueError` escapes when a card cannot be read.
    """
    folders = [FOLDER, Path(directory)] if directory else [FOLDER]
    if not folders[-1].is_dir():
        raise CatalogueError(f"{directory} is no folder")
    cards = [read_card(path) for folder in folders for path in sorted(folder.glob("*.json"))]
    return MappingProxyType({card.name: card for card in cards})


def read_card(path: Path) -> ModelCard:
    """The card in a file. `CatalogueError` escapes when there is none in it."""
    try:
        return ModelCard.model_validate(json.loads(path.read_bytes()))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (OSError, ValueError, RecursionError) as wrong:
        why = str(wrong)
    raise CatalogueError(f"{path.name}: {why}")


def _read(directory: str) -> str:
    catalogue(directory)
    return directory


ModelsDirectory = Annotated[str, AfterValidator(_read)]
"""A setting: the folder with cards of your own. Empty: the packaged ones alone."""


def routes_in(setting: str) -> list[tuple[str, str]]:
    """The PATTERN=PROVIDER pairs of a setting, in order."""
    pairs = (pair.partition("=") for pair in setting.split(",") if pair.strip())
    return [(pattern.strip(), provider.strip()) for pattern, _, provider in pairs]


def maker_of(model: str, routes: Iterable[tuple[str, str]], default: str, models: Mapping[str, ModelCard]) -> str:
    """Who makes `model`: the first route that fits, else what the catalogue says, else the default provider."""
    for pattern, provider in routes:
        if fnmatchcase(model, pattern):
            return provider
    card = models.get(model)
    return card.provider if card else default


def split(card: ModelCard | None, num_outputs: int) -> list[tuple[int, ...]]:
    """The outputs of each call that a job needs. A model that nobody described takes them all at once, as the
    original did.
    """
    per_call = card.outputs_per_call if card else MOST_PER_CALL
    return [tuple(range(at, min(at + per_call, num_outputs))) for at in range(0, num_outputs, per_call)]
