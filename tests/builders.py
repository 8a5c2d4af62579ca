"""Values for tests: whole, plain, and changed only where a test says so."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from generator_service.calls import Call
from generator_service.claim import Claim as GenerationClaim
from schemas.events import (
    CancelRequested,
    CompletedOutput,
    DataRemoved,
    Event,
    GenerationDoubted,
    GenerationFailed,
    GenerationSubmitted,
    JobCompleted,
    JobRequested,
    MediaGenerated,
    MediaStored,
    ProviderCalledBack,
    Redo,
    RetryRequested,
    UploadFailed,
    UrlSource,
)
from schemas.identity import generation_id_of, partition_of, storage_key_of
from schemas.jobs import OutputStatus, Status
from schemas.wire import Position
from uploader_service.uploads import Claim as UploadClaim
from uploader_service.uploads import Media

E = TypeVar("E", bound=Event)

NOON = datetime(2026, 1, 12, 12, 0, tzinfo=UTC)
JOB = UUID("0d0f4aa2-6f6c-8f0e-9d6b-1f3c5a7e9b2d")
ANOTHER_JOB = UUID("1e2d3c4b-5a69-8788-b7a6-95a4b3c2d1e0")
TENANT = "dev"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def later(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def at(event: Event, offset: int = 0) -> Position:
    """A place in the log where this fact may stand."""
    return Position(event.topic, partition_of(str(event.job_id).encode()), offset)


def a_request(**changes: Any) -> JobRequested:
    return _say(JobRequested, changes, model="fake/painter", prompt="A futuristic city at sunset", num_outputs=1)


def a_cancel(**changes: Any) -> CancelRequested:
    return _say(CancelRequested, changes)


def a_retry(*redo: Redo, **changes: Any) -> RetryRequested:
    """A second revision that generates these outputs again, the first when none is named."""
    return _say(RetryRequested, {"revision": 2} | changes, outputs=redo or (Redo(index=0, start="generate"),))


def a_callback(**changes: Any) -> ProviderCalledBack:
    return _say(
        ProviderCalledBack, changes, generation_id=generation_id_of(JOB, 1, 0), attempt=1, provider="fake",
        provider_id="fake-1", provider_status="succeeded",
    )  # fmt: skip


def a_submission(**changes: Any) -> GenerationSubmitted:
    return _say(
        GenerationSubmitted, changes, generation=0, attempt=1, provider="fake", provider_id="fake-1", outputs=(0,)
    )


def a_failed_generation(**changes: Any) -> GenerationFailed:
    return _say(
        GenerationFailed, changes, generation=0, attempt=1, provider="fake", outputs=(0,), code="provider_failed",
        message="it broke", final=True,
    )  # fmt: skip


def a_doubt(**changes: Any) -> GenerationDoubted:
    """A call whose answer was lost; it is looked for."""
    return _say(
        GenerationDoubted, changes, generation=0, attempt=1, provider="fake", outputs=(0,), held=False, cause="reset"
    )


def a_removal(**changes: Any) -> DataRemoved:
    """A removal that somebody asked for."""
    return _say(DataRemoved, changes, reason="request")


def a_generated_output(**changes: Any) -> MediaGenerated:
    source = UrlSource(url="https://replicate.delivery/pbxt/abc123.jpg")
    return _say(MediaGenerated, changes, index=0, generation=0, attempt=1, provider="fake", source=source)


def a_stored_output(**changes: Any) -> MediaStored:
    index, revision, job_id = changes.get("index", 0), changes.get("revision", 1), changes.get("job_id", JOB)
    return _say(
        MediaStored, changes, index=index, attempt=1, key=storage_key_of(job_id, revision, index, "jpg"),
        sha256=SHA256, size=1_234, content_type="image/jpeg", width=1024, height=768,
    )  # fmt: skip


def a_failed_upload(**changes: Any) -> UploadFailed:
    return _say(
        UploadFailed, changes, index=0, attempt=1, code="storage_failed", message="the store is away", final=True
    )


def a_completion(**changes: Any) -> JobCompleted:
    output = CompletedOutput(
        index=0, revision=1, status=OutputStatus.COMPLETED, key=storage_key_of(JOB, 1, 0, "jpg"), sha256=SHA256,
        size=1_234, content_type="image/jpeg",
    )  # fmt: skip
    return _say(
        JobCompleted, changes, status=Status.COMPLETED, model="fake/painter", num_outputs=1, stored=1, failed=0,
        outputs=(output,), requested_at=NOON, completed_at=later(3),
    )  # fmt: skip


def one_of_each() -> list[Event]:
    """Every kind of fact there is."""
    return [
        a_request(),
        a_cancel(),
        a_retry(),
        a_callback(),
        a_submission(),
        a_failed_generation(),
        a_doubt(),
        a_generated_output(),
        a_stored_output(),
        a_failed_upload(),
        a_completion(),
        a_removal(),
    ]


def a_call(**changes: Any) -> Call:
    facts: dict[str, Any] = {
        "generation_id": generation_id_of(JOB, 1, 0), "attempt": 1, "outputs": (0,), "model": "fake/painter",
        "prompt": "A futuristic city at sunset", "num_outputs": 1, "seed": 12345, "output_format": None, "input": {},
    }  # fmt: skip
    return Call(**facts | changes)


def a_generation_claim(**changes: Any) -> GenerationClaim:
    facts: dict[str, Any] = {
        "call": a_call(), "job_id": JOB, "tenant": TENANT, "revision": 1, "number": 0, "provider": "fake", "fence": 1,
        "state": "PENDING", "polls": 0, "cost_units": 1, "cancel_at": None, "pay_again": False, "max_attempts": None,
    }  # fmt: skip
    return GenerationClaim(**facts | changes)


def an_upload_claim(**changes: Any) -> UploadClaim:
    facts: dict[str, Any] = {
        "id": 1, "job_id": JOB, "revision": 1, "index": 0, "tenant": TENANT, "state": "PENDING", "attempt": 1,
        "fence": 1, "since": NOON, "provider": "fake",
        "source": UrlSource(url="https://replicate.delivery/pbxt/abc123.jpg"),
    }  # fmt: skip
    return UploadClaim(**facts | changes)


def some_media(**changes: Any) -> Media:
    facts: dict[str, Any] = {
        "key": storage_key_of(JOB, 1, 0, "jpg"), "sha256": SHA256, "size": 1_234, "content_type": "image/jpeg",
        "width": 1024, "height": 768,
    }  # fmt: skip
    return Media(**facts | changes)


def _say(fact: type[E], changes: dict[str, Any], **facts: Any) -> E:
    facts |= changes
    job_id, tenant = facts.pop("job_id", JOB), facts.pop("tenant", TENANT)
    return fact.say(job_id, tenant, facts.pop("occurred_at", NOON), **facts)
