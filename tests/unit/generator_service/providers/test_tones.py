"""The fake provider's sounds: always the same, never alike, plain WAV."""

import hashlib
import io
import subprocess
import sys
import wave
from array import array
from typing import Any

import pytest

from generator_service.providers.tones import RATE, play

IN_A_FRESH_PROCESS = """
import hashlib
from generator_service.providers.tones import play
print(hashlib.sha256(play(model="fake/player", prompt="rain", seed=7, index=0)).hexdigest())
"""


def a_sound(**changes: Any) -> bytes:
    ask: dict[str, Any] = {"model": "fake/player", "prompt": "rain", "seed": 7, "index": 0}
    return play(**ask | changes)


def test_the_same_ask_gives_the_same_bytes() -> None:
    assert a_sound() == a_sound()


def test_another_process_plays_the_same_bytes() -> None:
    told = subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], capture_output=True, check=True, text=True)

    assert told.stdout.strip() == hashlib.sha256(a_sound()).hexdigest()


@pytest.mark.parametrize(
    "change", [{"model": "fake/other"}, {"prompt": "rain!"}, {"seed": 8}, {"index": 1}, {"seconds": 1.0}], ids=str
)
def test_another_ask_gives_another_sound(change: dict[str, Any]) -> None:
    assert a_sound(**change) != a_sound()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.5, 2.0, 7.3])
def test_a_sound_is_a_wav_of_its_length(seconds: float) -> None:
    with wave.open(io.BytesIO(a_sound(seconds=seconds))) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        assert sound.getnframes() == round(seconds * RATE)


@pytest.mark.parametrize("seed", range(5))
def test_a_sound_is_loud_enough_never_clipped_and_ends_in_silence(seed: int) -> None:
    with wave.open(io.BytesIO(a_sound(seed=seed))) as sound:
        samples = array("h", sound.readframes(sound.getnframes()))

    assert 8_000 < max(map(abs, samples)) < 32_767
    assert max(map(abs, samples[-20:])) < 400


@pytest.mark.parametrize("prompt", ["", "🎵", "\ud800", "x" * 65536], ids=lambda prompt: ascii(prompt[:8]))
def test_any_prompt_gives_a_sound(prompt: str) -> None:
    assert a_sound(prompt=prompt).startswith(b"RIFF")
