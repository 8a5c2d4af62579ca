"""The statements that write what came of claims."""

from collections.abc import Sequence

from generator_service.accounts import block, give_back
from generator_service.claim import ACTIVE, Verdict
from generator_service.former_calls import are_former, remember_former
from generator_service.rows import columns_of
from stage.database import Connection


class FormerCallError(Exception):
    """A verdict adopts a call that was another generation's, and that one left it meanwhile."""


async def write(connection: Connection, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Write verdicts, and what follows of them for accounts and former calls. Returns those that counted; their facts
    are the caller's to say, in the same transaction.

    `UniqueViolationError` and `FormerCallError` escape when one names a call that is not its generation's.
    """
    rows = await connection.fetch(
        """
        UPDATE generations AS row SET
            state = new.state::generation_state, due_at = new.due_at, last_error = new.error, fence = row.fence + 1,
            provider_id = CASE WHEN new.state = 'PENDING' THEN NULL
                               ELSE coalesce(new.provider_id, row.provider_id) END,
            submitted_at = coalesce(new.submitted_at, row.submitted_at),
            attempt = coalesce(new.attempt, row.attempt)
        FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                    $7::timestamptz[], $8::int[])
            AS new (id, fence, state, due_at, provider_id, error, submitted_at, attempt)
        WHERE row.id = new.id AND row.fence = new.fence
        RETURNING row.id, new.fence
        """,
        *columns_of(verdicts),
    )
    # By fence as well: two looks at one generation may end in one batch, and one of them was taken over. A claim
    # counts once: a commit whose answer was lost is repeated, and others may have gone on from it.
    ours = {(row["id"], row["fence"]) for row in rows}
    counted = [v for v in verdicts if (v.claim.call.generation_id, v.claim.fence) in ours]
    await _refuse_former(connection, counted)
    await remember_former(connection, counted)
    await give_back(connection, [v.claim for v in counted if v.never_asked])
    untils = sorted(
        (v.blocked_until, v.claim.provider, v.blocked_why or "") for v in verdicts if v.blocked_until is not None
    )
    if untils:
        await block(connection, {provider: (until, why) for until, provider, why in untils})  # the latest of each
    return counted


async def _refuse_former(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """After the update, which waited for whoever had the call: what that one recorded is seen now."""
    adopted = [(v.claim.provider, v.provider_id) for v in verdicts if v.provider_id and v.claim.state in ACTIVE]
    if adopted and await are_former(connection, adopted):
        raise FormerCallError
