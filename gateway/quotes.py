"""What a request would do, without doing it."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from gateway.asks import JobAsk
from gateway.inputs import SHOWN
from schemas.catalogue import OWN_FIELDS, ModelCard, split


class PlannedCall(BaseModel):
    """One call that a provider would get."""

    outputs: list[int] = Field(description="Which outputs of the job it makes.")
    parameters: dict[str, JsonValue] = Field(
        description="The request's own fields as this call carries them, without the prompt. `seed` is null where one "
        "would be derived."
    )


class Quote(BaseModel):
    """What `/generate` would do with this request. Nothing was accepted, and no Idempotency-Key is taken by it."""

    provider: str = Field(description="Who would be called.")
    model: str = Field(description="As it was asked for.")
    in_catalogue: bool = Field(description="False: its input is not checked, and goes to the provider as it is.")
    calls: list[PlannedCall] = Field(description="What the provider would be asked. Tries after failures come on top.")
    input_fields: list[str] = Field(description="The fields of `input` that would be sent with each call.")
    formats: list[str] = Field(description="What the model can make; empty when nobody knows.")
    cost_units: int | None = Field(
        description="What all calls together count towards the caps; null for a model that is not in the catalogue."
    )
    warnings: list[str] = Field(description="What would be ignored, such as unknown fields.")


class Quotes:
    """Plans requests as the generator would: one rule says who makes a model, and which outputs one call covers."""

    def __init__(self, models: Mapping[str, ModelCard], maker: Callable[[str], str]) -> None:
        self._models, self._maker = models, maker

    def of(self, ask: JobAsk, warnings: list[str]) -> Quote:
        """What `ask` would do."""
        card = self._models.get(ask.model)
        outputs = split(card, ask.num_outputs)
        return Quote(
            provider=self._maker(ask.model), model=ask.model, in_catalogue=card is not None,
            calls=[PlannedCall(outputs=list(each), parameters=_told(ask, card, each)) for each in outputs],
            input_fields=sorted(name[:SHOWN] for name, value in ask.input.items() if value is not None),
            formats=list(card.formats) if card else [], cost_units=card.cost_units * len(outputs) if card else None,
            warnings=warnings,
        )  # fmt: skip


def _told(ask: JobAsk, card: ModelCard | None, outputs: tuple[int, ...]) -> dict[str, Any]:
    told = {
        "num_outputs": len(outputs),
        "seed": None if ask.seed is None else ask.seed + outputs[0],
        "output_format": ask.output_format,
    }
    taken = OWN_FIELDS if card is None or card.takes is None else card.takes
    return {name: value for name, value in told.items() if name in taken}
