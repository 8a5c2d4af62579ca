"""Keys: made from nothing, known by their form, kept as hashes."""

import hashlib
import math

import pytest

from gateway.keys import ALPHABET, RANDOM, hash_of, id_of, new_key, well_formed

KEY = "dk_live_0123456789ABCDEFGHIJKLMNOPQRSTUV_2Emexu"


def test_a_key_says_what_it_is_and_where_it_is_good_for() -> None:
    key = new_key("test")

    assert key.startswith("dk_test_")
    assert well_formed(key)


def test_no_two_keys_are_alike() -> None:
    assert len({new_key("live") for _ in range(1_000)}) == 1_000


def test_nobody_guesses_a_key() -> None:
    assert RANDOM * math.log2(len(ALPHABET)) >= 160


def test_a_key_is_written_the_same_for_ever() -> None:
    letters = iter(ALPHABET)

    assert new_key("live", choose=lambda _: next(letters)) == KEY


@pytest.mark.parametrize("place", range(len(KEY)))
def test_a_key_with_one_character_changed_is_told_from_a_key(place: int) -> None:
    other = "b" if KEY[place] != "b" else "c"

    assert not well_formed(KEY[:place] + other + KEY[place + 1 :])


@pytest.mark.parametrize(
    "other",
    ["", "dk_live_", KEY[:-1], KEY + "0", " " + KEY, KEY + "\n", KEY.upper(), KEY.replace("_", "-"), "é" * 46,
     "\ud800" * 46],
    ids=ascii,
)  # fmt: skip
def test_what_was_never_a_key_is_told_from_one(other: str) -> None:
    assert not well_formed(other)


def test_two_characters_that_changed_places_are_noticed() -> None:
    assert not well_formed(KEY.replace("012", "021"))


def test_only_the_whole_keys_hash_is_kept_and_its_public_name_follows_from_that() -> None:
    assert hash_of(KEY) == hashlib.sha256(KEY.encode()).digest()
    assert id_of(hash_of(KEY)) == f"key_{hashlib.sha256(KEY.encode()).hexdigest()[:12]}"


@pytest.mark.parametrize("word", ["", "Live", "live1", "li_ve", "é", "x" * 13], ids=ascii)
def test_a_word_that_would_make_no_key_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="is not 1 to 12 small letters"):
        new_key(word)
