"""Every fault the Replicate simulator knows, by its name in JSON. What each does stands in its class."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from darkroom.simulators.replicate.faults.answers import Delay, DropAnswer, GatewayError, Refuse, Throttle
from darkroom.simulators.replicate.faults.courses import (
    Abort,
    CancelPending,
    CancelRace,
    EchoWebhook,
    Fail,
    OutputCount,
    OutputShape,
    RemoveAfter,
    RenameModel,
    Slow,
    Stuck,
    TimeDigits,
    Unlisted,
)
from darkroom.simulators.replicate.faults.files import (
    FileError,
    FileExpired,
    FileRedirect,
    FileSlow,
    FileTruncated,
    FileWrongType,
)
from darkroom.simulators.replicate.faults.webhooks import (
    WebhookDuplicated,
    WebhookHuge,
    WebhookLate,
    WebhookLost,
    WebhookOutOfOrder,
    WebhookStale,
    WebhookUnsigned,
    WebhookWrongSecret,
)

AnyFault = Annotated[
    Delay | DropAnswer | GatewayError | Refuse | Throttle
    | Abort | CancelPending | CancelRace | EchoWebhook | Fail | OutputCount | OutputShape | RemoveAfter | RenameModel
    | Slow | Stuck | TimeDigits | Unlisted
    | WebhookDuplicated | WebhookHuge | WebhookLate | WebhookLost | WebhookOutOfOrder | WebhookStale | WebhookUnsigned
    | WebhookWrongSecret
    | FileError | FileExpired | FileRedirect | FileSlow | FileTruncated | FileWrongType,
    Field(discriminator="fault"),
]  # fmt: skip

# What `PUT /_simulator/faults` takes, and what a file for --faults holds.
FAULTS: TypeAdapter[list[AnyFault]] = TypeAdapter(list[AnyFault])

__all__ = [
    "FAULTS",
    "Abort",
    "AnyFault",
    "CancelPending",
    "CancelRace",
    "Delay",
    "DropAnswer",
    "EchoWebhook",
    "Fail",
    "FileError",
    "FileExpired",
    "FileRedirect",
    "FileSlow",
    "FileTruncated",
    "FileWrongType",
    "GatewayError",
    "OutputCount",
    "OutputShape",
    "Refuse",
    "RemoveAfter",
    "RenameModel",
    "Slow",
    "Stuck",
    "Throttle",
    "TimeDigits",
    "Unlisted",
    "WebhookDuplicated",
    "WebhookHuge",
    "WebhookLate",
    "WebhookLost",
    "WebhookOutOfOrder",
    "WebhookStale",
    "WebhookUnsigned",
    "WebhookWrongSecret",
]
