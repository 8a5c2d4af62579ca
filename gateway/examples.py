"""One whole answer of each kind, for the OpenAPI document: people read these before they read any description."""

from typing import Any

from gateway.problems import FieldError, Problem, body_of
from schemas.jobs import Job, Media, OutputStatus, Phase, Status

JOB_ID = "6009d616-4b74-86cf-88d8-7186de4a1853"
BEGAN, SENT, MADE, STORED = (f"2026-05-01T10:00:{seconds}Z" for seconds in ("00", "01", "04", "05"))
ASKED = {"model": "fake/painter", "num_outputs": 1, "metadata": {"order": "4711"}}
KEY = f"jobs/600/{JOB_ID}/1/0.jpg"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

MEDIA = Media.model_validate({
    "index": 0, "status": OutputStatus.COMPLETED, "phase": Phase.DONE,
    "media_url": "https://media.example.org/0.jpg", "s3_key": KEY,
    "presigned_media_url": f"https://s3.example.org/media-generation/{KEY}?X-Amz-Expires=3600&X-Amz-Signature=...",
    "url_expires_at": "2026-05-01T11:00:00Z", "content_url": f"/api/v1/jobs/{JOB_ID}/outputs/0/content",
    "content_type": "image/jpeg", "size": 183_221, "sha256": SHA256, "width": 1024, "height": 1024, "attempts": 2,
    "submitted_at": SENT, "generated_at": MADE, "stored_at": STORED,
})  # fmt: skip
JOB = Job.model_validate({
    "job_id": JOB_ID, "status": Status.COMPLETED, "done": True, **ASKED, "prompt": "A futuristic city at sunset",
    "seed": 12345, "output_format": "jpg", "input": {"style": "oil"}, "media": [MEDIA], "cost_units": 1,
    "deadline": "2026-05-01T12:00:00Z", "created_at": BEGAN, "updated_at": STORED, "started_at": SENT,
    "completed_at": STORED,
})  # fmt: skip
SUMMARY = {
    "job_id": JOB_ID, "status": "COMPLETED", "done": True, "revision": 1, **ASKED, "error_message": None,
    "retry_count": 0, "created_at": BEGAN, "updated_at": STORED, "started_at": SENT, "completed_at": STORED,
    "data_removed_at": None,
    "links": {"status": f"/api/v1/status/{JOB_ID}", "history": f"/api/v1/jobs/{JOB_ID}/history"},
}  # fmt: skip
FACT = {
    "topic": "generation.submitted", "partition": 7, "offset": 4711, "event_id": "0b1f5a9e-93a5-5b6e-8f0d-2f5f5c5d9a11",
    "type": "generation.submitted", "version": 1, "said_by": "generator", "occurred_at": SENT, "logged_at": SENT,
    "gone": False, "superseded": False, "body": {"revision": 1, "generation": 0, "attempt": 1, "provider": "fake"},
}  # fmt: skip
ATTEMPT = {
    "revision": 1, "kind": "GENERATION", "subject": 0, "attempt": 1, "result": "SUCCEEDED", "provider": "fake",
    "provider_id": "gm3qorzdhgbfurvjtvhg6dckhu", "cost_units": 1, "code": None, "message": None, "started_at": SENT,
    "ended_at": MADE, "next_try_at": None,
}  # fmt: skip
MODEL = {
    "name": "fake/painter", "provider": "fake", "kind": "image", "formats": ["jpg", "png", "webp"],
    "description": "Paints a scene, one call per output.", "links": {"self": "/api/v1/models/fake/painter"},
}  # fmt: skip
WRONG = {"field": "num_outputs", "reason": "Input should be less than or equal to 10"}
CURSOR = "WyIyMDI2LTA1LTAxVDEwOjAwOjAwWiJd"

REFUSALS = {
    "401": ("unauthenticated", "bring a key: `Authorization: Bearer <key>`, or `X-API-Key`"),
    "403": ("not-allowed", "this key has not the scope `submit`: use one that has"),
    "404": ("no-such-job", f"there is no job {JOB_ID}"),
    "409": ("job-not-done", f"job {JOB_ID} is not done: wait for its end, or cancel it"),
    "410": ("data-removed", "output 0 was removed"),
    "413": ("body-too-large", "the body takes more than 131072 bytes"),
    "415": ("unsupported-media-type", "the body is not application/json"),
    "422": ("invalid-input", f"{WRONG['field']}: {WRONG['reason']}"),
    "429": ("rate-limited", "more than 600 requests a minute: wait 2 s"),
    "500": ("internal", "something broke on our side; the request id names it"),
    "503": ("unavailable", "Kafka does not answer"),
}


def refusal(status: str) -> dict[str, Any]:
    """A problem of this status, one of those that it may be."""
    kind, detail = REFUSALS[status]
    body = body_of(
        Problem(int(status), kind, detail, errors=[FieldError.model_validate(WRONG)] if status == "422" else []),
        "/api/v1/generate", "8f2f9c1e-5f0e-4a3d-9a53-0a8f1f2f7c11",
    )  # fmt: skip
    return body.model_dump(mode="json", exclude_none=True)


EXAMPLES: dict[str, dict[str, Any]] = {
    "Welcome": {"message": "Media Generation Microservice", "status": "running"},
    "Health": {"status": "healthy"},
    "Readiness": {"status": "ready", "checks": {"kafka": "ok", "gateway": "ok", "postgres": "ok"}},
    "JobAsk": {
        **ASKED, "prompt": "A futuristic city at sunset", "num_outputs": 4, "seed": 12345, "output_format": "jpg",
        "input": {"fail_attempts": 0}, "deadline": "2099-12-31T23:59:59Z", "max_attempts": 3,
    },
    "JobAccepted": {
        "job_id": JOB_ID, "status": "PENDING", "message": "Job created and queued for processing",
        "links": {"status": f"/api/v1/status/{JOB_ID}"}, "warnings": ["unknown field ignored: num_output"],
    },
    "Job": JOB.model_dump(mode="json"),
    "Jobs": {"jobs": [SUMMARY], "next_cursor": CURSOR},
    "History": {"job_id": JOB_ID, "facts": [FACT], "next_cursor": CURSOR, "attempts": [ATTEMPT]},
    "Models": {"models": [MODEL]},
    "Model": {
        **MODEL, "outputs_per_call": 1, "cost_units": 1,
        "input_schema": {"type": "object", "properties": {"style": {"type": "string"}}},
    },
    "Quote": {
        "provider": "fake", "model": "fake/painter", "in_catalogue": True,
        "calls": [{"outputs": [0], "parameters": {"num_outputs": 1, "seed": 12345, "output_format": "jpg"}}],
        "input_fields": ["style"], "formats": ["jpg", "png", "webp"], "cost_units": 1,
        "warnings": ["unknown field ignored: num_output"],
    },
    "RetryAccepted": {
        "job_id": JOB_ID, "revision": 2, "outputs": [{"index": 0, "from": "store"}],
        "message": "Retry accepted and queued for processing",
        "links": {"status": f"/api/v1/status/{JOB_ID}", "history": f"/api/v1/jobs/{JOB_ID}/history"},
    },
    "RemovalAccepted": {"job_id": JOB_ID, "message": "Media, prompt and input are being removed"},
    "ProblemBody": refusal("422"),
}  # fmt: skip
"""By the name of the schema. What is inside another is shown there."""
