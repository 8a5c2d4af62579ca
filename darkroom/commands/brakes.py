"""`darkroom pause`, `resume`, `brakes`: stop paying for something, at once and without a restart."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import NothingChanged, as_json, table, told, with_books

if TYPE_CHECKING:
    from generator_service.operations import Operations

KIND = click.Choice(("provider", "model", "tenant"))


@click.command(
    epilog=examples(
        'darkroom pause provider replicate --why "the invoice looks wrong"',
        "darkroom pause model black-forest-labs/flux-1.1-pro",
        "darkroom pause tenant acme",
    )
)
@click.argument("kind", type=KIND)
@click.argument("name")
@click.option("--why", default="", help="Shown by `darkroom brakes list`.")
@as_json
@home_option()
@click.pass_obj
def pause(environ: dict[str, str], kind: str, name: str, why: str, in_json: bool, home: Path | None) -> None:
    """Make no more calls for a provider, model or tenant.

    Its jobs are still accepted and wait; calls that run already go on, and what they make is stored.
    """
    if kind == "provider":
        _refuse_unknown(name)

    async def do(operations: "Operations") -> None:
        from schemas.clock import utc_now

        new = await operations.pause(kind, name, why, utc_now())
        waiting = next(
            (each.waiting for each in await operations.brakes() if (each.kind, each.name) == (kind, name)), 0
        )
        if in_json:
            click.echo(told({"kind": kind, "name": name, "paused": True, "changed": new, "waiting": waiting}))
        else:
            state = "is paused" if new else "was paused before, and is"
            click.echo(f"{kind} {name} {state}; {waiting} calls wait.")

    with_books(environ, home, do)


@click.command(epilog=examples("darkroom resume provider replicate", "darkroom resume tenant acme --json"))
@click.argument("kind", type=KIND)
@click.argument("name")
@as_json
@home_option()
@click.pass_obj
def resume(environ: dict[str, str], kind: str, name: str, in_json: bool, home: Path | None) -> None:
    """Let the calls of a provider, model or tenant go on. One that is not paused stays as it is."""

    async def do(operations: "Operations") -> None:
        was = await operations.resume(kind, name)
        if in_json:
            click.echo(told({"kind": kind, "name": name, "paused": False, "changed": was}))
        else:
            click.echo(f"{kind} {name} {'goes on' if was else 'was not paused. Nothing changed'}.")

    with_books(environ, home, do)


@click.group(epilog=examples("darkroom brakes list", "darkroom brakes list --json | jq '.accounts'"))
def brakes() -> None:
    """What keeps calls from being made."""


@brakes.command("list", epilog=examples("darkroom brakes list", "darkroom brakes list --json"))
@as_json
@home_option()
@click.pass_obj
def list_(environ: dict[str, str], in_json: bool, home: Path | None) -> None:
    """Show what is paused, and what was asked of providers today.

    Calls and cost units are those of each provider's account, since midnight UTC.
    """

    async def read(operations: "Operations") -> None:
        from schemas.clock import utc_now

        paused, spent = await operations.brakes(), await operations.spent(utc_now())
        if in_json:
            click.echo(told({"brakes": paused, "accounts": spent}))
            return
        rows = [(b.kind, b.name, b.since, b.waiting, b.why or None) for b in paused]
        click.echo(table(("KIND", "NAME", "SINCE", "WAITING", "WHY"), rows) if rows else "Nothing is paused.")
        if spent:
            today = [(s.provider, s.calls, s.cost_units, s.blocked_until, s.blocked_why) for s in spent]
            click.echo("\n" + table(("PROVIDER", "CALLS TODAY", "COST UNITS", "MAY NOT BE ASKED UNTIL", "WHY"), today))

    with_books(environ, home, read)


def _refuse_unknown(provider: str) -> None:
    """A slip of the finger must not look like a brake."""
    from generator_service.providers import PROVIDERS

    if provider not in PROVIDERS:
        raise NothingChanged(f"there is no provider {provider!r}: choose one of {', '.join(PROVIDERS)}")
