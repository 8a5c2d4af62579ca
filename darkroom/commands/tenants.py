"""`darkroom tenants`: whose jobs there are, how much each may ask for, and how to stop one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import as_json, table, told, with_doors, with_doors_and_books

if TYPE_CHECKING:
    from gateway.operations import Operations as Doors
    from generator_service.operations import Operations

HEADINGS = ("TENANT", "KEYS", "SUSPENDED", "REQUESTS A MINUTE", "QUEUED", "CREATED")
WHY = "its tenant is suspended"


class Limit(click.ParamType[int | None]):
    """A number, or `default` for what the gateway's setting says."""

    name = "number|default"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The limit that is meant; 0 for the default."""
        text = str(value)
        if text == "default":
            return 0
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
            self.fail(f"{text!r} is neither a number above 0 nor `default`", param, ctx)
        return int(text)


@click.group(
    epilog=examples(
        "darkroom tenants list",
        "darkroom tenants suspend acme                            no request, no paid call",
        "darkroom tenants resume acme",
        "darkroom tenants limits acme --requests-per-minute 600",
    )
)
def tenants() -> None:
    """See and stop those whose jobs there are. One is made with its first key: `darkroom keys create --new-tenant`."""


@tenants.command("list", epilog=examples("darkroom tenants list", "darkroom tenants list --json"))
@as_json
@home_option()
@click.pass_obj
def list_(environ: dict[str, str], in_json: bool, home: Path | None) -> None:
    """Show every tenant, with how many keys open for it. Limits that are not shown are the gateway's settings."""

    async def read(doors: "Doors") -> None:
        from schemas.clock import utc_now

        rows = await doors.tenants(utc_now())
        if in_json:
            click.echo(told(rows))
        elif not rows:
            click.echo("There are no tenants.")
        else:
            click.echo(table(HEADINGS, [
                (row.name, row.keys, row.suspended_at, row.requests_per_minute, row.jobs_queued,
                 row.created_at)
                for row in rows
            ]))  # fmt: skip

    with_doors(environ, home, read)


@tenants.command(epilog=examples("darkroom tenants suspend acme"))
@click.argument("name")
@as_json
@home_option()
@click.pass_obj
def suspend(environ: dict[str, str], name: str, in_json: bool, home: Path | None) -> None:
    """Refuse its requests, and make no more calls for its jobs. What runs goes on, and what it makes is stored.

    Its brake first (as `darkroom pause tenant`), so that a tenant that is suspended never costs anything; then its
    door. Ended between the two, say it again: that mends it. Needs GATEWAY_ and GENERATOR_DATABASE_URL.
    """

    async def do(doors: "Doors", books: "Operations") -> None:
        from schemas.clock import utc_now

        at = utc_now()
        was = (await doors.tenant(name, at)).suspended_at is not None
        braked = await books.pause("tenant", name, WHY, at)
        await doors.suspend(name, at)
        _answer(name, in_json, suspended=True, changed=braked or not was)

    with_doors_and_books(environ, home, do)


@tenants.command(epilog=examples("darkroom tenants resume acme"))
@click.argument("name")
@as_json
@home_option()
@click.pass_obj
def resume(environ: dict[str, str], name: str, in_json: bool, home: Path | None) -> None:
    """Let it in again, and let its calls go on.

    Also those that `darkroom pause tenant` keeps back. Its door first and its brake last, the other way round than
    `suspend`. Ended between the two, say it again.
    """

    async def do(doors: "Doors", books: "Operations") -> None:
        from schemas.clock import utc_now

        was = (await doors.tenant(name, utc_now())).suspended_at is not None
        await doors.resume(name)
        released = await books.resume("tenant", name)
        _answer(name, in_json, suspended=False, changed=released or was)

    with_doors_and_books(environ, home, do)


@tenants.command(
    epilog=examples(
        "darkroom tenants limits acme",
        "darkroom tenants limits acme --requests-per-minute 600 --jobs-queued 5000",
        "darkroom tenants limits acme --requests-per-minute default",
    )
)
@click.argument("name")
@click.option("--requests-per-minute", type=Limit(), help="Requests of each of its keys in a minute.")
@click.option("--jobs-queued", type=Limit(), help="Its jobs that may be under way.")
@as_json
@home_option()
@click.pass_obj
def limits(environ: dict[str, str], /, name: str, in_json: bool, home: Path | None, **given: int | None) -> None:
    """Set how much a tenant may ask for, or show it. `default` is what the gateway's settings say."""

    async def do(doors: "Doors") -> None:
        from schemas.clock import utc_now

        await doors.tenant(name, utc_now())
        changes = {limit: number or None for limit, number in given.items() if number is not None}
        if changes:
            await doors.limit(name, changes)
        now = await doors.tenant(name, utc_now())
        shown = {limit: getattr(now, limit) for limit in sorted(given)}
        if in_json:
            click.echo(told({"name": name, **shown}))
        else:
            click.echo(f"{name}: " + ", ".join(f"{limit.replace('_', ' ')} {number or 'default'}"
                                               for limit, number in shown.items()))  # fmt: skip

    with_doors(environ, home, do)


def _answer(name: str, in_json: bool, *, suspended: bool, changed: bool) -> None:
    if in_json:
        click.echo(told({"name": name, "suspended": suspended, "changed": changed}))
    elif suspended:
        click.echo(f"{name} is suspended{'' if changed else ', as it was before'}: no requests, no calls.")
    else:
        click.echo(f"{name} {'goes on' if changed else 'was not suspended. Nothing changed'}.")
