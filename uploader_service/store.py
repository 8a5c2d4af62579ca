"""Every SQL statement about uploads; what has to be deleted is in `removals`."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from schemas.events import MediaGenerated, RetryRequested, UrlSource
from schemas.wire import encode
from stage import outbox
from stage.claims import due_rows
from stage.database import Connection, Pool
from uploader_service.decide import Verdict
from uploader_service.removals import REMOVED, delete_late, delete_unwanted
from uploader_service.rows import claim_of, columns_of, earlier_of
from uploader_service.uploads import Claim, Earlier, Source

EXPECTED_LIFE = timedelta(hours=1)
"""Of a source that does not say when it expires. Also what keeps those that never do from waiting for ever."""

TO_FETCH = "due_at IS NOT NULL AND spooled_by IS NULL"
CLAIM_TO_FETCH = f"""
    {due_rows("uploads", TO_FETCH, order="fetch_by")}
    UPDATE uploads AS row SET attempt = row.attempt + (row.state = 'PENDING')::int, fence = row.fence + 1,
        due_at = $3, owner = $4
    FROM due WHERE row.id = due.id RETURNING row.*, {REMOVED} AS removed
"""  # noqa: S608 - no value of anybody is in it

OURS_TO_STORE = "spooled_by = $4 AND due_at IS NOT NULL"
CLAIM_TO_STORE = f"""
    {due_rows("uploads", OURS_TO_STORE)}
    UPDATE uploads AS row SET attempt = row.attempt + 1, fence = row.fence + 1, due_at = $3, owner = $4,
        spool_until = $5
    FROM due WHERE row.id = due.id RETURNING row.*, {REMOVED} AS removed
"""  # noqa: S608 - no value of anybody is in it


class Store:
    """The uploader's rows. Nothing here decides."""

    def __init__(self, pool: Pool, source: str, owner: str, spool_lease: timedelta) -> None:
        self._pool, self._source, self._owner, self._spool_lease = pool, source, owner, spool_lease

    async def take_back(self, at: datetime) -> None:
        """End the leases of this instance's former life, which is over, and try at once to store what it spooled.

        Called once, before the first claim.
        """
        await self._pool.execute(
            "UPDATE uploads SET due_at = $2, owner = NULL WHERE due_at IS NOT NULL AND owner = $1", self._owner, at
        )
        await self._pool.execute(
            """
            UPDATE uploads SET due_at = least(due_at, $2), spool_until = $3
            WHERE spooled_by = $1 AND due_at IS NOT NULL
            """,
            self._owner,
            at,
            at + self._spool_lease,
        )

    async def add(self, connection: Connection, outputs: Sequence[MediaGenerated], at: datetime) -> None:
        """Add outputs to store. One that is known already is left as it is: the first in the log wins."""
        await connection.execute(
            """
            INSERT INTO uploads (job_id, revision, index, tenant, provider, output_format, source, fetch_by, state,
                                 attempt, fence, since, due_at)
            SELECT job_id, revision, index, tenant, provider, output_format, source::jsonb, fetch_by, 'PENDING',
                0, 0, $9, $9
            FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
                        $8::timestamptz[])
                AS new (job_id, revision, index, tenant, provider, output_format, source, fetch_by)
            ON CONFLICT (job_id, revision, index) DO NOTHING
            """,
            [output.job_id for output in outputs],
            [output.revision for output in outputs],
            [output.index for output in outputs],
            [output.tenant for output in outputs],
            [output.provider for output in outputs],
            [output.output_format for output in outputs],
            [output.source.model_dump_json() for output in outputs],
            [fetch_by(output.source, at) for output in outputs],
            at,
        )

    async def add_again(self, connection: Connection, retries: Sequence[RetryRequested], at: datetime) -> None:
        """Add what retries store again. What there is to store is looked for when it is claimed; a repeat adds
        nothing. Of two that ask for one revision the first in the log counts, as it does for the ledger and generator.
        """
        first = {(retry.job_id, retry.revision): retry for retry in reversed(retries)}
        new = await connection.fetch(
            """
            INSERT INTO retries (job_id, revision) SELECT * FROM unnest($1::uuid[], $2::int[])
            ON CONFLICT DO NOTHING RETURNING job_id, revision
            """,
            *map(list, zip(*first, strict=True)),
        )
        counted = [first[row["job_id"], row["revision"]] for row in new]
        asked = [(retry, redo.index) for retry in counted for redo in retry.outputs if redo.start == "store"]
        await connection.execute(
            """
            INSERT INTO uploads (job_id, revision, index, tenant, source, fetch_by, state, attempt, fence, since,
                                 due_at)
            SELECT job_id, revision, index, tenant, 'null', $5, 'WAITING', 0, 0, $6, $6
            FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) AS new (job_id, revision, index, tenant)
            ON CONFLICT (job_id, revision, index) DO NOTHING
            """,
            [retry.job_id for retry, _ in asked],
            [retry.revision for retry, _ in asked],
            [index for _, index in asked],
            [retry.tenant for retry, _ in asked],
            at + EXPECTED_LIFE,
            at,
        )

    async def renew(self, connection: Connection, renewals: Sequence[MediaGenerated], at: datetime) -> None:
        """Give outputs that wait for it their new source. Of any other output a renewal changes nothing."""
        await connection.executemany(
            """
            UPDATE uploads SET state = 'PENDING', source = $4::text::jsonb, fetch_by = $5, fetch_attempts = 0,
                warned = false, fence = fence + 1, owner = NULL, due_at = $6, since = $6
            WHERE job_id = $1 AND revision = $2 AND index = $3 AND state = 'ASKED'
            """,
            [
                (r.job_id, r.revision, r.index, r.source.model_dump_json(), fetch_by(r.source, at), at)
                for r in renewals
            ],
        )  # fmt: skip

    async def claim_to_fetch(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
        """Take up to `limit` due outputs that are not fetched, those whose source expires first before others."""
        return [claim_of(row) for row in await self._pool.fetch(CLAIM_TO_FETCH, at, limit, at + lease, self._owner)]

    async def claim_to_store(self, limit: int, at: datetime, lease: timedelta) -> list[Claim]:
        """Take up to `limit` due outputs that wait in this instance's spool."""
        spool_until = at + self._spool_lease
        rows = await self._pool.fetch(CLAIM_TO_STORE, at, limit, at + lease, self._owner, spool_until)
        return [claim_of(row) for row in rows]

    async def prolong(self, claims: Collection[tuple[int, int]], until: datetime) -> None:
        """Prolong the leases of claims, by id and fence. Those that others took over are left to them."""
        await self._pool.execute(
            """
            UPDATE uploads AS row SET due_at = $3 FROM unnest($1::bigint[], $2::bigint[]) AS ours (id, fence)
            WHERE row.id = ours.id AND row.fence = ours.fence AND row.owner = $4
            """,
            [number for number, _ in claims],
            [fence for _, fence in claims],
            until,
            self._owner,
        )

    async def keep_spooled(self, at: datetime) -> None:
        """Prolong our lease on what waits in our spool: there may be more than can be tried within it."""
        await self._pool.execute(
            """
            UPDATE uploads SET spool_until = $2 WHERE id IN (
                SELECT id FROM uploads WHERE spooled_by = $1 AND state = 'SPOOLED' AND spool_until < $3
                FOR UPDATE SKIP LOCKED
            )
            """,  # whoever holds a row prolongs it himself
            self._owner,
            at + self._spool_lease,
            at + self._spool_lease / 2,
        )

    async def unsaid(self, claim: Claim) -> bool:
        """Whether something about this output's job still waits for Kafka."""
        found: bool = await self._pool.fetchval(
            "SELECT EXISTS (SELECT FROM outbox WHERE key = $1)", str(claim.job_id).encode()
        )
        return found

    async def earlier(self, claim: Claim) -> Earlier | None:
        """What the latest revision before a claim's has of the same output, or None when none is known."""
        row = await self._pool.fetchrow(
            f"""
            SELECT row.*, {REMOVED} AS removed FROM uploads AS row
            WHERE job_id = $1 AND index = $2 AND revision < $3 AND state <> 'WAITING' ORDER BY revision DESC LIMIT 1
            """,  # noqa: S608 - no value of anybody is in it
            claim.job_id,
            claim.index,
            claim.revision,
        )
        return earlier_of(row) if row else None

    async def record(self, verdicts: Sequence[Verdict]) -> frozenset[tuple[int, int]]:
        """Write verdicts and say their facts, in one transaction. Returns id and fence of those that counted.

        One whose claim was taken over is left out, fact included; what it stored of removed data is deleted.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                """
                UPDATE uploads AS row SET
                    state = new.state::upload_state, due_at = new.due_at, last_error = new.error, since = new.since,
                    fetch_attempts = new.fetch_attempts, store_attempts = new.store_attempts, asked = new.asked,
                    media = new.media::jsonb, spool_file = new.spool_file, spooled_by = new.spooled_by,
                    spool_until = new.due_at + $13, owner = NULL
                FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[],
                            $7::int[], $8::int[], $9::bool[], $10::text[], $11::text[], $12::text[])
                    AS new (id, fence, state, due_at, error, since, fetch_attempts, store_attempts, asked, media,
                            spool_file, spooled_by)
                WHERE row.id = new.id AND row.fence = new.fence RETURNING row.id, row.fence
                """,
                *columns_of(verdicts),
                self._spool_lease,
            )
            ours = frozenset((row["id"], row["fence"]) for row in rows)
            counted = [v for v in verdicts if (v.claim.id, v.claim.fence) in ours]
            facts = [v.fact for v in counted if v.fact is not None]
            await outbox.add(connection, [encode(fact, source=self._source) for fact in facts])
            if found := [v for v in counted if v.found]:
                await _write_sources(connection, found)
            if unwanted := [v for v in counted if v.unwanted]:
                await delete_unwanted(connection, unwanted)
            if len(counted) < len(verdicts):
                late = [v for v in verdicts if (v.claim.id, v.claim.fence) not in ours and v.claim.state == "STORED"]
                await delete_late(connection, late)
        return ours


def fetch_by(source: Source | None, at: datetime) -> datetime:
    """Until when a source that was heard of at `at` should be fetched."""
    expires_at = source.expires_at if isinstance(source, UrlSource) else None
    return expires_at or at + EXPECTED_LIFE


async def _write_sources(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Where a retry found its output, or that nothing may be fetched any more."""
    await connection.executemany(
        "UPDATE uploads SET source = $2::text::jsonb, provider = $3, output_format = $4, fetch_by = $5 WHERE id = $1",
        [
            (v.claim.id, v.claim.source.model_dump_json() if v.claim.source else "null", v.claim.provider,
             v.claim.output_format, fetch_by(v.claim.source, v.claim.since))
            for v in verdicts
        ],
    )  # fmt: skip
