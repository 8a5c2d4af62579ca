"""`darkroom held`: calls that may have been paid for and that nobody can find, settled by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import NothingChanged, as_json, table, told, with_books
from darkroom.steps import WrongSettingError

if TYPE_CHECKING:
    from generator_service.operations import Done, Lost, Operations, Settled
    from generator_service.providers.billing import Shown

HEADINGS = ("GENERATION", "JOB", "OUTPUTS", "PROVIDER", "MODEL", "ATTEMPT", "ASKED", "GIVEN UP", "WHY")
WORDS = {
    "done": "{id}: {state}.",
    "already": "{id}: {state}, as it was before. Nothing changed.",
    "no_such": "there is no generation {id}: `darkroom held list` shows those that are held",
    "not_held": "{id} is not held, it is {state}: nothing changed",
    "no_id": "that is no id of a call at a provider: give the id alone, not its URL. Nothing changed, {id} is {state}",
    "taken": "the provider's id belongs to another call of ours: nothing changed, {id} is still held",
    "unknown_there": "the provider has no call of that id in this token's account: copy the whole id again. Nothing "
    "changed, {id} is still held",
    "anothers": "that call is not the lost one, it asked for something else or was made before: nothing changed, {id} "
    "is still held",
}
CURE = "Without asking, --unseen takes the id at your word."
SAME = {True: "yes", False: "no", None: "cannot be told"}


@dataclass(frozen=True, slots=True)
class Sight:
    """What a provider was seen to have under an id, in words, and what of it stands against its being the lost call."""

    words: str
    shown: "Shown | None" = None
    against: "Done | None" = None


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


@held.command(
    epilog=examples(
        "darkroom held adopt 6a1d1c64-6c5e-5a0f-9d1c-0f2f4c1b7a11 gm3qorzdhgbfurvjtvhg6dckhu",
        "darkroom held adopt 6a1d1c64-… gm3qorzdhgbfurvjtvhg6dckhu --unseen    the provider cannot be asked now",
    )
)
@click.argument("generation", type=click.UUID)
@click.argument("provider_id")
@click.option("--unseen", is_flag=True, help="Do not ask the provider: take the id at your word. A wrong one is final.")
@as_json
@home_option()
@click.pass_obj
def adopt(
    environ: dict[str, str], generation: UUID, provider_id: str, unseen: bool, in_json: bool, home: Path | None
) -> None:  # fmt: skip
    """Say which call at the provider it was.

    What that made is stored, and nothing is paid again. The provider is asked first what it has under that id, which
    takes its token (REPLICATE_API_TOKEN): a call that it does not know, or that surely is another, is refused.
    """

    async def do(operations: "Operations") -> None:
        from generator_service.operations import Settled
        from schemas.clock import utc_now

        lost = await operations.adoptable(generation, provider_id)
        if isinstance(lost, Settled):
            _answer(generation, lost, in_json)
            return
        sight = await _asked(environ, lost, provider_id, unseen=unseen)
        if sight.words and not in_json:
            click.echo(sight.words)
        against = sight.against
        settled = Settled(against, "HELD") if against else await operations.adopt(generation, provider_id, utc_now())
        _answer(generation, settled, in_json, sight)

    with_books(environ, home, do)


async def _asked(environ: dict[str, str], lost: "Lost", provider_id: str, *, unseen: bool) -> Sight:
    """What the provider has under that id. Nothing is asked when nobody wants to, or nobody could answer."""
    from generator_service.adopt_check import objection
    from generator_service.providers.billing import BILLERS, BillUnreadable, SettingMissing

    if unseen or lost.provider not in BILLERS:
        why = "was not asked" if unseen else "cannot be asked for a call by its id"
        return Sight(f"{lost.provider} {why}: it is taken at your word.")
    try:
        async with BILLERS[lost.provider](environ) as biller:
            shown = await biller.show(provider_id, lost.call)
    except SettingMissing as missing:
        raise WrongSettingError(
            f"{missing} is not set: {lost.provider} is asked about the call with it. {CURE}"
        ) from None
    except BillUnreadable as fault:
        raise NothingChanged(f"{fault}: nothing changed. Is it away, or the token wrong? {CURE}") from None
    return Sight(_words(shown) if shown else "", shown, objection(lost.call, shown))


def _words(shown: "Shown") -> str:
    row = (shown.provider_id, shown.model, shown.created_at, shown.status, SAME[shown.same])
    return table(("ID", "MODEL", "CREATED", "STATUS", "THE SAME CALL"), [row])


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


def _answer(generation: UUID, settled: "Settled", in_json: bool, sight: Sight | None = None) -> None:
    """Say what came of it. Exit code 1 unless it is as it was asked to be."""
    words = WORDS[settled.done].format(id=generation, state=settled.state)
    good = settled.done in ("done", "already")
    if in_json:
        shown = {"shown": sight.shown} if sight else {}
        click.echo(told({"generation_id": generation, "done": settled.done, "state": settled.state} | shown))
    elif good:
        click.echo(words)
    if not good:
        raise click.exceptions.Exit(1) if in_json else NothingChanged(words)
