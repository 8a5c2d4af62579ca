"""How an upload's row becomes what is worked with, and back."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from pydantic import TypeAdapter

from schemas.events import StagedSource, UrlSource
from uploader_service.decide import Verdict
from uploader_service.uploads import Claim, Earlier, Media, Source, Spooled

SOURCE: TypeAdapter[Source] = TypeAdapter(UrlSource | StagedSource)
MEDIA = TypeAdapter(Media)


def columns_of(verdicts: Sequence[Verdict]) -> tuple[list[Any], ...]:
    """What verdicts write, a list for each column."""
    fields = (
        (
            v.claim.id,
            v.claim.fence,
            v.claim.state,
            v.due_at,
            v.error,
            v.claim.since,
            v.claim.fetch_attempts,
            v.claim.store_attempts,
            v.claim.asked,
            v.claim.media and MEDIA.dump_json(v.claim.media).decode(),
            v.claim.spooled and v.claim.spooled.file,
            v.claim.spooled and v.claim.spooled.owner,
        )
        for v in verdicts
    )
    return tuple(list(column) for column in zip(*fields, strict=True))


def claim_of(row: asyncpg.Record) -> Claim:
    """An upload's row, with whether it is `removed`, as its worker sees it."""
    return Claim(
        id=row["id"], job_id=row["job_id"], revision=row["revision"], index=row["index"], tenant=row["tenant"],
        state=row["state"], attempt=row["attempt"], fence=row["fence"], since=row["since"],
        fetch_attempts=row["fetch_attempts"], store_attempts=row["store_attempts"], asked=row["asked"],
        removed=row["removed"], provider=row["provider"], output_format=row["output_format"],
        source=_source(row), media=_media(row), spooled=_spooled(row),
    )  # fmt: skip


def earlier_of(row: asyncpg.Record) -> Earlier:
    """An upload's row, with whether it is `removed`, as what a retry finds."""
    return Earlier(
        provider=row["provider"], output_format=row["output_format"], source=_source(row), media=_media(row),
        spooled=_spooled(row), stored=row["state"] == "STORED", removed=row["removed"],
    )  # fmt: skip


def _source(row: asyncpg.Record) -> Source | None:
    return None if row["source"] is None else SOURCE.validate_python(row["source"])


def _media(row: asyncpg.Record) -> Media | None:
    return None if row["media"] is None else MEDIA.validate_python(row["media"])


def _spooled(row: asyncpg.Record) -> Spooled | None:
    return None if row["spool_file"] is None else Spooled(row["spool_file"], row["spooled_by"])
