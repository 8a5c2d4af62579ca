"""`darkroom held`: calls that may have been paid for and that nobody can find, settled by hand."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import NothingChanged, as_json, table, told, with_books

if TYPE_CHECKING:
    from generator_service.operations import Operations, Settled

HEADINGS = ("GENERATION", "JOB", "OUTPUTS", "PROVIDER", "MODEL", "ATTEMPT", "ASKED", "GIVEN UP", "WHY")
WORDS = {
    "done": "{id}: {state}.",
    "already": "{id}: {state}, as it was before. Nothing changed.",
    "no_such": "there is no generation {id}: `darkroom held list` shows those that are held",
    "not_held": "{id} is not held, it is {state}: nothing changed",
    "no_id": "that is no id of a call at a provider: give the id alone, not its URL. Nothing changed, {id} is {state}",
    "taken": "the provider's id belongs to another call of ours: nothing changed, {id} is still held",
}


@click.group(
    epilog=examples(
        "darkroom held list",
        "darkroom held adopt 6a1d1c64-… gm3qorzdhgbfurvjtvhg6dckhu    it is this one at the provider",
        "darkroom held give-up 6a1d1c64-…                             nobody can find it",
    )
)
def held() -> None:
    """Settle calls whose answer was lost and that never showed up.

    Nothing pays for them again: they wait here until somebody says which call at the provider it was, or gives them
    up. See docs/operations.md.
    """


@held.command("list", epilog=examples("darkroom held list", "darkroom held list --json | jq '.[].generation_id'"))
@as_json
@home_option()
@click.pass_obj
def list_(environ: dict[str, str], in_json: bool, home: Path | None) -> None:
    """Show what is held, the oldest first."""

    async def read(operations: "Operations") -> None:
        rows = await operations.held()
        if in_json:
            click.echo(told(rows))
        elif not rows:
            click.echo("Nothing is held.")
        else:
            click.echo(table(HEADINGS, [
                (row.generation_id, row.job_id, ",".join(map(str, row.outputs)), row.provider, row.model, row.attempt,
                 row.asked_at, row.given_up_at, row.why)
                for row in rows
            ]))  # fmt: skip

    with_books(environ, home, read)


@held.command(epilog=examples("darkroom held adopt 6a1d1c64-6c5e-5a0f-9d1c-0f2f4c1b7a11 gm3qorzdhgbfurvjtvhg6dckhu"))
@click.argument("generation", type=click.UUID)
@click.argument("provider_id")
@as_json
@home_option()
@click.pass_obj
def adopt(environ: dict[str, str], generation: UUID, provider_id: str, in_json: bool, home: Path | None) -> None:
    """Say which call at the provider it was.

    What that made is stored, and nothing is paid again. It is not asked about here: take care to copy the whole id.
    """

    async def do(operations: "Operations") -> None:
        from schemas.clock import utc_now

        _answer(generation, await operations.adopt(generation, provider_id, utc_now()), in_json)

    with_books(environ, home, do)


@held.command("give-up", epilog=examples("darkroom held give-up 6a1d1c64-6c5e-5a0f-9d1c-0f2f4c1b7a11"))
@click.argument("generation", type=click.UUID)
@as_json
@home_option()
@click.pass_obj
def give_up(environ: dict[str, str], generation: UUID, in_json: bool, home: Path | None) -> None:
    """Fail its outputs as outcome_unknown. It may have been paid for; only a retry of the job would pay again."""

    async def do(operations: "Operations") -> None:
        from schemas.clock import utc_now

        _answer(generation, await operations.give_up(generation, utc_now()), in_json)

    with_books(environ, home, do)


def _answer(generation: UUID, settled: "Settled", in_json: bool) -> None:
    """Say what came of it. Exit code 1 unless it is as it was asked to be."""
    words = WORDS[settled.done].format(id=generation, state=settled.state)
    good = settled.done in ("done", "already")
    if in_json:
        click.echo(told({"generation_id": generation, "done": settled.done, "state": settled.state}))
    elif good:
        click.echo(words)
    if not good:
        raise click.exceptions.Exit(1) if in_json else NothingChanged(words)
