"""Pure: what a retry does again, and what of that must be paid for."""

from collections.abc import Collection, Mapping
from typing import Literal

from gateway import problems
from gateway.problems import FieldError, invalid_fields
from schemas.events import SOURCE_EXPIRED, Redo
from schemas.jobs import Job, Media

Start = Literal["generate", "store"]


def redo(
    job: Job, made: Collection[int], named: Mapping[int, Start | None] | None, *, confirm_cost: bool
) -> list[Redo]:  # fmt: skip
    """What is done again of a job that is over. `made` are the outputs that its latest revision has seen exist.

    `named` says which outputs, and from where on when that was said too; None means every one that is not stored.
    Raises a problem when there is nothing to do, when it cannot be done, or when it costs and that is not confirmed.
    """
    media = {each.index: each for each in job.media}
    if unknown := [index for index in named or () if index not in media]:
        raise problems.no_such_output(unknown[0], job.num_outputs)
    if named is None:
        named = {each.index: None for each in job.media if each.s3_key is None}
    if not named:
        raise problems.nothing_to_retry(job.job_id)
    again = [Redo(index=index, start=start or _cheapest(media[index], made)) for index, start in sorted(named.items())]
    never_made = [each.index for each in again if each.start == "store" and not _exists(media[each.index], made)]
    if never_made:
        reason = f"output {never_made[0]} was never made, so there is nothing to store"
        raise invalid_fields([FieldError(field="outputs", reason=reason)])
    paid = [each.index for each in again if each.start == "generate"]
    if paid and not confirm_cost:
        raise problems.cost_not_confirmed(paid)
    return again


def _exists(media: Media, made: Collection[int]) -> bool:
    return media.s3_key is not None or media.index in made


def _cheapest(media: Media, made: Collection[int]) -> Start:
    """Storing is free. It is no help once the provider was asked again and had nothing left."""
    return "store" if _exists(media, made) and media.error_code != SOURCE_EXPIRED else "generate"
