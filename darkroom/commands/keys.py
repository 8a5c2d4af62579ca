"""`darkroom keys`: who may call the API."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.commands.spans import Span
from darkroom.operators import as_json, shown, table, told, with_doors
from darkroom.steps import WrongSettingError

if TYPE_CHECKING:
    from gateway.operations import NewKey, Operations

SCOPES = ("submit", "read", "operate")
WORD = "GATEWAY_ENVIRONMENT"
HEADINGS = ("KEY", "TENANT", "NAME", "SCOPES", "STATE", "CREATED", "EXPIRES", "LAST USED")


def a_tenant(_: click.Context, __: click.Parameter, name: str) -> str:
    """A tenant's name as the tables take it."""
    import re

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise click.BadParameter("give 1 to 64 letters, digits, dots, dashes or underscores, a letter or digit first")
    return name


@click.group(
    epilog=examples(
        "darkroom keys create --tenant acme --name website --scope submit --scope read --expires 90d",
        "darkroom keys list",
        "darkroom keys rotate key_3f9ac02b7d11        a new key now, the old one for another day",
        "darkroom keys revoke key_3f9ac02b7d11        nobody comes in with it any more",
    )
)
def keys() -> None:
    """Give out keys to the API, and take them back.

    A gateway with GATEWAY_AUTH=keys wants one with every request. Each belongs to a tenant, and opens that tenant's
    jobs alone. Every gateway goes by a change within 30 seconds. See docs/operations.md.
    """


@keys.command(
    epilog=examples(
        "darkroom keys create --tenant acme --name website --scope submit --scope read --expires 90d",
        "darkroom keys create --tenant beta --new-tenant --name ci --scope submit > beta.key",
        "darkroom keys create --tenant acme --name dashboard --scope read --json | jq -r .key",
    )
)
@click.option("--tenant", required=True, callback=a_tenant, help="Whose jobs it opens.")
@click.option("--name", required=True, help="What it is for, such as the program that uses it.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES),
    help="What it may do. submit: make jobs, cancel and retry them, remove their data; read: see jobs, media and "
    "history; operate: what only operators need. None contains another; give several.",
)  # fmt: skip
@click.option("--expires", type=Span(), help="When it stops opening: 90d from now, 12h.  [default: never]")
@click.option("--new-tenant", is_flag=True, help="The tenant is new: make it too. Not needed for the very first.")
@as_json
@home_option()
@click.pass_obj
def create(  # noqa: PLR0913 - each is an option
    environ: dict[str, str], tenant: str, name: str, scopes: tuple[str, ...], expires: timedelta | None,
    new_tenant: bool, in_json: bool, home: Path | None,
) -> None:  # fmt: skip
    """Make a key, and print it: once, for only its hash is kept.

    The key alone goes to stdout, the words about it to stderr. On an empty database the tenant is made as well.
    """
    word = _word(environ)

    async def do(doors: "Operations") -> None:
        from gateway.callers import Scope
        from schemas.clock import utc_now

        at = utc_now()
        until = None if expires is None else at + expires
        wanted = [Scope(scope) for scope in dict.fromkeys(scopes)]
        _hand_over(await doors.create(tenant, name, wanted, until, at, word=word, new_tenant=new_tenant), in_json)

    with_doors(environ, home, do)


@keys.command("list", epilog=examples("darkroom keys list", "darkroom keys list --tenant acme --json"))
@click.option("--tenant", help="Of this tenant alone.")
@as_json
@home_option()
@click.pass_obj
def list_(environ: dict[str, str], tenant: str | None, in_json: bool, home: Path | None) -> None:
    """Show every key by its public name, never the key. LAST USED is written once a minute."""

    async def read(doors: "Operations") -> None:
        from schemas.clock import utc_now

        rows = await doors.keys(tenant, utc_now())
        if in_json:
            click.echo(told(rows))
        elif not rows:
            click.echo("There are no keys.")
        else:
            click.echo(table(HEADINGS, [
                (row.id, row.tenant, row.name, ",".join(row.scopes), row.state, row.created_at, row.expires_at,
                 row.last_used_at)
                for row in rows
            ]))  # fmt: skip

    with_doors(environ, home, read)


@keys.command(epilog=examples("darkroom keys revoke key_3f9ac02b7d11"))
@click.argument("key_id", metavar="KEY")
@as_json
@home_option()
@click.pass_obj
def revoke(environ: dict[str, str], key_id: str, in_json: bool, home: Path | None) -> None:
    """Let nobody in with it any more, for good.

    Every gateway goes by it within 30 seconds. A repeat changes nothing.
    """

    async def do(doors: "Operations") -> None:
        from schemas.clock import utc_now

        new = await doors.revoke(key_id, utc_now())
        if in_json:
            click.echo(told({"id": key_id, "revoked": True, "changed": new}))
        else:
            click.echo(f"{key_id} is revoked{'' if new else ', as it was before. Nothing changed'}.")

    with_doors(environ, home, do)


@keys.command(
    epilog=examples("darkroom keys rotate key_3f9ac02b7d11", "darkroom keys rotate key_3f9ac02b7d11 --overlap 1h")
)
@click.argument("key_id", metavar="KEY")
@click.option("--overlap", type=Span(), default="24h", show_default=True, help="How long the old one goes on.")
@as_json
@home_option()
@click.pass_obj
def rotate(environ: dict[str, str], key_id: str, overlap: timedelta, in_json: bool, home: Path | None) -> None:
    """Make a key like this one and print it, once. Both open until the overlap is over, then only the new one.

    Tenant, name and scopes stay; the new one lives as long as the old one was meant to. A repeat makes another.
    """
    word = _word(environ)

    async def do(doors: "Operations") -> None:
        from schemas.clock import utc_now

        _hand_over(await doors.rotate(key_id, overlap, utc_now(), word=word), in_json)

    with_doors(environ, home, do)


def _word(environ: dict[str, str]) -> str:
    """What stands in a key behind `dk_`."""
    from gateway.keys import WORD as A_WORD

    word = environ.get(WORD) or "live"
    if not A_WORD.fullmatch(word):
        raise WrongSettingError(f"{WORD} is {word!r}: give 1 to 12 small letters, such as live or test")
    return word


def _hand_over(made: "NewKey", in_json: bool) -> None:
    """The one time that a key is shown."""
    if in_json:
        click.echo(told(made))
        return
    ends = "never expires" if made.expires_at is None else f"expires {shown(made.expires_at)}"
    click.echo(f"{made.id}: {made.tenant}, {made.name}, may {' and '.join(made.scopes)}, {ends}.", err=True)
    click.echo("This is the key. It is shown once: keep it where secrets are kept.", err=True)
    click.echo(made.key)
