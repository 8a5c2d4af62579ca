"""`darkroom up`, `down`, `ps`, `logs`, `demo`: the local stack, for people.

The bodies import what they need: the other commands also run where the local stack's packages are not installed.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from darkroom.commands.examples import examples
from darkroom.options import parse_ports, parse_replicas
from darkroom.steps import SERVICES

F = TypeVar("F", bound=Callable[..., Any])


def home_option(default: str = "DARKROOM_HOME or .darkroom") -> Callable[[F], F]:
    """The option every command about a home takes."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Where data, logs and ports are kept.  [default: {default}]",
    )


@click.command(
    epilog=examples(
        "darkroom up",
        "darkroom up --port gateway=8080 --port kafka=9092",
        "darkroom up --replicas generator=2,uploader=2",
    )
)
@click.option("--port", "ports", multiple=True, metavar="NAME=N", help="The port of a part; a free one otherwise.")
@click.option("--replicas", default="", metavar="NAME=N,…", help="How many of a service; one of each otherwise.")
@home_option()
@click.pass_obj
def up(environ: dict[str, str], ports: tuple[str, ...], replicas: str, home: Path | None) -> None:
    """Run Kafka, PostgreSQL, S3 and the services until Ctrl-C. Data survives."""
    from darkroom.commands.foreground import run_until_told_to_stop, say
    from darkroom.local.stack import Stack

    counts = _replicas(replicas)
    wanted = _ports(ports, environ.get("DARKROOM_PORTS", ""), counts)
    asyncio.run(
        run_until_told_to_stop(Stack(_home(home, environ), replicas=counts, ports=wanted, environ=environ, say=say))
    )


@click.command(epilog=examples("darkroom down", "darkroom down --home elsewhere"))
@home_option()
@click.pass_obj
def down(environ: dict[str, str], home: Path | None) -> None:
    """Stop what `up` runs, or end what a killed one left. Data survives."""
    from darkroom.local.running import end

    click.echo(end(_home(home, environ)))


@click.command(epilog=examples("darkroom ps", "darkroom ps --json | jq '.[] | select(.state != \"ready\")'"))
@click.option("--json", "as_json", is_flag=True, help="A JSON array, for programs.")
@home_option()
@click.pass_obj
def ps(environ: dict[str, str], as_json: bool, home: Path | None) -> None:
    """List the parts of the stack and how they are."""
    from darkroom.commands.listing import as_json_array, as_table
    from darkroom.local.running import parts_of

    home = _home(home, environ)
    parts = parts_of(home)
    if as_json:
        click.echo(as_json_array(parts))
    elif parts:
        click.echo(as_table(parts))
    else:
        click.echo(f"Nothing runs in {home}: start it with `darkroom up`.")


@click.command(epilog=examples("darkroom logs gateway -f", "darkroom logs kafka -n 20"))
@click.argument("name")
@click.option("-f", "--follow", "forever", is_flag=True, help="Go on showing what is added, until Ctrl-C.")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(min=0), help="How many lines.")
@home_option()
@click.pass_obj
def logs(environ: dict[str, str], name: str, forever: bool, lines: int, home: Path | None) -> None:
    """Show the log of a part, also of one that is down."""
    from darkroom.local.tail import UnknownLogError, follow, last_lines, log_of

    try:
        log = log_of(_home(home, environ), name)
    except UnknownLogError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    for line in last_lines(log, lines):
        click.echo(line)
    try:
        for added in follow(log) if forever else ():
            click.echo(added, nl=False)
    except KeyboardInterrupt:
        return


@click.command(epilog=examples("darkroom demo", "darkroom demo --out pictures"))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), show_default=True,
    help="Where the pictures and job.json go.",
)  # fmt: skip
@home_option("demo/ in DARKROOM_HOME or .darkroom")
@click.pass_obj
def demo(environ: dict[str, str], out: Path, home: Path | None) -> None:
    """Make four pictures from nothing, and stop everything again.

    Starts Kafka, PostgreSQL, S3 and the services, and shows the job on its way. Lives in a home of its own, so that
    it never disturbs what `up` runs; a second demo reuses what the first made.
    """
    from darkroom.demo import run_demo

    asyncio.run(run_demo(home or _home(None, environ) / "demo", environ, out))


def _home(given: Path | None, environ: dict[str, str]) -> Path:
    from darkroom.local.home import home_from

    return given or home_from(environ)


def _replicas(text: str) -> dict[str, int]:
    try:
        return parse_replicas(text, SERVICES)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--replicas") from error


def _ports(texts: tuple[str, ...], default: str, replicas: dict[str, int]) -> dict[str, int]:
    from darkroom.local.services import full_name, instances
    from darkroom.local.stack import SERVER_PORTS

    names = dict.fromkeys((*SERVER_PORTS, *SERVICES, *instances(replicas)))  # the gateway's two names are one
    try:
        ports = parse_ports(texts, default, names)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--port or DARKROOM_PORTS") from error
    return {full_name(name): port for name, port in ports.items()}
