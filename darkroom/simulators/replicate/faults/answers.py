"""What goes wrong with the answer to a call. On a create these decide whether anything was accepted, and charged."""

from typing import Literal

from pydantic import Field

from darkroom.simulators.faults import Fault

Call = Literal["create", "get", "list", "cancel", "model", "account"]


class AnswerFault(Fault):
    """A fault of one answer."""

    on: Call = "create"


class Delay(AnswerFault):
    """The answer comes late. The work is done first, so who gives up has paid.

    `accept`: with `after` who leaves while waiting is never served; with `late` he is, and pays long after he left.
    """

    fault: Literal["delay"] = "delay"
    seconds: float = Field(ge=0)
    accept: Literal["before", "after", "late"] = "before"


class DropAnswer(AnswerFault):
    """The work is done, and charged; then the line is cut: with `nothing` sent, the `headers`, or `half` the body."""

    fault: Literal["drop_answer"] = "drop_answer"
    sent: Literal["nothing", "headers", "half"] = "nothing"


class GatewayError(AnswerFault):
    """A 5xx from something in between: the work is done, and charged, unless `accepted` is false."""

    fault: Literal["gateway_error"] = "gateway_error"
    status: Literal[500, 502, 503, 504] = 502
    accepted: bool = True


class Refuse(AnswerFault):
    """Surely not accepted: 401 bad token, 402 no credit, 404 not found, 422 bad input. Never charged."""

    fault: Literal["refuse"] = "refuse"
    status: Literal[401, 402, 404, 422] = 402
    detail: str | None = None


class Throttle(AnswerFault):
    """A 429. `body` is `plain` or `low_credit` (`retry_after` inside), both seen in the wild, or `bare` (no hint).

    `header` adds a Retry-After header as well.
    """

    fault: Literal["throttle"] = "throttle"
    body: Literal["plain", "low_credit", "bare"] = "plain"
    seconds: int = Field(5, ge=0)
    header: bool = True
