"""Cities: towers in the haze, over water, from a hill."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import ImageDraw

from generator_service.providers.scenery.brushes import (
    Canvas,
    Shape,
    birds,
    disc,
    lay,
    mist,
    orb,
    rolling,
    sky,
    terrain,
)
from generator_service.providers.scenery.palettes import Colour, blend
from generator_service.providers.scenery.water import mirror

# Each roof's edge from left to right, as shares of the building's width and height; below 0 are antennas.
ROOFS: dict[str, Shape] = {
    "flat": ((0, 0), (1, 0)),
    "step": ((0, 0.16), (0.2, 0.16), (0.2, 0), (0.8, 0), (0.8, 0.16), (1, 0.16)),
    "spire": ((0, 0.16), (0.36, 0.09), (0.47, 0), (0.5, -0.17), (0.53, 0), (0.64, 0.09), (1, 0.16)),
    "slant": ((0, 0.16), (1, 0)),
    "dome": [(0.5 - math.cos(math.pi * s / 10) / 2, 0.16 - math.sin(math.pi * s / 10) * 0.16) for s in range(11)],
    "taper": ((0.22, 0), (0.78, 0)),
    "fork": ((0, 0), (0.28, 0.04), (0.36, 0.16), (0.64, 0.16), (0.72, 0.04), (1, 0)),
    "needle": (
        *((0.34, 0.16), (0.1, 0.14), (0.1, 0.115), (0.45, 0.08), (0.5, -0.1)),
        *((0.55, 0.08), (0.9, 0.115), (0.9, 0.14), (0.66, 0.16)),
    ),
    "sail": [*(((s / 6) ** 2 * 0.8, 0.46 - 0.46 * s / 6) for s in range(7)), (1, 0)],
}


@dataclass(frozen=True)
class Tower:
    """One building: its outline, and the part of it that has windows."""

    outline: Shape
    left: float
    right: float
    top: float
    base: float


def city(canvas: Canvas) -> None:
    """A skyline of three depths before a low sun: over a bay, in deep haze, behind a bridge or seen from a hill."""
    chance, take = canvas.chance, canvas.take % 4
    horizon = (0.68, 1.02, 0.72, 0.84)[take]
    radius = chance.between(0.07, 0.1) if take != 1 else chance.between(0.17, 0.22)
    x, focus = chance.between(0.2, 0.8), chance.between(0.3, 0.7)
    y = horizon - chance.between(0.2, 0.34) if take != 1 else 0.46
    sky(canvas, (x, y), horizon, clouds=chance.whole(4, 9))
    orb(canvas, x, y, radius)
    _skyline(canvas, focus, horizon, take)
    if take in (0, 2):
        mirror(canvas, horizon, x)
    if take == 2:
        _bridge(canvas, horizon)
    if take == 3:
        _hill(canvas)
    _traffic(canvas, horizon)
    birds(canvas, 1 - x, chance.between(0.15, 0.3))


def _skyline(canvas: Canvas, focus: float, horizon: float, take: int) -> None:
    """Three rows of towers, each nearer, darker and with more lights than the one behind."""
    palette, tall = canvas.palette, 0.62 if take == 1 else 0.46
    rows = ((0.0, 0.8, 0.016), (0.4, 1.0, 0.02), (0.82, 0.62, 0.028))
    for nearness, size, wide in rows:
        towers = _row(canvas, focus, horizon, tall * size, wide)
        colour = blend(blend(palette.far, palette.haze, 0.35), palette.near, nearness)
        foot = blend(colour, palette.haze, 0.55 - nearness * 0.4)
        lay(canvas, [tower.outline for tower in towers], colour, blend(colour, foot, 0.35), foot)
        if nearness:
            _windows(canvas, towers, colour, nearness)
        if nearness < 0.8:
            mist(canvas, horizon - 0.2, horizon, 0.5)


def _row(canvas: Canvas, focus: float, base: float, tall: float, wide: float) -> list[Tower]:
    """Towers from the left edge to the right, the tallest near the focus."""
    chance, towers, x = canvas.chance, [], -0.02
    while x < 1.02:
        width = wide * chance.between(0.7, 1.9)
        crowd = math.exp(-(((x - focus) / 0.27) ** 2))
        height = tall * (0.16 + 0.22 * chance.unit() + 0.62 * crowd * chance.unit() ** 0.7)
        if not chance.often(0.12):
            towers.append(_tower(chance.pick(tuple(ROOFS)), x, x + width, base - height, base))
        x += width * chance.between(0.85, 1.35)
    return towers


def _tower(roof: str, left: float, right: float, top: float, base: float) -> Tower:
    """A building with this roof; `top` is the height of its highest point, antennas apart."""
    wide, high = right - left, base - top
    foot = wide * 0.3 if roof == "needle" else 0.0
    inset = {"taper": 0.24, "needle": 0.42, "sail": 0.3}.get(roof, 0.0) * wide
    clear = high * (0.34 if roof == "sail" else 0.2)
    edge = [(left + x * wide, top + y * high) for x, y in ROOFS[roof]]
    return Tower([(left + foot, base), *edge, (right - foot, base)], left + inset, right - inset, top + clear, base)


def _windows(canvas: Canvas, towers: list[Tower], wall: Colour, nearness: float) -> None:
    """Light some of the windows: whole bright floors in some towers, single rooms in others."""
    chance, draw = canvas.chance, ImageDraw.Draw(canvas.image)
    lights = [blend(wall, canvas.palette.accent, share) for share in (0.4, 0.65, 0.95)]
    wide, high, across, down = (max(1, round(canvas.image.height / 768 * size)) for size in (1, 2, 5, 7))
    for tower in towers:
        (left, top), (right, base) = canvas.at(tower.left, tower.top), canvas.at(tower.right, tower.base)
        rooms, floors = (right - left - 4) // across, (base - top - 4) // down
        if rooms < 1 or floors < 1:
            continue
        margin = (right - left - rooms * across + across - wide) // 2
        for _ in range(round(rooms * floors * chance.between(0.05, 0.34) * nearness)):
            floor, room = divmod(int(chance.unit() * rooms * floors), rooms)
            x, y = left + margin + room * across, top + floor * down
            draw.rectangle((x, y, x + wide, y + high), fill=lights[(floor * 7 + room * 5) % 3])


def _traffic(canvas: Canvas, horizon: float) -> None:
    """Streaks of flying traffic among the towers."""
    chance, palette = canvas.chance, canvas.palette
    shapes: list[Shape] = []
    for _ in range(chance.whole(2, 4)):
        y, slope, bend = horizon - chance.between(0.1, 0.34), chance.between(-0.06, 0.06), chance.between(-0.05, 0.05)
        x = chance.between(-0.1, 0.2)
        while x < 1.05:
            long = chance.between(0.004, 0.02)
            at = y + slope * x + bend * math.sin(x * 3)
            shapes.append([(x, at), (x + long, at + slope * long), (x + long, at + slope * long + 0.0022)])
            x += long + chance.between(0.01, 0.07)
    lay(canvas, shapes, blend(palette.accent, palette.light, 0.4), opacity=0.8)


def _bridge(canvas: Canvas, horizon: float) -> None:
    """A long suspension bridge across the water, near the viewer."""
    chance, colour = canvas.chance, canvas.palette.near
    deck, top = horizon + 0.1, horizon - chance.between(0.16, 0.22)
    first = chance.between(0.18, 0.3)
    pylons = (first, first + 0.5)
    shapes: list[Shape] = [[(-0.01, deck), (1.01, deck), (1.01, deck + 0.014), (-0.01, deck + 0.014)]]
    for x in pylons:
        shapes += [
            [(leg, top), (leg + 0.004, top), (leg + 0.006, 0.96), (leg - 0.003, 0.96)] for leg in (x - 0.009, x + 0.006)
        ]
        shapes += [
            [(x - 0.009, y), (x + 0.009, y), (x + 0.009, y + 0.008), (x - 0.009, y + 0.008)]
            for y in (top + 0.02, top + 0.09, deck + 0.05)
        ]
    for step in range(-30, 90):
        x, after = step / 60, (step + 1) / 60
        near, far = _cable(x, pylons, top, deck), _cable(after, pylons, top, deck)
        shapes.append([(x, near), (after, far), (after, far + 0.004), (x, near + 0.004)])
        shapes.append([(x, near), (x + 0.001, near), (x + 0.001, deck), (x, deck)])
    lay(canvas, shapes, colour)


def _cable(x: float, pylons: tuple[float, float], top: float, deck: float) -> float:
    """The height of the main cable at x: a parabola between the pylons and beside them."""
    middle = (pylons[0] + pylons[1]) / 2
    for centre in (middle - 0.5, middle, middle + 0.5):
        if abs(x - centre) <= 0.25:
            return deck - 0.01 - (deck - 0.01 - top) * ((x - centre) / 0.25) ** 2
    return deck


def _hill(canvas: Canvas) -> None:
    """A dark hill with round trees, from where the city is seen."""
    chance, palette = canvas.chance, canvas.palette
    line = [0.79 + height * 0.04 for height in rolling(chance, 60, chance.between(0.5, 0.9))]
    crowns: list[Shape] = []
    for _ in range(70):
        at = chance.whole(0, 60)
        size = chance.between(0.008, 0.022)
        crowns.append(disc(canvas, at / 60 + chance.between(-0.01, 0.01), line[at] - size * 0.3, size))
    terrain(canvas, line, blend(palette.near, palette.far, 0.14), blend(palette.near, (0, 0, 0), 0.25), shapes=crowns)
