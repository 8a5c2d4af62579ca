"""Every fault the Cog simulator knows: most are those of Replicate, with the same names."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from darkroom.simulators.faults import Fault
from darkroom.simulators.replicate.faults.answers import AnswerFault, Delay, DropAnswer, GatewayError
from darkroom.simulators.replicate.faults.courses import Fail, OutputCount, Slow, Stuck
from darkroom.simulators.replicate.faults.webhooks import WebhookDuplicated, WebhookLate, WebhookLost


class Busy(AnswerFault):
    """409, as if every slot were taken. Nothing runs."""

    fault: Literal["busy"] = "busy"
    on: Literal["create"] = "create"


class Unhealthy(Fault):
    """The health check says this."""

    fault: Literal["unhealthy"] = "unhealthy"
    on: Literal["health"] = "health"
    status: Literal["STARTING", "BUSY", "SETUP_FAILED", "DEFUNCT", "UNHEALTHY"] = "DEFUNCT"


AnyCogFault = Annotated[
    Busy | Delay | DropAnswer | Fail | GatewayError | OutputCount | Slow | Stuck | Unhealthy
    | WebhookDuplicated | WebhookLate | WebhookLost,
    Field(discriminator="fault"),
]  # fmt: skip

COG_FAULTS: TypeAdapter[list[AnyCogFault]] = TypeAdapter(list[AnyCogFault])

__all__ = [
    "COG_FAULTS",
    "AnyCogFault",
    "Busy",
    "Delay",
    "DropAnswer",
    "Fail",
    "GatewayError",
    "OutputCount",
    "Slow",
    "Stuck",
    "Unhealthy",
    "WebhookDuplicated",
    "WebhookLate",
    "WebhookLost",
]
