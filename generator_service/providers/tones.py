"""The sounds of the built-in fake provider: a few plucked chords."""

from __future__ import annotations

import io
import math
import sys
import wave
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, cycle, islice, repeat
from operator import add, mul
from typing import NamedTuple

from generator_service.providers.chance import Chance

RATE = 22050
STEP = 0.125  # seconds from one plucked note to the next
STEPS_A_CHORD = 4
FADE = 0.06  # seconds of silence coming at the end, so that nothing clicks

# Scale degrees of each chord's root: progressions that sound right in a major and in a minor key.
PROGRESSIONS = ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 1, 4), (0, 2, 3, 4))
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
PATTERNS = ((0, 1, 2, 3), (3, 2, 1, 0), (0, 2, 1, 3), (0, 3, 2, 1), (2, 0, 3, 1), (1, 3, 0, 2))
ATTACK = 90  # samples

PLUCK = ((1, 1.0), (2, 0.42), (3, 0.2), (4, 0.08), (6, 0.03))  # harmonic, loudness
PAD = ((1, 1.0), (2, 0.16), (3, 0.05))


class Note(NamedTuple):
    """When it starts, its MIDI pitch, how long it rings (seconds), how loud, and its timbre."""

    start: float
    pitch: int
    long: float
    loud: float
    harmonics: tuple[tuple[int, float], ...]


def play(*, model: str, prompt: str, seed: int, index: int, seconds: float = 2.0) -> bytes:
    """A WAV, 16-bit PCM mono 22050 Hz, of this length: the same bytes for the same arguments on every call.

    The outputs of one job share key and chords; each has its own melody.
    """
    frames = max(0, round(seconds * RATE))
    tune = [0.0] * frames
    for note in _score(model, prompt, seed, index, seconds):
        _sound(tune, round(note.start * RATE), note)
    echo = islice(chain(repeat(0.0, round(STEP * 3 * RATE)), tune), frames)
    return _wav([dry + 0.3 * wet for dry, wet in zip(tune, echo, strict=False)])


def _score(model: str, prompt: str, seed: int, index: int, seconds: float) -> Iterator[Note]:
    """The notes that start within so many seconds: a chord every few steps, and a plucked note on each."""
    key = Chance("key", model, prompt, seed)
    root, scale, chords = key.whole(50, 59), key.pick(SCALES), key.pick(PROGRESSIONS)
    melody = Chance("melody", model, prompt, seed, index)
    pattern = PATTERNS[(key.whole(0, 5) + index) % len(PATTERNS)]
    for step in range(math.ceil(seconds / STEP)):
        degree = chords[step // STEPS_A_CHORD % len(chords)]
        tones = [root + _pitch(scale, degree + third) for third in (0, 2, 4, 7)]
        if step % STEPS_A_CHORD == 0:
            yield Note(step * STEP, tones[0] - 12, 0.9, 0.5, PAD)
            yield from (Note(step * STEP, tone, 0.75, 0.16, PAD) for tone in tones[1:3])
        lift = 12 if melody.often(0.7) else 0
        yield Note(step * STEP, tones[pattern[step % 4]] + lift, 0.6, melody.between(0.4, 0.6), PLUCK)


def _pitch(scale: Sequence[int], degree: int) -> int:
    """Semitones above the root of a degree of the scale, over as many octaves as it takes."""
    return scale[degree % 7] + degree // 7 * 12


@lru_cache(maxsize=256)
def _wave(pitch: int, harmonics: Sequence[tuple[int, float]]) -> tuple[float, ...]:
    """A few turns of a pitch's wave: as many as come closest to a whole number of samples, so that it is in tune."""
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    turns = min(range(1, 6), key=lambda number: abs(number * RATE / frequency % 1 - 0.5) / -number)
    samples = round(turns * RATE / frequency)
    return tuple(
        sum(loud * math.sin(math.tau * turns * harmonic * at / samples) for harmonic, loud in harmonics)
        for at in range(samples)
    )


@lru_cache(maxsize=8)
def _envelope(long: float) -> tuple[float, ...]:
    """A soft attack, then a fall to a thousandth."""
    frames = round(long * RATE)
    fall = accumulate(repeat(0.001 ** (1 / frames), frames - 1), mul, initial=1.0)
    return tuple(map(mul, fall, chain((at / ATTACK for at in range(ATTACK)), repeat(1.0))))


def _sound(tune: list[float], start: int, note: Note) -> None:
    """Add a note to the tune; what would ring beyond the end is cut."""
    wave_form = [level * note.loud for level in _wave(note.pitch, note.harmonics)]
    envelope = _envelope(note.long)
    end = min(len(tune), start + len(envelope))
    tune[start:end] = map(add, tune[start:end], map(mul, envelope, cycle(wave_form)))


def _wav(samples: list[float]) -> bytes:
    """The samples as a file, at an even loudness and faded out."""
    fade = min(len(samples), round(FADE * RATE))
    for at in range(fade):
        samples[-1 - at] *= at / fade
    scale = 26000 / max(1.0, max(map(abs, samples), default=1.0))
    pcm = array("h", map(int, map(mul, samples, repeat(scale))))
    if sys.byteorder == "big":
        pcm.byteswap()
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
    return written.getvalue()
