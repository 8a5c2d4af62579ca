"""The models we know: who makes them, and how many outputs one call may ask for."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).with_name("models")


class ModelCard(BaseModel):
    """What is known of one model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    provider: str
    summary: str
    kind: Literal["image", "audio"]
    outputs_per_call: int = Field(ge=1, le=10, description="1: one call per output, with seed + index.")
    cost_units: int = Field(1, ge=0, description="What one call counts towards a provider's daily cap.")
    formats: tuple[str, ...] = Field(description="The first is made when none is asked for.")


@cache
def catalogue() -> Mapping[str, ModelCard]:
    """Every known model by name, read once from `schemas/models/`."""
    cards = [ModelCard.model_validate(json.loads(path.read_text())) for path in sorted(FOLDER.glob("*.json"))]
    return MappingProxyType({card.name: card for card in cards})


def outputs_per_call(model: str) -> int:
    """How many outputs one call covers. A model that nobody described takes them all at once, as the original did."""
    card = catalogue().get(model)
    return card.outputs_per_call if card else 10
