"""`darkroom bucket orphans`: what lies in the bucket and is nobody's."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.commands.spans import Span
from darkroom.operators import NothingChanged, as_json, table, told, with_tables

if TYPE_CHECKING:
    from stage.database import Pool
    from uploader_service.orphans import Found

LEAST = timedelta(hours=1)
"""An upload that is under way, or was just taken over, must not be judged."""
SHOWN = 20


@click.command(
    epilog=examples(
        "darkroom bucket orphans                             look, change nothing",
        "darkroom bucket orphans --older-than 7d --remove    delete them",
        "darkroom bucket orphans --json | jq '.orphans'",
    )
)
@click.option(
    "--older-than", type=Span(), default="1d", show_default=True, help="Leave younger ones alone: 1h at least."
)
@click.option("--remove", is_flag=True, help="Delete them. Without it nothing is changed.")
@as_json
@home_option()
@click.pass_obj
def orphans(environ: dict[str, str], older_than: timedelta, remove: bool, in_json: bool, home: Path | None) -> None:
    """Find objects that no output points to.

    Crashes, lost races and failed outputs leave them behind. Reads the uploader's tables (UPLOADER_DATABASE_URL) and
    the bucket (S3_*), or those of the local stack. Objects whose names are none of ours are counted and never
    touched.
    """
    if older_than < LEAST:
        raise click.BadParameter("an hour at least: what is being stored must not be judged", param_hint="--older-than")

    async def look(pool: "Pool") -> "tuple[Found, int]":
        return await _look(pool, environ, home, older_than, remove)

    found, removed = with_tables(environ, home, "uploader", look)
    click.echo(told(_as_object(found, removed)) if in_json else _words(found, removed, remove))


async def _look(
    pool: "Pool", environ: dict[str, str], home: Path | None, older_than: timedelta, remove: bool
) -> "tuple[Found, int]":  # fmt: skip
    from botocore.exceptions import BotoCoreError, ClientError

    from darkroom.operators import bucket_settings
    from schemas.clock import utc_now
    from stage.bucket import bucket_client
    from uploader_service.orphans import Orphans

    settings = bucket_settings(environ, home)
    try:
        async with bucket_client(settings) as client:
            bucket = Orphans(pool, client, settings.s3_bucket_name)
            found = await bucket.find(utc_now() - older_than)
            if remove and found.another_place:
                raise NothingChanged(
                    f"nothing was removed: the uploader's tables know none of the {len(found.orphans)} objects. "
                    "Is it another database, or another bucket?"
                )
            if not remove:
                return found, 0
            await bucket.give_up(found.unfinished)
            return found, await bucket.remove(found.orphans)
    except (ClientError, BotoCoreError, OSError) as fault:
        raise NothingChanged(f"the bucket does not answer as it should: {fault}") from None


def _as_object(found: "Found", removed: int) -> dict[str, object]:
    return {
        "listed": found.listed, "foreign": found.foreign, "young": found.young, "unheard": found.unheard,
        "bytes": sum(orphan.size for orphan in found.orphans), "removed": removed, "orphans": found.orphans,
        "unfinished": found.unfinished,
    }  # fmt: skip


def _words(found: "Found", removed: int, remove: bool) -> str:
    size = sum(orphan.size for orphan in found.orphans)
    beside = (
        f"{found.young} too young to be judged, {found.unheard} staged and not heard of yet, "
        f"{found.foreign} with names that are none of ours"
    )
    said = [f"{found.listed} objects: {len(found.orphans)} orphans ({size / 1_000_000:.1f} MB), {beside}."]
    if found.orphans:
        rows = [(each.key, each.size, each.modified_at, each.why.value) for each in found.orphans[:SHOWN]]
        said.append(table(("KEY", "BYTES", "CHANGED", "WHY"), rows))
    if len(found.orphans) > SHOWN:
        said.append(f"and {len(found.orphans) - SHOWN} more: see --json")
    if found.unfinished:
        said.append(f"{len(found.unfinished)} uploads in parts that nobody finished.")
    if remove:
        said.append(f"{removed} removed.")
    elif found.orphans or found.unfinished:
        said.append("Nothing was changed; --remove deletes them.")
    return "\n".join(said)
