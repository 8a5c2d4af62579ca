"""Trees and the forests they make."""

from __future__ import annotations

import math
from collections.abc import Sequence

from generator_service.providers.scenery.brushes import (
    Canvas,
    Shape,
    birds,
    lay,
    mist,
    orb,
    rolling,
    sky,
    terrain,
)
from generator_service.providers.scenery.palettes import blend
from generator_service.providers.scenery.water import mirror


def pines(canvas: Canvas, line: Sequence[float], tall: float, nearness: float, count: int) -> None:
    """Pines rooted along a line of heights that spans the width, with the ground below it; snowy in winter."""
    chance, palette = canvas.chance, canvas.palette
    colour, last = palette.depth(nearness), len(line) - 1
    shapes: list[Shape] = []
    snow: list[Shape] = []
    for number in range(count):
        x = (number + chance.between(-0.4, 0.4)) / count * 1.04 - 0.02
        at = min(last - 1, max(0, int(x * last)))
        foot = line[at] + (line[at + 1] - line[at]) * (x * last - at)
        size = tall * chance.between(0.45, 1.15)
        pine = _pine(canvas, x, foot + size * 0.05, size)
        shapes.append(pine)
        if palette.mood == "winter":
            snow += _dusting(x, pine, size)
    foot_colour = blend(colour, palette.haze, 0.5 * (1 - nearness))
    terrain(canvas, line, colour, colour, foot_colour, shapes=shapes)
    if palette.mood == "winter":
        lay(canvas, snow, blend(palette.ground, colour, 0.25), opacity=0.75)
        terrain(canvas, line, blend(palette.ground, palette.haze, 1 - nearness), palette.ground)


def _pine(canvas: Canvas, x: float, base: float, size: float) -> Shape:
    """A slim fir with drooping tiers."""
    tiers, slim = 7, size * canvas.chance.between(0.15, 0.21)
    left, right = [], []
    for tier in range(1, tiers + 1):
        wide, y = slim * (tier / tiers) ** 0.85, base - size * (1 - tier / tiers * 0.93)
        left += [(x - wide, y), (x - wide * 0.5, y - size * 0.025)]
        right += [(x + wide * 0.94, y + size * 0.008), (x + wide * 0.46, y - size * 0.02)]
    trunk = size * 0.016
    return [(x, base - size), *right, (x + trunk, base), (x - trunk, base), *left[::-1]]


def _dusting(x: float, pine: Shape, size: float) -> list[Shape]:
    """Snow on the branches of this pine, on the weather side."""
    tips = pine[-2::-2]  # the outer end of each tier at the left, from the top
    return [
        [(tip, y), (tip + (x - tip) * 0.5, y - size * 0.055), (tip + (x - tip) * 0.75, y - size * 0.02)]
        for tip, y in tips[:6]
    ]


def forest(canvas: Canvas) -> None:
    """Pines in the mist: on hills, by a lake, among tall trunks, or under a wide sky."""
    chance, take = canvas.chance, canvas.take % 4
    x, y = chance.between(0.2, 0.8), chance.between(0.2, 0.4)
    sky(canvas, (x, y), 1.0, reach=0.9, clouds=chance.whole(2, 5))
    orb(canvas, x, y, (0.06, 0.15, 0.1, 0.07)[take])
    if take == 2:
        _trunks(canvas, x, y)
        return
    rows = ((0.1, 0.52), (0.32, 0.6), (0.55, 0.67)) if take == 1 else ((0.1, 0.52), (0.3, 0.62), (0.52, 0.74))
    for nearness, base in rows:
        line = [base + height * 0.05 for height in rolling(chance, 50, chance.between(0.5, 1.1))]
        pines(canvas, line, 0.09 + nearness * 0.16, nearness, 62 - round(nearness * 30))
        mist(canvas, base - 0.06, min(1.0, base + 0.13), 0.5)
    if take == 1:
        mirror(canvas, 0.7, x, 1.8)
        pines(canvas, [0.93, 1.0, 1.12, 1.16, 1.1, 1.0, 0.95], 0.5, 1.0, 18)
        return
    near = [0.9 + height * 0.06 for height in rolling(chance, 50, 0.6)]
    pines(canvas, near, 0.42 if take == 0 else 0.24, 0.95, 17 if take == 0 else 34)
    birds(canvas, 1 - x, 0.22)


def _trunks(canvas: Canvas, light_x: float, light_y: float) -> None:
    """Tall bare trunks, row before row, and the rays that fall between them."""
    chance, palette = canvas.chance, canvas.palette
    for nearness, count in ((0.05, 34), (0.3, 22), (0.6, 13), (1.0, 7)):
        colour = blend(blend(palette.far, palette.haze, 0.35), palette.near, nearness)
        base = 0.72 + nearness * 0.2
        line = [base + h * 0.02 for h in rolling(chance, 50, 1.4)]
        shapes: list[Shape] = []
        for number in range(count):
            shapes += _trunk(canvas, (number + chance.unit()) / count, base + 0.02, 0.0035 + nearness * 0.013)
        terrain(canvas, line, colour, colour, blend(colour, palette.haze, 0.65 * (1 - nearness)), shapes=shapes)
        if nearness < 1:
            mist(canvas, base - 0.3, base + 0.05, 0.42)
        if nearness == 0.3:
            _rays(canvas, light_x, light_y)


def _trunk(canvas: Canvas, x: float, base: float, wide: float) -> list[Shape]:
    """One trunk from the ground out of the picture, with a few bare branches."""
    chance, lean = canvas.chance, canvas.chance.between(-0.02, 0.02)
    shapes: list[Shape] = [
        [
            (x - wide * 1.5, base),
            (x - wide * 0.8, base - 0.06),
            (x + lean - wide * 0.5, -0.02),
            (x + lean + wide * 0.5, -0.02),
            (x + wide * 0.8, base - 0.06),
            (x + wide * 1.5, base),
        ]
    ]
    for _ in range(chance.whole(2, 5)):
        y, side, long = chance.between(0.02, base - 0.3), chance.pick((-1, 1)), wide * chance.between(3, 8)
        root = x + lean * (1 - y / base)
        shapes.append([(root, y), (root + side * long, y - long * 0.9), (root, y + wide * 0.55)])
    return shapes


def _rays(canvas: Canvas, x: float, y: float) -> None:
    """Beams that fan out from the light."""
    beams: list[Shape] = []
    for _ in range(7):
        turn, wide = canvas.chance.between(-0.9, 0.9), canvas.chance.between(0.01, 0.05)
        ends = [(x + math.sin(turn + side) * 1.3, y + math.cos(turn + side) * 1.3) for side in (-wide, wide)]
        beams.append([(x, y), *ends])
    lay(canvas, beams, canvas.palette.light, opacity=0.15)
