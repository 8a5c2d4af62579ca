"""Pure: what a request becomes. Stored once; never computed again, whatever the code says later."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.catalogue import ModelCard, split
from schemas.events import JobRequested, RetryRequested
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
    model: str
    outputs: tuple[int, ...]
    ask: dict[str, Any]
    cost_units: int
    deadline: datetime | None
    max_attempts: int | None = None
    doubted_since: datetime | None = None
    """When an earlier call for the same outputs was intended whose answer was lost: it is looked for first."""
    seeks: UUID | None = None
    """The generation whose lost call that was."""


def plan(
    request: JobRequested, provider_of: Callable[[str], str], models: Mapping[str, ModelCard]
) -> Iterator[Generation]:
    """The provider calls that a request needs: all outputs in one where the model takes them, else one per output.

    Which fields a model takes is part of the plan, so that a call is sent, and looked for, in the same words whatever
    the catalogue says by then.
    """
    card = models.get(request.model)
    takes = {"takes": list(card.takes)} if card and card.takes is not None else {}
    seed = request.seed if request.seed is not None else derived_seed(request.job_id, request.revision)
    for number, outputs in enumerate(split(card, request.num_outputs)):
        yield Generation(
            id=generation_id_of(request.job_id, request.revision, number),
            job_id=request.job_id,
            revision=request.revision,
            number=number,
            tenant=request.tenant,
            provider=provider_of(request.model),
            model=request.model,
            outputs=outputs,
            ask={
                "model": request.model,
                "prompt": request.prompt,
                "num_outputs": len(outputs),
                "seed": seed + outputs[0],
                "output_format": request.output_format,
                "input": request.input,
                **takes,
            },
            cost_units=card.cost_units if card else 1,
            deadline=request.deadline,
            max_attempts=request.max_attempts,
        )


def plan_again(retry: RetryRequested, earlier: Sequence[Generation]) -> Iterator[Generation]:
    """The provider calls that a retry pays for, of the same plan as before: same provider, seed and input.

    `earlier` is what was planned for the job in lower revisions, the latest last. Outputs that were once covered by
    one call stay together; outputs that are only stored again need no call. One whose answer was lost is looked
    for before it is paid again.
    """
    chosen = {redo.index for redo in retry.outputs if redo.start == "generate"}
    latest = {index: call for call in earlier for index in call.outputs}
    calls = {latest[index].id: latest[index] for index in sorted(chosen & latest.keys())}
    for number, call in enumerate(calls.values()):
        outputs = tuple(index for index in call.outputs if index in chosen and latest[index] is call)
        whole = outputs == call.outputs
        yield replace(
            call,
            id=generation_id_of(retry.job_id, retry.revision, number),
            revision=retry.revision,
            number=number,
            outputs=outputs,
            ask=call.ask | {"num_outputs": len(outputs)},
            deadline=None,
            doubted_since=call.doubted_since if whole else None,
            seeks=call.seeks if whole else None,
        )


def derived_seed(job_id: UUID, revision: int) -> int:
    """A seed below 2^31 for a job that named none, so that two jobs never look alike to a provider's list."""
    return int.from_bytes(hashlib.sha256(f"{job_id}/{revision}".encode()).digest()[:4]) % 2**31
