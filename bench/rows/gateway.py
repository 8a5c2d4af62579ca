"""`gateway`: what one gateway process accepts and shows in a second, beside a bare FastAPI app that does the same.

The limit (`bench.bare_gateway`) is one process with the same uvicorn, uvloop and httptools. Its POST parses the same
body into a pydantic model of the same fields, waits until all in-sync replicas have a record of the same size, and
answers the same bytes. Its GET has asyncpg fetch the job's row by its key, and answers the same bytes. Neither knows
who calls, names a request, checks more of a field than its type, makes an id, signs, tags or builds what it answers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import mean

import click

from bench import place
from bench.cost import REST
from bench.report import Figure, Goal, Report
from bench.rows.gateway_legs import ALONE, BARE, GATEWAY, GET, KEYS, OPEN, OUTPUTS, POST, Leg, Legs
from bench.rows.status import LEAST, percentile
from bench.running import as_a_service_collects, json_option, rounds_option, run, say
from darkroom.commands.examples import examples
from stage.cores import cores

WHAT = "POST /generate and GET /status of one gateway process, beside a bare FastAPI app that does the same"
CONNECTIONS = (1, 16, 64)
GOALS = (Goal("POST 64: gateway / bare", 0.8), Goal("GET 64: gateway / bare", 0.85))
WARM = 0.5  # of a round's time
BUSY = 0.1  # of the machine, taken by others: more of it and the figures say little
LIGHT = 0.4  # of the server's time: a loader that takes more of it might be what is measured

Series = Mapping[str, Sequence[Leg]]
"""The legs of each side, for one method and number of connections."""


@click.command(
    epilog=examples(
        "python -m bench gateway                    1, 16 and 64 connections, 3 rounds; some three minutes",
        "python -m bench gateway --connections 64   only those that the goals are about",
        "python -m bench gateway --auth keys        every caller brings a key, as in production",
        "python -m bench gateway --rounds 9 --json | jq .post_64_gateway_per_bare",
    )
)
@click.option("--connections", type=click.Choice([str(each) for each in CONNECTIONS]), help="Only so many.")
@click.option("--auth", type=click.Choice([OPEN, KEYS]), default=OPEN, show_default=True, help="Who is let in.")
@click.option("--jobs", type=click.IntRange(min=LEAST), default=10_000, show_default=True, help="In the ledger.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Of each round.")
@rounds_option
@json_option
def command(
    connections: str | None, auth: str, jobs: int, seconds: float, rounds: int, as_json: bool
) -> None:  # fmt: skip
    """Requests that the gateway answers in a second, beside a bare FastAPI app that does the same."""
    lanes = CONNECTIONS if connections is None else (int(connections),)
    run(gateway(lanes, auth, jobs=jobs, seconds=seconds, rounds=rounds), as_json=as_json)


async def gateway(lanes: Sequence[int], auth: str, *, jobs: int, seconds: float, rounds: int) -> Report:
    """Measure limit and gateway by turns, so that each round of the gateway lies between two limits."""
    found: dict[tuple[str, int], Series] = {}
    async with place.folder() as home, Legs.open(home, jobs, auth) as legs:
        as_a_service_collects()
        for method in (POST, GET):
            for connections in lanes:
                say(f"{method} over {connections} connections")
                found[method, connections] = await _series(legs, method, connections, seconds, rounds)
    setting = {
        "auth": auth, "jobs": jobs, "outputs": OUTPUTS, "seconds": seconds, "rounds": rounds, "own_cores": legs.apart,
    }  # fmt: skip
    figures = [figure for (method, lane), series in found.items() for figure in figures_of(f"{method} {lane}", series)]
    goals = [goal for goal in GOALS if any(figure.name == goal.figure for figure in figures)]
    return Report("gateway", WHAT, setting, figures, remarks=list(remarks(found.values())), also=goals)


async def _series(legs: Legs, method: str, connections: int, seconds: float, rounds: int) -> Series:
    for side in (BARE, GATEWAY):
        await legs.leg(side, method, connections, WARM * seconds)
    bare, ours, alone = [await legs.leg(BARE, method, connections, seconds)], [], []
    for _ in range(rounds):
        ours.append(await legs.leg(GATEWAY, method, connections, seconds))
        alone.append(await legs.leg(ALONE, method, connections, WARM * seconds))
        bare.append(await legs.leg(BARE, method, connections, seconds))
    return {GATEWAY: ours, BARE: bare, ALONE: alone}


def figures_of(asked: str, series: Series) -> Iterator[Figure]:
    """How fast each side was, how long its answers took, and what of a core; the ratios hold each round of the gateway
    against the mean of the limits before and after it.
    """
    ours, bare = series[GATEWAY], series[BARE]
    sides = {GATEWAY: ours, BARE: bare}
    for side, legs in (*sides.items(), (ALONE, series[ALONE])):
        yield Figure(f"{asked}: {side}", "requests/s", [leg.answered.per_second for leg in legs])
    limits = [mean(leg.answered.per_second for leg in around) for around in pairwise(bare)]
    ratios = [leg.answered.per_second / limit for leg, limit in zip(ours, limits, strict=True)]
    yield Figure(f"{asked}: gateway / bare", "", ratios)
    for side, legs in sides.items():
        for rank in (50, 99):
            yield Figure(f"{asked}: {side} p{rank}", "ms", [percentile(leg.answered.times, rank) for leg in legs])
    for side, legs in sides.items():
        yield Figure(f"{asked}: {side} core", "core-µs/request", [leg.cost(side) for leg in legs])
    taken = [mean(leg.cost(BARE) for leg in around) for around in pairwise(bare)]
    cheaper = [limit / leg.cost(GATEWAY) for leg, limit in zip(ours, taken, strict=True)]
    yield Figure(f"{asked}: bare / gateway core", "", cheaper)


def remarks(found: Iterable[Series]) -> Iterator[str]:
    """What a reader of the figures must know."""
    found = list(found)
    legs = [(side, leg) for series in found for side in (GATEWAY, BARE) for leg in series[side]]
    asking = max(leg.cpu["loader"] / leg.cpu[side] for side, leg in legs)
    if asking > LIGHT:
        yield f"the loader took up to {asking:.0%} of what the server took: it may be what was measured"
    rest = max(leg.cpu[REST] / leg.answered.seconds for _, leg in legs) / cores()
    if rest > BUSY:
        yield f"somebody else took up to {rest:.0%} of these cores meanwhile: read the core-µs before the rest"
