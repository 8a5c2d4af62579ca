"""What each golden file says, in today's classes."""

from datetime import UTC, datetime
from uuid import UUID

from schemas.events import (
    CancelRequested,
    CompletedOutput,
    DataRemoved,
    Event,
    Failure,
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
    StagedSource,
    UploadFailed,
    UrlSource,
)
from schemas.identity import event_id_of
from schemas.jobs import OutputStatus, Status

JOB = UUID("96b5c363-04d7-87e6-9bfe-51246d3cdc5d")
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
FOLDER = f"jobs/96b/{JOB}/2"


def _at(second: int, microsecond: int = 0) -> datetime:
    return datetime(2026, 1, 12, 10, 0, second, microsecond, tzinfo=UTC)


GOLDEN: dict[str, Event] = {
    "job.requested.v1": JobRequested(
        event_id=UUID("b9b4ceae-9e2a-54c0-8e94-d3d4c2455dc8"), occurred_at=_at(0, 123456), job_id=JOB, tenant="acme",
        model="fake/painter", prompt="Ein Schloß im Nebel, 星空 🌆", num_outputs=4, seed=-(2**53) + 1,
        output_format="webp", metadata={"order": "A-17"},
        input={"fail_outputs": [2], "guidance": 7.5, "nothing": None, "deep": {"on": True}},
        deadline=datetime(2026, 1, 12, 11, tzinfo=UTC),
    ),
    "cancel.requested.v1": CancelRequested(
        event_id=event_id_of(JOB, "cancel.requested/2/-/final"), occurred_at=_at(1), job_id=JOB, tenant="acme",
        revision=2,
    ),
    "retry.requested.v1": RetryRequested(
        event_id=event_id_of(JOB, "retry.requested/2/-/final"), occurred_at=_at(1), job_id=JOB, tenant="acme",
        revision=2, outputs=(Redo(index=6, start="generate"), Redo(index=7, start="store")),
    ),
    "provider.called_back.v1": ProviderCalledBack(
        event_id=event_id_of(JOB, "provider.called_back/5486bdff-6765-53b7-97fb-f613a6684db0/5/succeeded"),
        occurred_at=_at(3), job_id=JOB, tenant="-", generation_id=UUID("5486bdff-6765-53b7-97fb-f613a6684db0"),
        attempt=5, provider="replicate", provider_id="rrr4z55ocneqzikepnug6xezpe", provider_status="succeeded",
    ),
    "generation.submitted.v1": GenerationSubmitted(
        event_id=UUID("15b3fc4a-46fd-5005-af8c-49af5320aea3"), occurred_at=_at(1), job_id=JOB, tenant="acme",
        revision=2, generation=3, attempt=5, provider="replicate", provider_id="rrr4z55ocneqzikepnug6xezpe",
        outputs=(6, 7),
    ),
    "generation.failed.v1": GenerationFailed(
        event_id=UUID("5486bdff-6765-53b7-97fb-f613a6684db0"), occurred_at=_at(2), job_id=JOB, tenant="acme",
        revision=2, generation=3, attempt=5, provider="replicate", outputs=(6, 7), code="provider_failed",
        message="the model ran out of memory", final=False, next_try_at=_at(7, 500_000),
    ),
    "generation.doubted.v1": GenerationDoubted(
        event_id=event_id_of(JOB, "generation.doubted/2/3/5/held"), occurred_at=_at(4), job_id=JOB, tenant="acme",
        revision=2, generation=3, attempt=5, provider="replicate", outputs=(6, 7), held=True,
        cause="not found at the provider", until=datetime(2026, 1, 13, 10, 0, 4, tzinfo=UTC),
    ),
    "media.generated.v1": MediaGenerated(
        event_id=UUID("d61e52a8-fb14-51d1-a85d-1d43a77a1d01"), occurred_at=_at(8), job_id=JOB, tenant="acme",
        revision=2, index=6, generation=3, attempt=6, provider="replicate", output_format="webp",
        source=UrlSource(
            url="https://replicate.delivery/pbxt/abc123.webp", expires_at=datetime(2026, 1, 12, 11, 0, 8, tzinfo=UTC)
        ),
    ),
    "media.generated.staged.v1": MediaGenerated(
        event_id=UUID("b4ffd10e-c2ad-5634-8fe0-a9538b74da2f"), occurred_at=_at(8), job_id=JOB, tenant="acme",
        index=0, generation=0, attempt=1, provider="cog",
        source=StagedSource(key=f"staged/{JOB}/0", sha256=SHA256, size=60_123),
    ),
    "media.generated.renewed.v1": MediaGenerated(
        event_id=event_id_of(JOB, "media.generated/2/6/renewal-1"), occurred_at=_at(9), job_id=JOB, tenant="acme",
        revision=2, index=6, generation=3, attempt=6, provider="replicate", output_format="webp", renewal=1,
        source=UrlSource(url="https://replicate.delivery/pbxt/def456.webp"),
    ),
    "media.stored.v1": MediaStored(
        event_id=UUID("f5f72a41-f4f8-5e36-a6ec-bb309f8376ac"), occurred_at=_at(9), job_id=JOB, tenant="acme",
        revision=2, index=6, attempt=2, key=f"{FOLDER}/6.webp", sha256=SHA256, size=60_123,
        content_type="image/webp", width=1024, height=768, duration_ms=2_500,
    ),
    "upload.failed.v1": UploadFailed(
        event_id=UUID("72a749e0-7ab8-5b62-b5e7-20804242176c"), occurred_at=_at(10), job_id=JOB, tenant="acme",
        revision=2, index=7, attempt=8, code="storage_failed", message="the store answered 503", final=True,
    ),
    "job.completed.v1": JobCompleted(
        event_id=UUID("76730977-94de-5020-8d2a-4f6f525b0d5b"), occurred_at=_at(10), job_id=JOB, tenant="acme",
        revision=2, status=Status.PARTIAL, model="fake/painter", num_outputs=2, stored=1, failed=1,
        outputs=(
            CompletedOutput(
                index=0, revision=2, status=OutputStatus.COMPLETED, key=f"{FOLDER}/0.webp", sha256=SHA256,
                size=60_123, content_type="image/webp",
            ),
            CompletedOutput(
                index=1, revision=2, status=OutputStatus.FAILED,
                error=Failure(code="storage_failed", message="the store answered 503"),
            ),
        ),
        error=Failure(code="storage_failed", message="the store answered 503"), metadata={"order": "A-17"},
        requested_at=_at(0, 123456), completed_at=_at(10),
    ),
    "data.removed.v1": DataRemoved(
        event_id=event_id_of(JOB, "data.removed/2/-/final"), occurred_at=_at(11), job_id=JOB, tenant="acme",
        revision=2, reason="age",
    ),
}  # fmt: skip
