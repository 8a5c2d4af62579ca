"""`darkroom schemas`: what is published of the facts and of the HTTP API, for who changes them."""

import click

from darkroom.commands.examples import examples


@click.group(
    epilog=examples(
        "darkroom schemas write      after a change of schemas/events.py or of a route",
        "darkroom schemas check      fails when that was forgotten, or when the change breaks a reader",
        "darkroom schemas release    when a version of Darkroom is released",
    )
)
def schemas() -> None:
    """Write and check JSON Schemas, AsyncAPI and OpenAPI documents. Needs a working copy of Darkroom."""


@schemas.command()
def write() -> None:
    """Write them anew from the classes and routes.

    That is schemas/json, schemas/asyncapi.json and schemas/openapi.json.
    """
    from darkroom import contract

    changed = contract.write()
    for path in changed:
        click.echo(path.name)
    click.echo(f"{len(changed)} files changed.")


@schemas.command()
def check() -> None:
    """Fail when the files are not what the code says.

    Or when a change would break a reader, and raises no version.
    """
    from darkroom import contract

    faults = [f"{path.name} does not say what the classes say: run `make schemas`" for path in contract.outdated()]
    faults += [f"{found}: raise `v` and add an upcaster, or leave it as it was" for found in contract.broken()]
    _refuse(faults)
    click.echo("The documents are what the code says, and break nobody.")


@schemas.command()
def release() -> None:
    """Freeze today's schemas as released. Refused while `darkroom schemas check` finds a fault."""
    from darkroom import contract

    _refuse([path.name for path in contract.outdated()] + [str(found) for found in contract.broken()])
    changed = contract.release()
    click.echo(f"{len(changed)} schemas are released anew.")


def _refuse(faults: list[str]) -> None:
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise click.exceptions.Exit(1)
