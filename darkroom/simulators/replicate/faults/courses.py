"""What goes wrong with a prediction that was accepted. These count accepted creates; cancel faults count cancels."""

from typing import Literal

from pydantic import Field

from darkroom.simulators.faults import Fault


class CourseFault(Fault):
    """A fault that a prediction is born with."""

    on: Literal["create"] = "create"


class Slow(CourseFault):
    """Takes this long to start, and to run, instead of what the settings say."""

    fault: Literal["slow"] = "slow"
    queue_seconds: float | None = Field(None, ge=0)
    run_seconds: float | None = Field(None, ge=0)


class Stuck(CourseFault):
    """Stays in `starting`, or in `processing`, until it is cancelled or its Cancel-After ends it."""

    fault: Literal["stuck"] = "stuck"
    status: Literal["starting", "processing"] = "starting"


class Abort(CourseFault):
    """Ends as `aborted` instead of starting. Free."""

    fault: Literal["abort"] = "abort"


class Fail(CourseFault):
    """Runs, then ends as `failed` with this text: a code such as E1001, or a refusal of the content."""

    fault: Literal["fail"] = "fail"
    error: str = "Prediction failed for an unknown reason. It might have run out of memory? (E1000)"


class OutputCount(CourseFault):
    """Makes this many outputs, whatever was asked for."""

    fault: Literal["output_count"] = "output_count"
    count: int = Field(ge=0)


class OutputShape(CourseFault):
    """Another shape of `output`: `list` of URLs, `single` URL, `nested` objects, `data` URIs, `text`, or `null`."""

    fault: Literal["output_shape"] = "output_shape"
    shape: Literal["list", "single", "nested", "data", "text", "null"]


class RenameModel(CourseFault):
    """Calls the model something else than the caller did."""

    fault: Literal["rename_model"] = "rename_model"
    to: str = "replicate/lifeboat-70b"


class EchoWebhook(CourseFault):
    """Echoes `webhook` and `webhook_events_filter` in the prediction, as some schemas on the web have it."""

    fault: Literal["echo_webhook"] = "echo_webhook"


class TimeDigits(CourseFault):
    """Writes all times with this many digits of a second, zeros included."""

    fault: Literal["time_digits"] = "time_digits"
    digits: int = Field(9, ge=0, le=9)


class RemoveAfter(CourseFault):
    """Input, output, logs and files are gone this long after the end (`data_removed`), instead of after an hour."""

    fault: Literal["remove_after"] = "remove_after"
    seconds: float = Field(ge=0)


class Unlisted(CourseFault):
    """Does not show in `GET /predictions` for so long: a list that lags behind."""

    fault: Literal["unlisted"] = "unlisted"
    seconds: float = Field(ge=0)


class CancelFault(Fault):
    """A fault of a cancel."""

    on: Literal["cancel"] = "cancel"


class CancelRace(CancelFault):
    """The prediction succeeds just before the cancel arrives: 200 with `succeeded`, and charged."""

    fault: Literal["cancel_race"] = "cancel_race"


class CancelPending(CancelFault):
    """The cancel is accepted but takes so long: 200 with a status that is not terminal yet."""

    fault: Literal["cancel_pending"] = "cancel_pending"
    seconds: float = Field(ge=0)
