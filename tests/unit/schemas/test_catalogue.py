"""The models we know."""

import pytest

from schemas.catalogue import ModelCard, catalogue, outputs_per_call


def test_every_card_is_found_under_its_own_name() -> None:
    assert {name: card.name for name, card in catalogue().items()} == {name: name for name in catalogue()}
    assert {"fake/painter", "fake/painter-batch", "fake/tones"} <= set(catalogue())


@pytest.mark.parametrize("card", catalogue().values(), ids=lambda card: card.name)
def test_every_model_makes_at_least_one_format(card: ModelCard) -> None:
    assert card.formats


@pytest.mark.parametrize(("model", "outputs"), [("fake/painter", 1), ("fake/painter-batch", 10), ("nobody/knows", 10)])
def test_a_model_that_nobody_described_takes_all_outputs_at_once(model: str, outputs: int) -> None:
    assert outputs_per_call(model) == outputs
