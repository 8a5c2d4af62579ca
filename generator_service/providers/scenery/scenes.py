"""Which scene shows which subject."""

from __future__ import annotations

from collections.abc import Callable

from generator_service.providers.scenery.abstract import abstract
from generator_service.providers.scenery.brushes import Canvas
from generator_service.providers.scenery.city import city
from generator_service.providers.scenery.deserts import desert
from generator_service.providers.scenery.flowers import flower
from generator_service.providers.scenery.mountains import mountain
from generator_service.providers.scenery.sea import sea
from generator_service.providers.scenery.space import space
from generator_service.providers.scenery.themes import Subject
from generator_service.providers.scenery.trees import forest

SCENES: dict[Subject, Callable[[Canvas], None]] = {
    "city": city,
    "sea": sea,
    "mountain": mountain,
    "forest": forest,
    "desert": desert,
    "space": space,
    "flower": flower,
    "abstract": abstract,
}
