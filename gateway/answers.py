"""Jobs as they are sent: each made of what the ledger shows of it, and only once for as long as that stays the same."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from gateway.etags import known
from gateway.signing import Signer
from gateway.store import Row
from gateway.waiting import Marker
from schemas.jobs import Job, Status

KEPT_BYTES = 8 * 2**20
"""Of answers: some two thousand of four outputs each. The rows that they were made of take as much again."""

Links = Callable[[UUID, int, str], Mapping[str, Any]]
"""The links to a stored output, by its job, its index and its key: fields of `Media`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A job as it is sent, and what must be known of it to wait for the next one."""

    body: bytes
    etag: str
    job_id: UUID
    done: bool
    seen: Marker

    @classmethod
    def of(cls, job: Job) -> "Answer":
        """The answer that shows this job. Its tag follows from its bytes, so every replica gives the same."""
        body = job.model_dump_json().encode()
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', job.job_id, job.done, Marker.of(job))

    def is_known(self, given: str | None) -> bool:
        """Whether the caller has this answer already, by what it sends as If-None-Match."""
        return known(self.etag, given)


class _Kept(NamedTuple):
    row: Row
    window: datetime
    answer: Answer


class Answers:
    """Makes answers, and keeps the latest of them.

    Nothing stale can come out: whoever asks has just read the job's whole row, by a statement that names the tenant,
    and a kept answer is given only when that row, and the quarter of an hour that links are signed for, equal those it
    was made of. Both together are all that an answer depends on.
    """

    def __init__(self, signer: Signer, most: int = KEPT_BYTES) -> None:
        """At most so many bytes of answers are kept."""
        self._signer, self._most = signer, most
        self._kept: dict[UUID, _Kept] = {}
        self._bytes = 0

    def of(self, row: Row) -> Answer:
        """The answer that shows what was just read, with links to what is stored."""
        # Before any link is signed: should the quarter of an hour end meanwhile, what is kept fits no later question.
        window = self._signer.window()
        kept = self._kept.get(row["job_id"])
        if kept is not None and kept.row == row and kept.window == window:
            return kept.answer
        made = _Kept(row, window, Answer.of(job_of(row, self.links)))
        self._keep(row["job_id"], made)
        return made.answer

    def links(self, job_id: UUID, index: int, key: str) -> Mapping[str, Any]:
        """The links to a stored output."""
        url, expires_at = self._signer.link(key)
        ours = f"/api/v1/jobs/{job_id}/outputs/{index}/content"
        return {"presigned_media_url": url, "url_expires_at": expires_at, "content_url": ours}

    def _keep(self, job_id: UUID, made: _Kept) -> None:
        before = self._kept.pop(job_id, None)
        self._kept[job_id] = made
        self._bytes += len(made.answer.body) - (len(before.answer.body) if before else 0)
        while self._bytes > self._most:
            oldest = self._kept.pop(next(iter(self._kept)))
            self._bytes -= len(oldest.answer.body)


def job_of(row: Row, links: Links | None = None) -> Job:
    """The job that a row shows, with links to what is stored when they are asked for."""
    job_id, status = row["job_id"], Status(row["status"])
    media = json.loads(row["outputs"])
    for output in media:
        output["removed"] = output["revision"] <= row["removed_revision"]
        if links is not None and output["s3_key"] is not None and not output["removed"]:
            output |= links(job_id, output["index"], output["s3_key"])
    # One validation of everything: each model that is made or copied by itself costs as much as the whole.
    return Job.model_validate({
        "job_id": job_id, "status": status, "done": status.terminal, "revision": row["revision"],
        "model": row["model"], "prompt": row["prompt"], "num_outputs": row["num_outputs"], "seed": row["seed"],
        "output_format": row["output_format"], "input": json.loads(row["input"]),
        "metadata": json.loads(row["metadata"]), "media": media, "error_message": row["error_message"],
        "retry_count": row["retry_count"], "cost_units": row["cost_units"], "max_attempts": row["max_attempts"],
        "deadline": row["deadline"], "created_at": row["requested_at"], "updated_at": row["updated_at"],
        "started_at": row["started_at"], "completed_at": row["completed_at"],
        "data_removed_at": row["data_removed_at"],
    })  # fmt: skip
