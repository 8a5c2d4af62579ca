"""Pure: what a request becomes. Stored once; never computed again, whatever the code says later."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.catalogue import catalogue, outputs_per_call
from schemas.events import JobRequested
from schemas.identity import generation_id_of


@dataclass(frozen=True, slots=True)
class Generation:
    """One provider call to make, whole."""

    id: UUID
    job_id: UUID
    revision: int
    number: int
    tenant: str
    provider: str
    outputs: tuple[int, ...]
    ask: dict[str, Any]
    deadline: datetime | None


def plan(request: JobRequested, default_provider: str) -> Iterator[Generation]:
    """The provider calls that a request needs: all outputs in one where the model takes them, else one per output."""
    card = catalogue().get(request.model)
    per_call = outputs_per_call(request.model)
    seed = request.seed if request.seed is not None else derived_seed(request.job_id, request.revision)
    for number, first in enumerate(range(0, request.num_outputs, per_call)):
        outputs = tuple(range(first, min(first + per_call, request.num_outputs)))
        yield Generation(
            id=generation_id_of(request.job_id, request.revision, number),
            job_id=request.job_id,
            revision=request.revision,
            number=number,
            tenant=request.tenant,
            provider=card.provider if card else default_provider,
            outputs=outputs,
            ask={
                "model": request.model,
                "prompt": request.prompt,
                "num_outputs": len(outputs),
                "seed": seed + first,
                "output_format": request.output_format,
                "input": request.input,
            },
            deadline=request.deadline,
        )


def derived_seed(job_id: UUID, revision: int) -> int:
    """A seed below 2^31 for a job that named none, so that two jobs never look alike to a provider's list."""
    return int.from_bytes(hashlib.sha256(f"{job_id}/{revision}".encode()).digest()[:4]) % 2**31
