"""`darkroom bill`: what a provider says it was asked for, against our own books."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.commands.spans import Span
from darkroom.operators import NothingChanged, as_json, shown, table, told, with_books
from darkroom.steps import WrongSettingError

if TYPE_CHECKING:
    from generator_service.bill_check import BillCheck
    from generator_service.operations import Operations

SHOWN = 20


@click.group(epilog=examples("darkroom bill check --provider replicate --since 24h"))
def bill() -> None:
    """Hold what providers charge for against what was asked of them."""


@bill.command(
    epilog=examples(
        "darkroom bill check --provider replicate",
        "darkroom bill check --provider replicate --since 7d --json | jq '.extras'",
    )
)
@click.option("--provider", required=True, type=click.Choice(("replicate",)), help="Whose list to read.")
@click.option("--since", "ago", type=Span(), default="24h", show_default=True, help="How far back: 90m, 24h, 7d.")
@as_json
@home_option()
@click.pass_obj
def check(environ: dict[str, str], provider: str, ago: timedelta, in_json: bool, home: Path | None) -> None:
    """Find calls in a provider's list that nobody here submitted. Exit code 1 when there are any.

    Reads only. Needs the provider's token (REPLICATE_API_TOKEN). The last two minutes are not judged: an answer on
    its way is in no book yet.
    """

    async def read(operations: "Operations") -> "BillCheck":
        return await _checked(operations, environ, provider, ago)

    found = with_books(environ, home, read)
    click.echo(told(_as_object(found)) if in_json else _words(found))
    if found.alarm:
        raise click.exceptions.Exit(1)


async def _checked(operations: "Operations", environ: dict[str, str], provider: str, ago: timedelta) -> "BillCheck":
    from generator_service.bill_check import GRACE, check_bill
    from generator_service.providers.billing import BILLERS, BillUnreadable, SettingMissing
    from schemas.clock import utc_now

    at: datetime = utc_now()
    if ago <= GRACE:
        raise click.BadParameter("the last two minutes are not judged: look further back", param_hint="--since")
    try:
        async with BILLERS[provider](environ) as biller:
            return await check_bill(operations, provider, biller.bill(at - ago), at - ago, at - GRACE)
    except SettingMissing as missing:
        raise WrongSettingError(f"{missing} is not set: it says whose list to read") from None
    except BillUnreadable as fault:
        raise NothingChanged(str(fault)) from None


def _as_object(found: "BillCheck") -> dict[str, object]:
    return {
        "provider": found.provider, "since": found.since, "until": found.until, "alarm": found.alarm,
        "listed": found.listed, "ours": found.ours, "submitted": found.submitted, "held": found.held,
        "another_account": found.another_account, "extras": found.extras,
    }  # fmt: skip


def _words(found: "BillCheck") -> str:
    span = f"{found.provider}, {shown(found.since)} to {shown(found.until)}"
    said = []
    if found.another_account:
        said.append(
            f"ALARM: {span}: we submitted {found.submitted} calls, and its list of {found.listed} shows none of them. "
            "Is the token that of another account?"
        )
    if found.extras:
        rows = [(billed.provider_id, billed.created_at, billed.status) for billed in found.extras[:SHOWN]]
        said.append(
            f"ALARM: {span}: {len(found.extras)} of {found.listed} calls in its list are in no book of ours. "
            f"{found.held} of our calls are held: an extra may be one of those (`darkroom held adopt`).\n"
            + table(("ID", "CREATED", "STATUS"), rows)
        )
    if len(found.extras) > SHOWN:
        said.append(f"and {len(found.extras) - SHOWN} more: see --json")
    return "\n".join(said) or f"{span}: {found.listed} calls in its list, all of them ours."
