"""`storing`: the uploader alone, from `media.generated` to `media.stored`, beside bare PUTs of the same bytes."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import mean

import click

from bench import place
from bench.bare import IN_FLIGHT
from bench.cost import REST
from bench.hops import hops
from bench.pictures import BYTES
from bench.report import Figure, Goal, Report
from bench.rows.storing_large import storing_large
from bench.rows.storing_legs import Leg, Legs
from bench.running import as_a_service_collects, json_option, rounds_option, run, say
from darkroom.commands.examples import examples
from stage.cores import cores

WHAT = "outputs stored by the uploader alone, fetch included, beside bare aiobotocore PUTs of the same bytes"
GOAL = Goal("stage / bare", 0.8)
BUSY = 0.1  # of the machine, taken by others: more of it and the figures say little


@click.command(
    epilog=examples(
        "python -m bench storing                    2,000 outputs in each of 3 rounds; about a minute",
        "python -m bench storing --per-job 4        four outputs of a job lie in one folder",
        "python -m bench storing --json | jq .stage_per_bare.median",
        "python -m bench storing --large            the memory that one video of 500 MB takes",
    )
)
@click.option("--outputs", type=click.IntRange(min=1), default=2_000, show_default=True, help="In each round.")
@click.option("--per-job", type=click.IntRange(1, 10), default=1, show_default=True, help="Outputs of each job.")
@rounds_option
@click.option("--large", is_flag=True, help="Measure memory instead, while one large video is stored.")
@json_option
def command(outputs: int, per_job: int, rounds: int, large: bool, as_json: bool) -> None:
    """Outputs that an uploader stores in a second, fetch included, beside bare PUTs of the same bytes."""
    run(storing_large(rounds) if large else storing(outputs, per_job, rounds), as_json=as_json)


async def storing(outputs: int, per_job: int, rounds: int) -> Report:
    """Measure bare PUTs and the stage by turns, so that each round of the stage lies between two limits."""
    async with place.folder() as home, Legs.open(home, outputs, per_job) as legs:
        as_a_service_collects()
        say("warming up")
        await legs.bare("warm")
        await legs.stage("warm")
        bare, stage = [await legs.bare("0")], []
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}")
            stage.append(await legs.stage(str(number)))
            bare.append(await legs.bare(str(number)))
        trips = await hops(
            legs.environ, client=legs.client, producer=legs.log.producer, url=legs.url(0), content=legs.pictures[0]
        )
    setting = {"outputs": outputs, "bytes": BYTES, "per_job": per_job, "rounds": rounds, "in_flight": IN_FLIGHT}
    figures = [*speeds(stage, bare), *costs("stage", stage), *costs("bare", bare), *trips]
    return Report("storing", WHAT, setting, figures, GOAL, list(remarks(stage, bare)))


def speeds(stage: Sequence[Leg], bare: Sequence[Leg]) -> Iterator[Figure]:
    """How fast each side was, and each round of the stage over the mean of the limits before and after it."""
    limits = [mean((before.per_second, after.per_second)) for before, after in pairwise(bare)]
    yield Figure("stage", "outputs/s", [leg.per_second for leg in stage])
    yield Figure("bare", "PUTs/s", [leg.per_second for leg in bare])
    yield Figure(GOAL.figure, "", [leg.per_second / limit for leg, limit in zip(stage, limits, strict=True)])


def costs(side: str, legs: Sequence[Leg]) -> Iterator[Figure]:
    """What each process took for an output; those that took no part are left out."""
    for name in legs[0].cpu:
        each = [1_000 * leg.cpu[name] / leg.outputs for leg in legs]
        if max(each) >= 0.01:
            yield Figure(f"{side}: {name}", "core-ms/output", each)


def remarks(stage: Sequence[Leg], bare: Sequence[Leg]) -> Iterator[str]:
    """What a reader of the figures must know."""
    if failed := sum(leg.failed for leg in stage):
        yield f"{failed} tries of the stage failed and were made again later"
    if again := sum(leg.failed for leg in bare):
        yield f"{again} bare PUTs were refused and made again at once"
    rest = max(leg.cpu[REST] / leg.seconds for leg in (*stage, *bare)) / cores()
    if rest > BUSY:
        yield f"somebody else took up to {rest:.0%} of these cores meanwhile: measure again on a quiet machine"
