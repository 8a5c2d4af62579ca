"""The proof in a callback's path: only who has our key can make one, and only for the very attempt."""

from dataclasses import replace
from uuid import UUID

import pytest

from schemas.callbacks import Doorbell, live_keys

BELL = Doorbell("replicate", UUID(int=1), UUID(int=2), 3)
KEYS = {"new": "n" * 16, "old": "o" * 16}


def proof_of(bell: Doorbell, kid: str) -> str:
    return bell.path(kid, KEYS[kid]).rpartition("/")[2]


def test_the_path_names_the_attempt_the_key_and_the_proof() -> None:
    path = BELL.path("new", KEYS["new"])

    assert path == f"/hooks/replicate/new/{UUID(int=1)}/{UUID(int=2)}/3/{proof_of(BELL, 'new')}"
    assert len(proof_of(BELL, "new")) == 40


@pytest.mark.parametrize("kid", ["new", "old"])
def test_both_keys_are_believed_while_they_rotate(kid: str) -> None:
    assert BELL.proven(kid, proof_of(BELL, kid), KEYS)


def test_a_key_that_was_retired_proves_nothing() -> None:
    assert not BELL.proven("old", proof_of(BELL, "old"), {"new": KEYS["new"]})


def test_a_proof_under_one_key_is_none_under_the_other() -> None:
    assert not BELL.proven("old", proof_of(BELL, "new"), KEYS)


@pytest.mark.parametrize(
    "tampered",
    [
        replace(BELL, provider="cog"),
        replace(BELL, job_id=UUID(int=9)),
        replace(BELL, generation_id=UUID(int=9)),
        replace(BELL, attempt=4),
    ],
)
def test_a_path_with_any_part_changed_is_not_proven(tampered: Doorbell) -> None:
    assert not tampered.proven("new", proof_of(BELL, "new"), KEYS)


@pytest.mark.parametrize("proof", ["", "0" * 40, "\u00e9" * 40, "\ud800", "x" * 100_000])
def test_what_is_no_proof_at_all_is_refused(proof: str) -> None:
    assert not BELL.proven("new", proof, KEYS)


@pytest.mark.parametrize("kid", ["", "nobody", "\u00e9"])
def test_an_unknown_key_is_refused_even_with_a_proof_under_no_secret(kid: str) -> None:
    proof = BELL.path(kid, "").rpartition("/")[2]

    assert not BELL.proven(kid, proof, KEYS)
    assert not BELL.proven(kid, proof, {})


def test_keys_are_read_in_order_and_the_first_one_signs() -> None:
    assert list(live_keys(f"b={'b' * 16}, a={'a' * 16}")) == ["b", "a"]
    assert live_keys("") == {}


@pytest.mark.parametrize("wrong", ["a", "a=", f"={'x' * 16}", "a=short", f"a/b={'x' * 16}", f"a b={'x' * 16}"])
def test_keys_that_cannot_be_meant_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="KID=SECRET"):
        live_keys(wrong)
