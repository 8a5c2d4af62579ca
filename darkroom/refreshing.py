"""Cards of a folder, written anew from what the provider says."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.inputs import Check, UncheckableError
from generator_service.providers.describing import Describer, Undescribable
from generator_service.providers.replicate_describer import replicate_describer
from schemas.catalogue import ModelCard, read_card
from schemas.input_schema import without_patterns

PROVIDER = "replicate"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of one model."""

    model: str
    what: str
    good: bool


async def refreshed(environ: Mapping[str, str], folder: Path, names: Sequence[str]) -> list[Refreshed]:
    """Write the cards of these models into `folder`, or of every one of Replicate's that it holds already.

    `KeyError` names a setting that is missing, `CatalogueError` a card in the folder that cannot be read.
    """
    there = _cards_in(folder)
    wanted = names or [name for name, (_, card) in there.items() if card.provider == PROVIDER]
    async with replicate_describer(environ) as describer:
        return [await _refresh(describer, name, folder, *there.get(name, (None, None))) for name in wanted]


def _cards_in(folder: Path) -> dict[str, tuple[Path, ModelCard]]:
    """The cards that a folder holds, by name. It is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    cards = [(path, read_card(path)) for path in sorted(folder.glob("*.json"))]
    return {card.name: (path, card) for path, card in cards}


async def _refresh(
    describer: Describer, name: str, folder: Path, path: Path | None, former: ModelCard | None
) -> Refreshed:
    try:
        card, left_out = _checkable(await describer.describe(name))
    except (Undescribable, UncheckableError) as fault:
        return Refreshed(name, str(fault), good=False)
    if former:
        card = card.model_copy(update={"cost_units": former.cost_units})
    if card == former:
        return Refreshed(name, "as it was" + left_out, good=True)
    _write(path or folder / f"{name.replace('/', '--').replace(':', '--')}.json", card)
    return Refreshed(name, ("written anew" if former else "written") + left_out, good=True)


def _checkable(card: ModelCard) -> tuple[ModelCard, str]:
    """The card, without its patterns when one of them cannot be run in linear time: the provider still checks them."""
    try:
        Check.of(card)
    except UncheckableError:
        bare = card.model_copy(update={"input_schema": without_patterns(card.input_schema)})
        Check.of(bare)
        return bare, ", without its patterns: one cannot be checked in bounded time"
    return card, ""


def _write(path: Path, card: ModelCard) -> None:
    """Put the card there whole, or not at all."""
    unfinished = path.with_suffix(".unfinished")
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    unfinished.write_text(text + "\n", encoding="utf-8")
    os.replace(unfinished, path)
