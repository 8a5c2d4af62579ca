"""What goes wrong with a webhook. These count the events of predictions, not the tries to send one."""

from typing import Literal

from pydantic import Field
from typing_extensions import override

from darkroom.simulators.faults import Fault, Subject


class WebhookFault(Fault):
    """A fault of one event's webhook; `event` says of which, otherwise of each."""

    on: Literal["webhook"] = "webhook"
    event: Literal["start", "output", "logs", "completed"] | None = None

    @override
    def means(self, subject: Subject) -> bool:
        return super().means(subject) and self.event in (None, subject.event)


class WebhookLost(WebhookFault):
    """Never sent, not even again."""

    fault: Literal["webhook_lost"] = "webhook_lost"


class WebhookDuplicated(WebhookFault):
    """Sent so many times over, with the same webhook-id."""

    fault: Literal["webhook_duplicated"] = "webhook_duplicated"
    copies: int = Field(2, ge=2, le=100)


class WebhookLate(WebhookFault):
    """Sent so long after its time, while the others go ahead; the body is the prediction as it was."""

    fault: Literal["webhook_late"] = "webhook_late"
    seconds: float = Field(ge=0)


class WebhookOutOfOrder(WebhookFault):
    """Held back until `completed` has been sent."""

    fault: Literal["webhook_out_of_order"] = "webhook_out_of_order"
    event: Literal["start", "output", "logs"] = "start"


class WebhookUnsigned(WebhookFault):
    """Without the three signature headers."""

    fault: Literal["webhook_unsigned"] = "webhook_unsigned"


class WebhookWrongSecret(WebhookFault):
    """Signed with a secret that is not ours."""

    fault: Literal["webhook_wrong_secret"] = "webhook_wrong_secret"


class WebhookStale(WebhookFault):
    """Signed rightly, so many seconds ago: a replay."""

    fault: Literal["webhook_stale"] = "webhook_stale"
    seconds: int = Field(3600, ge=1)


class WebhookHuge(WebhookFault):
    """Padded, in its logs, to at least so many bytes."""

    fault: Literal["webhook_huge"] = "webhook_huge"
    size: int = Field(12_000_000, ge=1, le=100_000_000)
