"""`darkroom explain`: why a job is where it is, in words."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import as_json, kafka_settings, shown, told, with_tables
from darkroom.steps import WrongSettingError

if TYPE_CHECKING:
    from darkroom.explaining.seen import ExplainedOutput, Explanation, Seen
    from stage.database import Pool

T = TypeVar("T")
PATIENCE = 5.0


@click.command(
    epilog=examples(
        "darkroom explain 6009d616-4b74-86cf-88d8-7186de4a1853",
        "darkroom explain 6009d616-4b74-86cf-88d8-7186de4a1853 --json | jq -r '.outputs[].words'",
    )
)
@click.argument("job", type=click.UUID)
@as_json
@home_option()
@click.pass_obj
def explain(environ: dict[str, str], job: UUID, in_json: bool, home: Path | None) -> None:
    """Say why a job is where it is, and what would move it.

    For each output its phase, attempt, last error and next try. Reads the tables of ledger, generator and uploader
    (each at its DATABASE_URL) and the log's ends (KAFKA_…), or those of the local stack, and changes nothing. What it
    could not see it says. Exit code 1 when nothing knows the job.
    """
    from darkroom.explaining.outputs import explain as explained
    from schemas.clock import utc_now

    seen = _look(environ, home, job)
    found = explained(seen, utc_now())
    click.echo(told(as_object(seen, found)) if in_json else words(seen, found))
    if not found.known:
        raise click.exceptions.Exit(1)


def _look(environ: dict[str, str], home: Path | None, job: UUID) -> "Seen":
    """All that can be seen of it; each service by itself, since any may be away.

    They are asked side by side: a server that hangs is waited for, and four of them no longer than one.
    """
    from darkroom.explaining.seen import Seen
    from generator_service.explain import look as at_generator
    from ledger_service.explain import look as at_ledger
    from uploader_service.explain import look as at_uploader

    unseen: dict[str, str] = {}
    with ThreadPoolExecutor() as side_by_side:

        def tables(service: str, look: "Callable[[Pool, UUID], Awaitable[T]]") -> "Future[T | None]":
            return side_by_side.submit(_seen, f"the {service}'s tables", unseen, lambda: with_tables(
                environ, home, service, lambda pool: look(pool, job)))  # fmt: skip

        ledger, generator = tables("ledger", at_ledger), tables("generator", at_generator)
        uploader = tables("uploader", at_uploader)
        ends = _seen("where the log ends", unseen, lambda: asyncio.run(_ends(environ, home, job)))
        return Seen(
            job, ledger=ledger.result(), generator=generator.result(), uploader=uploader.result(), ends=ends,
            unseen=dict(sorted(unseen.items())),
        )  # fmt: skip


def _seen(what: str, unseen: dict[str, str], look: Callable[[], T]) -> T | None:
    """What `look` finds, or a note of why it found nothing."""
    import asyncpg
    from aiokafka.errors import KafkaError

    from darkroom.setup import SetupError
    from stage.database import PASSING

    away = (*PASSING, KafkaError, asyncpg.InvalidCatalogNameError, asyncpg.InsufficientPrivilegeError)
    try:
        return look()
    except (SetupError, WrongSettingError) as fault:
        unseen[what] = str(fault)
    except away as fault:
        unseen[what] = f"{type(fault).__name__}: {fault}" if str(fault) else "no answer in time"
    return None


async def _ends(environ: dict[str, str], home: Path | None, job: UUID) -> dict[str, int]:
    """By topic, where the log of the job's partition ends."""
    from aiokafka import TopicPartition

    from schemas.events import FACTS
    from schemas.identity import partition_of
    from stage.kafka import LogEnds

    access = kafka_settings(environ, home)
    places = [TopicPartition(topic, partition_of(str(job).encode())) for topic in FACTS]
    async with asyncio.timeout(PATIENCE), LogEnds(access, "explain") as ends:
        return {place.topic: end for place, end in (await ends.ends(places)).items()}


def as_object(seen: "Seen", found: "Explanation") -> dict[str, object]:
    """For programs."""
    outputs = [
        {"index": each.index, "revision": each.revision, "status": each.status, **asdict(each.why)}
        for each in found.outputs
    ]
    return {
        "job_id": seen.job_id, "known": found.known, "summary": found.summary, "outputs": outputs,
        "unseen": dict(seen.unseen),
    }  # fmt: skip


def words(seen: "Seen", found: "Explanation") -> str:
    """For people: outputs that stand alike are told of together."""
    said = [found.summary]
    for _, alike in groupby(found.outputs, key=lambda each: (each.revision, each.why)):
        said += _paragraph(list(alike))
    said += [f"Could not see {what}: {why}" for what, why in seen.unseen.items()]
    return "\n".join(said)


def _paragraph(alike: "list[ExplainedOutput]") -> list[str]:
    why = alike[0].why
    named = f"output {alike[0].index}" if len(alike) == 1 else f"outputs {', '.join(str(each.index) for each in alike)}"
    attempt = f", attempt {why.attempt}" if why.attempt else ""
    lines = [f"{named} ({why.stage}{attempt}): {why.words}"]
    if why.last_error:
        lines.append(f"    last error: {why.last_error}")
    if why.next_try_at:
        lines.append(f"    next: {shown(why.next_try_at)}")
    if why.moves:
        lines.append(f"    what moves it: {why.moves}")
    return lines
