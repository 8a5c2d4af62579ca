"""Where providers call back. What they say is never believed here: a proven call is only a doorbell."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.bodies import limited_body
from gateway.problems import FieldError, Problem, invalid_fields, unavailable
from gateway.publisher import NotAcknowledgedError, Publisher
from schemas.callbacks import Doorbell
from schemas.clock import Clock
from schemas.events import ProviderCalledBack
from stage.telemetry import get_logger

log = get_logger(__name__)

CALLBACK_BYTES = 10 * 1_024 * 1_024  # a prediction with its logs and outputs inline passes 1 MB
NOBODY = "-"
"""A doorbell names no tenant."""


class CalledBack(BaseModel):
    """All that is read of a callback's body."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=128)
    status: str = Field(min_length=1, max_length=64)


def hooks(publisher: Publisher, keys: Mapping[str, str], secrets: Mapping[str, str], now: Clock) -> APIRouter:
    """The callback route. `keys` prove that we made the URL; `secrets` hold each provider's signing secret."""
    router = APIRouter(prefix="/hooks", include_in_schema=False)

    @router.post("/{provider}/{kid}/{job_id}/{generation_id}/{attempt}/{proof}", status_code=204)
    async def called_back(
        request: Request, provider: str, kid: str, job_id: UUID, generation_id: UUID,
        attempt: Annotated[int, Path(ge=1, le=1_000_000)], proof: str,
    ) -> Response:  # fmt: skip
        """Pass a proven callback on, and answer 204 once Kafka has it; 404 for a URL that we never gave out."""
        bell = Doorbell(provider, job_id, generation_id, attempt)
        if not bell.proven(kid, proof, keys):
            raise Problem(404, "not-found", "Not Found")
        body = await limited_body(request, CALLBACK_BYTES)
        _refuse_forged(request, body, secrets.get(provider))
        said = _read(body)
        fact = ProviderCalledBack.say(
            job_id, NOBODY, now(), generation_id=generation_id, attempt=attempt, provider=provider,
            provider_id=said.id, provider_status=said.status,
        )  # fmt: skip
        try:
            await publisher.accept(fact)
        except NotAcknowledgedError:
            raise unavailable("Kafka did not acknowledge the callback in time") from None
        return Response(status_code=204)

    return router


def _refuse_forged(request: Request, body: bytes, secret: str | None) -> None:
    """Check the signature of a provider that signs: 401 when it is wrong, missing, or older than five minutes."""
    if secret is None:
        return
    try:
        Webhook(secret).verify(body, dict(request.headers))
    except WebhookVerificationError as forged:
        log.warning("a callback's signature is wrong", reason=str(forged))
        raise Problem(401, "wrong-signature", "the callback's signature is wrong") from None
    except ValueError:
        raise Problem(401, "wrong-signature", "the callback is not JSON") from None


def _read(body: bytes) -> CalledBack:
    try:
        return CalledBack.model_validate_json(body)
    except ValidationError as wrong:
        raise invalid_fields([FieldError.of(error) for error in wrong.errors(include_input=False)]) from None
