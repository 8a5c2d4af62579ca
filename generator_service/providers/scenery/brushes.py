"""How a scene puts paint on a canvas. Places are shares of the canvas: (0, 0) is top left, (1, 1) bottom right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFilter

from generator_service.providers.chance import Chance
from generator_service.providers.scenery.palettes import Colour, Palette, blend

Point = tuple[float, float]
Shape = Sequence[Point]


@dataclass(frozen=True)
class Canvas:
    """A picture being painted, with the luck and the colours it is painted with."""

    image: Image.Image
    chance: Chance
    palette: Palette
    take: int

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.image.width / self.image.height

    def at(self, x: float, y: float) -> tuple[int, int]:
        """The pixel at this place."""
        return round(x * self.image.width), round(y * self.image.height)


def ramp(colours: Sequence[Colour], width: int, height: int) -> Image.Image:
    """A smooth vertical gradient through the colours, top to bottom."""
    column = Image.new("RGB", (1, len(colours)))
    column.putdata(colours)
    smooth = column.resize((1, height), Image.Resampling.BILINEAR)
    return smooth if width == 1 else smooth.resize((width, height), Image.Resampling.NEAREST)


@lru_cache(maxsize=16)
def _halo(percent: int) -> Image.Image:
    """A soft round spot, brightest in the middle; shared, so never drawn on."""
    fall = [round(max(0, 1 - value / 181) ** 2 * 2.55 * percent) for value in range(256)]
    return Image.radial_gradient("L").point(fall)


def glow(image: Image.Image, x: float, y: float, reach: float, colour: Colour, percent: int) -> None:
    """Light up the surroundings of a place, as far as `reach` (a share of the height)."""
    side = max(2, round(reach * 2 * image.height))
    corner = (round(x * image.width) - side // 2, round(y * image.height) - side // 2)
    soft = _halo(percent).resize((side // 2, side // 2), Image.Resampling.BILINEAR)
    image.paste(
        colour, (*corner, corner[0] + side, corner[1] + side), soft.resize((side, side), Image.Resampling.NEAREST)
    )


def lay(
    canvas: Canvas, shapes: Iterable[Shape], *colours: Colour, opacity: float = 1.0, solid_below: float = 2.0
) -> None:
    """Fill the shapes with a gradient from the highest point to the lowest; edges are smooth. Outside is cut off.

    Below `solid_below` the shapes cover the whole width: it need not be masked, which is most of the work.
    """
    shapes = [shape for shape in shapes if len(shape) > 2]
    xs, ys = [x for shape in shapes for x, _ in shape], [y for shape in shapes for _, y in shape]
    if not shapes:
        return
    left, top = canvas.at(max(0.0, min(xs) - 0.002), max(0.0, min(ys) - 0.002))
    right, bottom = canvas.at(min(1.0, max(xs) + 0.002), min(1.0, max(ys) + 0.002))
    solid = min(bottom, canvas.at(0, solid_below)[1] + 1)
    if right <= left or bottom <= top:
        return
    paint = ramp(colours, 1, bottom - top)
    if solid > top:
        mask = _stencil(canvas, shapes, (left, top, right, solid), round(255 * opacity))
        canvas.image.paste(_widened(paint, 0, solid - top, right - left), (left, top), mask)
    if solid < bottom:
        canvas.image.paste(_widened(paint, max(0, solid - top), bottom - top, right - left), (left, max(top, solid)))


def _stencil(canvas: Canvas, shapes: Iterable[Shape], box: tuple[int, int, int, int], opacity: int) -> Image.Image:
    """A mask of the shapes within a box of pixels: drawn at twice the size and halved, so that edges are smooth."""
    left, top, right, bottom = (side * 2 for side in box)
    mask = Image.new("L", (right - left, bottom - top))
    draw, wide, high = ImageDraw.Draw(mask), canvas.image.width * 2, canvas.image.height * 2
    for shape in shapes:
        draw.polygon([(x * wide - left, y * high - top) for x, y in shape], fill=opacity)
    return mask.reduce(2)


def _widened(column: Image.Image, start: int, end: int, width: int) -> Image.Image:
    """These rows of a picture that is one pixel wide, as wide as this."""
    return column.crop((0, start, 1, end)).resize((width, end - start), Image.Resampling.NEAREST)


def terrain(canvas: Canvas, heights: Sequence[float], *colours: Colour, shapes: Iterable[Shape] = ()) -> None:
    """Lay the land below a line of heights, down to the bottom, and shapes that stand on it."""
    lay(canvas, [land(heights), *shapes], *colours, solid_below=max(heights))


def disc(canvas: Canvas, x: float, y: float, radius: float, bite: float = 0.0) -> Shape:
    """A circle; with a `bite` between 0 and 2 a moon, the more the thinner. The radius is a share of the height."""
    wide = radius / canvas.aspect
    steps = max(6, min(40, round(radius * 240)))
    turns = [math.pi * step / steps for step in range(steps + 1)]
    right = [(x + wide * math.sin(turn), y - radius * math.cos(turn)) for turn in turns]
    left = [(x - wide * (1 - bite) * math.sin(turn), y - radius * math.cos(turn)) for turn in reversed(turns)]
    return right + left


def sky(canvas: Canvas, light: Point, horizon: float = 1.0, reach: float = 0.75, clouds: int = 6) -> None:
    """Paint everything above the horizon: the gradient, the light's halo and some clouds."""
    palette, chance = canvas.palette, canvas.chance
    width, height = canvas.at(0.25, horizon / 4)  # soft, so a quarter of the size is enough
    small = ramp(palette.sky, max(1, width), max(1, height + 1))
    glow(small, light[0], light[1] / horizon, reach, palette.light, 42 if palette.is_dark else 75)
    mask = Image.new("L", small.size)
    draw = ImageDraw.Draw(mask)
    for _ in range(clouds):
        _streak(draw, chance, small.width, small.height)
    lit = blend(palette.sky[-1], palette.light, 0.35)
    small.paste(lit if not palette.is_dark else palette.haze, mask=mask.filter(ImageFilter.GaussianBlur(1.6)))
    half = small.resize((canvas.image.width // 2, height * 2 + 2), Image.Resampling.BILINEAR)
    canvas.image.paste(half.resize((canvas.image.width, height * 4 + 4), Image.Resampling.NEAREST))
    if palette.is_dark:
        stars(canvas, 220 if palette.mood in ("night", "winter") else 70, horizon * 0.75)


def _streak(draw: ImageDraw.ImageDraw, chance: Chance, width: int, height: int) -> None:
    """One long flat cloud, made of overlapping wisps."""
    x, y = chance.between(-0.1, 1.0) * width, chance.between(0.12, 0.8) ** 0.8 * height
    strength = chance.whole(50, 120)
    for _ in range(9):
        long, thick = chance.between(0.04, 0.16) * width, chance.between(0.004, 0.014) * height
        cx, cy = x + chance.between(-0.15, 0.15) * width, y + chance.between(-0.018, 0.018) * height
        draw.ellipse((cx - long, cy - thick, cx + long, cy + thick), fill=strength)


def stars(canvas: Canvas, count: int, below: float) -> None:
    """Scatter stars from the top down to a height; most of them faint."""
    draw, chance = ImageDraw.Draw(canvas.image), canvas.chance
    for _ in range(count):
        height = chance.unit()
        x, y = int(chance.unit() * canvas.image.width), int(height * below * canvas.image.height)
        shine = chance.unit() ** 3 * 0.75 + 0.25
        base = canvas.palette.sky[min(2, int(height * 2.5))]
        colour = blend(base, canvas.palette.light, shine * (1 - height * 0.6))
        draw.rectangle((x, y, x + 1, y + 1), fill=colour) if shine > 0.6 else draw.point((x, y), fill=colour)


def orb(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """The sun; on a dark sky the moon, sometimes a crescent."""
    palette, chance = canvas.palette, canvas.chance
    if palette.mood == "night":
        bite = chance.pick((0.0, 0.0, 1.3, 1.6))
        lay(canvas, [disc(canvas, x, y, radius * 0.7, bite)], palette.light, blend(palette.light, palette.haze, 0.25))
        return
    lay(canvas, [disc(canvas, x, y, radius)], palette.light, blend(palette.light, palette.sky[-1], 0.45))


def rough(chance: Chance, steps: int, wildness: float) -> list[float]:
    """A jagged line of 2**steps + 1 heights around 0, by midpoint displacement: rough near and far."""
    line = [chance.between(-wildness, wildness), chance.between(-wildness, wildness)]
    for _ in range(steps):
        wildness *= 0.52
        middles = [(a + b) / 2 + chance.between(-wildness, wildness) for a, b in pairwise(line)]
        line = [height for pair in zip(line, middles, strict=False) for height in pair] + line[-1:]
    return line


def rolling(chance: Chance, points: int, waves: float) -> list[float]:
    """A smooth line of heights between about -1 and 1."""
    parts = [(waves * factor, chance.between(0, math.tau), 1 / factor) for factor in (1.0, 1.7, 2.9)]
    return [
        sum(math.sin(math.tau * turns * at / points + phase) * size for turns, phase, size in parts) / 1.9
        for at in range(points + 1)
    ]


def land(heights: Sequence[float], bottom: float = 1.02) -> Shape:
    """The shape below a line of heights that spans the whole width."""
    last = len(heights) - 1
    return [(-0.01, bottom), *((at / last * 1.02 - 0.01, y) for at, y in enumerate(heights)), (1.01, bottom)]


def mist(canvas: Canvas, top: float, bottom: float, opacity: float) -> None:
    """A veil of haze that thickens towards the bottom."""
    (_, upper), (_, lower) = canvas.at(0, top), canvas.at(0, bottom)
    size = (canvas.image.width, max(1, lower - upper))
    veil = Image.linear_gradient("L").resize((1, size[1])).point([round(v * opacity) for v in range(256)])
    canvas.image.paste(
        canvas.palette.haze, (0, upper, size[0], upper + size[1]), veil.resize(size, Image.Resampling.NEAREST)
    )


def birds(canvas: Canvas, x: float, y: float) -> None:
    """A few birds, far away."""
    chance, colour = canvas.chance, canvas.palette.near
    flock: list[Shape] = []
    for _ in range(chance.whole(4, 8)):
        bx, by, span = x + chance.between(-0.08, 0.08), y + chance.between(-0.05, 0.05), chance.between(0.006, 0.013)
        wing = [(bx - span, by - span * 0.7), (bx - span * 0.4, by - span * 0.75), (bx, by)]
        back = [(bx + span * 0.4, by - span * 0.75), (bx + span, by - span * 0.7), (bx, by + span * 0.35)]
        flock.append(wing + back)
    lay(canvas, flock, colour, opacity=0.8)
