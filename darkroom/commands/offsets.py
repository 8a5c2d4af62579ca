"""`darkroom offsets`: how far each service has read the log, and the way to let it read again."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import NothingChanged, as_json, kafka_settings, table, told, with_tables
from darkroom.steps import STAGES

if TYPE_CHECKING:
    from stage.database import Pool
    from stage.settings import KafkaSettings
    from stage.sift import Partition

SERVICE = click.Choice(STAGES)
ANSWER_WITHIN = 15.0  # seconds


@click.group(
    epilog=examples(
        "darkroom offsets show                          how far every service has read",
        "darkroom offsets rewind ledger --yes           read everything again: pays and says nothing",
    )
)
def offsets() -> None:
    """How far the services have read the log.

    They keep that in their own tables, beside what they made of it. Resetting a group in Kafka has no effect.
    """


@offsets.command(epilog=examples("darkroom offsets show", "darkroom offsets show ledger --json | jq 'map(.lag) | add'"))
@click.argument("services", nargs=-1, type=SERVICE)
@as_json
@home_option()
@click.pass_obj
def show(environ: dict[str, str], services: tuple[str, ...], in_json: bool, home: Path | None) -> None:
    """Show what each service has read of each topic, and what not.

    All of them, when none is named. Needs the DATABASE_URL of each and KAFKA_BOOTSTRAP_SERVERS, or the local stack.
    """
    access = kafka_settings(environ, home)
    rows = []
    for service in services or STAGES:

        async def look(pool: "Pool") -> "tuple[dict[Partition, int], dict[Partition, int]]":
            from schemas.events import FACTS
            from stage.rewind import read_so_far

            async with pool.acquire() as connection:
                read = await read_so_far(connection, FACTS)
            return read, (await _log(access, read))[1]

        read, ends = with_tables(environ, home, service, look)
        rows += [
            {"service": service, "topic": place[0], "partition": place[1], "next": read[place], "end": ends[place],
             "lag": max(0, ends[place] - read[place])}
            for place in sorted(read)
        ]  # fmt: skip
    click.echo(told(rows) if in_json else _by_topic(rows))


def _by_topic(rows: "list[dict[str, object]]") -> str:
    sums: dict[tuple[object, object], list[int]] = {}
    for row in rows:
        counts = sums.setdefault((row["service"], row["topic"]), [0, 0])
        counts[0] += int(str(row["next"]))
        counts[1] += int(str(row["lag"]))
    return table(("SERVICE", "TOPIC", "READ", "LEFT"), [(*name, *counts) for name, counts in sums.items()])


@offsets.command(
    epilog=examples(
        "darkroom offsets rewind ledger --yes                           every topic, from the beginning",
        "darkroom offsets rewind uploader --topic media.generated       shows what it would do",
        "darkroom offsets rewind generator --topic job.requested --to 5000 --yes",
    )
)
@click.argument("service", type=SERVICE)
@click.option("--topic", "only", multiple=True, metavar="TOPIC", help="This topic alone; may be given several times.")
@click.option(
    "--to",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The offset to go back to, on each partition.",
)
@click.option("--yes", "sure", is_flag=True, help="Do it. Without it nothing is changed.")
@as_json
@home_option()
@click.pass_obj
def rewind(
    environ: dict[str, str], service: str, only: tuple[str, ...], to: int, sure: bool, in_json: bool, home: Path | None
) -> None:
    """Let a service read the log again. Nothing is paid, uploaded or announced anew: facts it knows change nothing.

    The service may run, and goes back within seconds. Only ever backwards: a partition that is behind --to stays.
    """
    access = kafka_settings(environ, home)

    async def go(pool: "Pool") -> dict[str, int]:
        from schemas.events import FACTS
        from stage.rewind import read_so_far, rewind

        async with pool.acquire() as connection, connection.transaction() as _:
            read = await read_so_far(connection, only or FACTS)
            if strange := sorted(set(only) - {topic for topic, _ in read}):
                raise NothingChanged(f"the {service} does not read {', '.join(strange)}: nothing was changed")
            begins = (await _log(access, read))[0]
            back = await rewind(connection, begins, to)
            if not sure:
                raise _NotSure(_summed(back))
            return _summed(back)

    try:
        again = with_tables(environ, home, service, go)
    except _NotSure as asked:
        raise NothingChanged(f"nothing was changed. With --yes: {_words(service, asked.again)}") from None
    click.echo(told({"service": service, "again": again}) if in_json else _words(service, again))


class _NotSure(Exception):
    """It was only asked what would be done: rolls it back."""

    def __init__(self, again: dict[str, int]) -> None:
        super().__init__()
        self.again = again


def _summed(back: "dict[Partition, int]") -> dict[str, int]:
    """Records to be read again, by topic."""
    again: dict[str, int] = {}
    for (topic, _), records in sorted(back.items()):
        again[topic] = again.get(topic, 0) + records
    return again


def _words(service: str, again: dict[str, int]) -> str:
    if not again:
        return f"The {service} has not read so far: there is nothing to go back on."
    shown = ", ".join(f"{records:,} of {topic}" for topic, records in again.items())
    return f"The {service} reads again: {shown}."


async def _log(
    access: "KafkaSettings", places: "Iterable[Partition]"
) -> "tuple[dict[Partition, int], dict[Partition, int]]":  # fmt: skip
    """Where these places begin and end."""
    from aiokafka import TopicPartition

    from darkroom.setup import SetupError
    from stage.kafka import LogEnds

    named = [TopicPartition(*place) for place in places]
    try:
        async with asyncio.timeout(ANSWER_WITHIN), LogEnds(access, "darkroom-offsets") as ends:
            found = await ends.beginnings(named), await ends.ends(named)
    except TimeoutError:
        raise SetupError("Kafka does not answer: does it run where KAFKA_BOOTSTRAP_SERVERS says?") from None
    begins, last = ({(place.topic, place.partition): offset for place, offset in each.items()} for each in found)
    return begins, last
