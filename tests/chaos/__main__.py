"""`python -m tests.chaos`: run one scenario on servers of its own, print its figures as one line of JSON.

Exit code 0 when the promise held and was put to the test. A naive run must break it to pass.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from darkroom.local.postgres_place import discard
from darkroom.local.stack import Stack
from tests.chaos.ledger import Plan as LedgerPlan
from tests.chaos.ledger import ledger
from tests.chaos.points import Point
from tests.chaos.spend import Plan, spend
from tests.chaos.waiting import waiting


async def main(told: argparse.Namespace) -> int:
    """Run the scenario. What is left of the servers is removed, unless something was wrong."""
    home = Path(tempfile.mkdtemp(prefix="darkroom-chaos-"))
    wrong: list[str] = ["it did not come to an end"]
    try:
        async with Stack(home, services=False, replicas=REPLICAS, environ={"PATH": os.environ["PATH"]}) as stack:
            await stack.prepare()
            line, wrong = await SCENARIOS[told.scenario](stack, told)
    finally:
        discard(home)
        if wrong:
            print(f"the logs are in {home}", file=sys.stderr)  # noqa: T201
        else:
            shutil.rmtree(home)
    print(json.dumps(line))  # noqa: T201
    for each in wrong:
        print(each, file=sys.stderr)  # noqa: T201
    return 1 if wrong else 0


async def run_spend(stack: Stack, told: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Nothing is paid twice."""
    points = {"points": [Point.HANDLED]} if told.naive else {}
    tally, wrong = await spend(stack, Plan(told.seed, told.kills, told.policy, told.naive, **points))
    if told.naive:
        wrong = [] if tally.doubly_paid else ["the naive handler paid nothing twice: the fault cannot be seen"]
    return tally.line(), wrong


async def run_waiting(stack: Stack, told: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """Waiting costs a row, not a task."""
    figures, wrong = await waiting(stack, told.generations)
    return figures.line(), wrong


async def run_ledger(stack: Stack, told: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    """The ledger is what the log says."""
    found, wrong = await ledger(stack, LedgerPlan(told.seed, told.kills, told.facts))
    return found.line(), wrong


SCENARIOS = {"ledger": run_ledger, "spend": run_spend, "waiting": run_waiting}
REPLICAS = {"generator": 2, "uploader": 2, "ledger": 2}


def read() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, default="spend")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--policy", choices=("strict", "settle"), default="strict")
    parser.add_argument("--naive", action="store_true")
    parser.add_argument("--generations", type=int, default=10_000, help="that wait at once")
    parser.add_argument("--facts", type=int, default=30_000, help="that the jobs of `ledger` say at least")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(read())))
