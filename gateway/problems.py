"""Refusals and faults as RFC 9457 problem details. A prompt or any other input is never given back in one."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

TYPE = "urn:darkroom:problem:"
PROBLEM_JSON = "application/problem+json"
MOST_OF_A_PATH = 500
MOST_ERRORS = 50  # more than a body has fields of ours; a bad `metadata` could have thousands


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Its name; dots lead into objects and lists.", max_length=200)
    reason: str = Field(description="What is wrong with it, for people.", max_length=500)

    @classmethod
    def of(cls, error: Mapping[str, Any]) -> "FieldError":
        """A validation error, without the input that caused it."""
        field = ".".join(str(part) for part in error["loc"]) or "body"
        return cls(field=field[:200], reason=str(error["msg"]).removeprefix("Value error, ")[:500])


class ProblemBody(BaseModel):
    """What every answer of 400 and above looks like."""

    type: str = Field(description="A stable name for this kind of problem: see docs/problems.md.")
    title: str = Field(description="The same in words.")
    status: int = Field(description="The answer's status.", ge=400, le=599)
    detail: str = Field(description="What happened, for people; it may be worded anew at any time.")
    instance: str = Field(description="The path that was called.", max_length=MOST_OF_A_PATH)
    request_id: str = Field(description="Names this request in our logs: the answer's `X-Request-Id`.")
    errors: list[FieldError] | None = Field(None, description="With 422: every field that is wrong.")


class Problem(Exception):
    """A refusal or fault with its own status, to be answered as it stands."""

    def __init__(
        self, status: int, kind: str, detail: str, *, errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = list(errors), dict(headers or {})


def invalid_fields(errors: Sequence[FieldError]) -> Problem:
    """422: fields that cannot be meant; of very many the first."""
    errors = errors[:MOST_ERRORS]
    return Problem(422, "invalid-input", "; ".join(f"{e.field}: {e.reason}" for e in errors), errors=errors)


def too_large(limit: int) -> Problem:
    """413: more than we read."""
    return Problem(413, "body-too-large", f"the body takes more than {limit} bytes")


def unauthenticated(detail: str) -> Problem:
    """401: nobody we know. What is wrong with a key is not said: it would help those who guess."""
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def tenant_suspended() -> Problem:
    """403: the key is good, but its tenant may do nothing at present."""
    return Problem(403, "tenant-suspended", "this tenant is suspended: speak to whoever runs the service")


def unsupported_media_type(why: str) -> Problem:
    """415: a body in a form that we do not read."""
    return Problem(415, "unsupported-media-type", why, headers={"Accept": "application/json"})


def unknown_model(alike: Sequence[str]) -> Problem:
    """422: a model that is not in the catalogue, where only those are accepted."""
    meant = f": did you mean {' or '.join(alike)}?" if alike else ""
    error = FieldError(field="model", reason=f"is not in the catalogue{meant}")
    return Problem(422, "unknown-model", f"model: {error.reason} See /api/v1/models", errors=[error])


def no_such_model() -> Problem:
    """404: a model that the catalogue does not have."""
    return Problem(404, "no-such-model", "there is no such model in the catalogue: see /api/v1/models")


def not_allowed(scope: str) -> Problem:
    """403: a key that is good, but not for this."""
    return Problem(403, "not-allowed", f"this key has not the scope `{scope}`: use one that has")


def host_not_allowed() -> Problem:
    """403: nobody needs a key here, so we answer to this machine's own names only."""
    words = "without keys this gateway answers to localhost, and to the hosts that GATEWAY_AUTH_OPEN_HOSTS names"
    return Problem(403, "host-not-allowed", words)


def rate_limited(per_minute: int, retry_after: int) -> Problem:
    """429: more requests than this key may make."""
    return Problem(
        429, "rate-limited", f"more than {per_minute} requests a minute: wait {retry_after} s",
        headers={"Retry-After": str(retry_after)},
    )  # fmt: skip


def queue_full(most: int) -> Problem:
    """429: more jobs than this tenant may have waiting. When some will be over nobody knows, so look now and then."""
    return Problem(
        429, "queue-full", f"{most} jobs are not done yet: wait until some are", headers={"Retry-After": "10"}
    )


def no_such_job(job_id: str) -> Problem:
    """404: never accepted, or somebody else's, which is the same to whoever asks."""
    return Problem(404, "no-such-job", f"there is no job {job_id[:64]}")


def no_such_output(index: int, of: int) -> Problem:
    """404: the job has no output of this number."""
    return Problem(404, "no-such-output", f"there is no output {index}: the job has {of}, counted from 0")


def not_stored_yet(index: int) -> Problem:
    """404, for now: the job is not that far."""
    return Problem(404, "not-stored-yet", f"output {index} is not stored yet: see the job's status")


def never_stored(index: int, why: str) -> Problem:
    """404, for good in this revision: the output ended without being stored."""
    return Problem(404, "not-stored", f"output {index} was not stored: {why}")


def data_removed(index: int) -> Problem:
    """410: it was there, and was removed on request or by age."""
    return Problem(410, "data-removed", f"output {index} was removed")


def job_not_done(job_id: UUID) -> Problem:
    """409: something that only goes with a job that is over."""
    return Problem(409, "job-not-done", f"job {job_id} is not done: wait for its end, or cancel it")


def revision_conflict(job_id: UUID, current: int, *, done: bool) -> Problem:
    """409: about a revision that is not the latest, or is not over."""
    stands = "is done" if done else "is not done: wait for its end, or cancel it"
    return Problem(409, "revision-conflict", f"job {job_id} is at revision {current}, which {stands}")


def nothing_to_retry(job_id: UUID) -> Problem:
    """409: every output is stored, and none was named."""
    return Problem(409, "nothing-to-retry", f"every output of job {job_id} is stored: name those to store again")


def cost_not_confirmed(outputs: Sequence[int]) -> Problem:
    """409: something would be paid for again, and nobody has said that it may be."""
    listed = ", ".join(map(str, outputs))
    return Problem(
        409, "cost-not-confirmed",
        f"generating output {listed} again is paid for again: send `confirm_cost: true`, or name only outputs that "
        "are stored again",
    )  # fmt: skip


def job_data_removed(job_id: UUID) -> Problem:
    """410: prompt, input and media are gone, so nothing can be done again."""
    return Problem(410, "data-removed", f"the data of job {job_id} were removed")


def key_reused(job_id: UUID) -> Problem:
    """422: a key that names another request for good."""
    words = f"this Idempotency-Key names job {job_id}, which was another request: use a new one"
    return Problem(422, "idempotency-key-reuse", words)


def unavailable(what: str, *, retry_after: int = 5, headers: Mapping[str, str] | None = None) -> Problem:
    """503: something that we need does not answer. Try the same again."""
    return Problem(503, "unavailable", what, headers={"Retry-After": str(retry_after)} | dict(headers or {}))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route's refusals are described to whoever reads its OpenAPI."""
    return {status: {"content": problem_content(), "model": ProblemBody} for status in statuses}


def problem_content() -> dict[str, Any]:
    """What a refusal's body is, in the words of OpenAPI."""
    return {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}


def body_of(problem: Problem, path: str, request_id: str) -> ProblemBody:
    """What is said of a problem with the request of this id."""
    return ProblemBody(
        type=TYPE + problem.kind, title=problem.kind.replace("-", " ").capitalize(), status=problem.status,
        detail=problem.detail, instance=path[:MOST_OF_A_PATH], request_id=request_id, errors=problem.errors or None,
    )  # fmt: skip
