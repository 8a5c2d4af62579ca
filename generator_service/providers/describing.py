"""What a provider says of its own models. Asked by people who refresh the catalogue, never while a job is made."""

from typing import Protocol

from schemas.catalogue import ModelCard


class Undescribable(Exception):
    """There is no card for a model: says why."""


class Describer(Protocol):
    """A provider that tells what its models take."""

    async def describe(self, model: str) -> ModelCard:
        """The card of a model, as the provider describes it now. `Undescribable` escapes."""
