"""The statements about money: accounts shared by all replicas, and the brakes that people pull."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

from generator_service.allowance import Account, Limits, refilled
from generator_service.claim import Claim
from stage.database import Connection

COLUMNS = "provider, tokens, filled_at, blocked_until, day, calls, cost_units"


async def lock_account(connection: Connection, provider: str, limits: Limits, at: datetime) -> Account:
    """A provider's account, refilled, locked until the transaction ends: claims of one account take turns.

    One that is new begins with a full bucket.
    """
    while True:
        row = await connection.fetchrow(f"SELECT {COLUMNS} FROM accounts WHERE provider = $1 FOR UPDATE", provider)  # noqa: S608
        if row is not None:
            return refilled(Account(**dict(row)), limits, at)
        await connection.execute(
            """
            INSERT INTO accounts (provider, tokens, filled_at, day, calls, cost_units)
            VALUES ($1, $2, $3, $4, 0, 0) ON CONFLICT DO NOTHING
            """,
            provider,
            float(limits.burst),
            at,
            at.date(),
        )


async def write_account(connection: Connection, account: Account) -> None:
    """Keep what `lock_account` gave, after spending."""
    await connection.execute(
        """
        UPDATE accounts SET tokens = $2, filled_at = $3, blocked_until = $4, day = $5, calls = $6, cost_units = $7
        WHERE provider = $1
        """,
        *(account.provider, account.tokens, account.filled_at, account.blocked_until, account.day, account.calls),
        account.cost_units,
    )


async def give_back(connection: Connection, claims: Iterable[Claim]) -> None:
    """Take calls that were claimed and never asked for off their day's spending. Tokens stay spent: a call that was
    throttled counts against a provider's limit too.
    """
    calls: Counter[tuple[str, date]] = Counter()
    costs: Counter[tuple[str, date]] = Counter()
    for claim in claims:
        if claim.call.intent_at is not None:
            account = claim.provider, claim.call.intent_at.astimezone(UTC).date()
            calls[account] += 1
            costs[account] += claim.cost_units
    for (provider, day), count in sorted(calls.items()):
        await connection.execute(
            """
            UPDATE accounts SET calls = greatest(0, calls - $3), cost_units = greatest(0, cost_units - $4)
            WHERE provider = $1 AND day = $2
            """,
            *(provider, day, count, costs[provider, day]),
        )


async def block(connection: Connection, until: Mapping[str, tuple[datetime, str]]) -> None:
    """Ask nothing more of these providers before then, and keep why. A later time stands, with its own reason."""
    await connection.execute(
        """
        UPDATE accounts SET blocked_until = t.until, blocked_why = t.why
        FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS t (provider, until, why)
        WHERE accounts.provider = t.provider AND (blocked_until IS NULL OR blocked_until < t.until)
        """,
        list(until),
        [moment for moment, _ in until.values()],
        [why for _, why in until.values()],
    )


async def brakes(connection: Connection) -> dict[str, list[str]]:
    """What is paused, by kind: provider, model, tenant."""
    pulled: dict[str, list[str]] = {"provider": [], "model": [], "tenant": []}
    for row in await connection.fetch("SELECT kind, name FROM brakes"):
        pulled[row["kind"]].append(row["name"])
    return pulled
