"""`darkroom simulate`: paid providers, simulated, for trying things out and for tests."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from darkroom.commands.examples import examples

FAULTS = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(
    epilog=examples(
        "darkroom simulate replicate --port 4010                       REPLICATE_BASE_URL=http://127.0.0.1:4010",
        "darkroom simulate replicate --port 4010 --faults faults.json  with what is to go wrong",
        "darkroom simulate cog --port 5000 --slots 4                   a container",
        "curl -s http://127.0.0.1:4010/_simulator/bill                 what it would have cost",
    )
)
def simulate() -> None:
    """Stand in for a paid provider, until Ctrl-C.

    Its API, its faults, and a bill: see docs/simulators.md.
    """


def of_every_simulator(command: Any) -> Any:
    """The options that all of them take."""
    for option in (
        click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0: a free one."),
        click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on."),
        click.option("--seed", type=int, default=0, show_default=True, help="Of ids, pictures and chances."),
        click.option("--faults", "faults_file", type=FAULTS, help="A JSON file: a list of faults."),
        click.option("--run-seconds", type=click.FloatRange(0), default=0.4, show_default=True, help="Of processing."),
        click.option("--picture-side", type=click.IntRange(16, 2048), default=512, show_default=True, help="Pixels."),
    ):
        command = option(command)
    return command


@simulate.command(
    epilog=examples(
        "darkroom simulate replicate --port 4010 --queue-seconds 1 --run-seconds 5",
        'echo \'[{"fault": "drop_answer", "nth": [2]}]\' > faults.json',
        "darkroom simulate replicate --port 4010 --faults faults.json --seed 7",
    )
)
@of_every_simulator
@click.option("--queue-seconds", type=click.FloatRange(0), default=0.1, show_default=True, help="Of starting.")
@click.option("--latency-spread", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Of both, by seed.")
@click.option("--retention-seconds", type=click.FloatRange(0), default=3600.0, show_default=True, help="Of outputs.")
@click.option("--creates-per-minute", type=click.IntRange(1), default=600, show_default=True, help="Then 429.")
@click.option("--low-credit", is_flag=True, help="6 creates a minute, one at a time.")
@click.option("--any-model", is_flag=True, help="Take models nobody described for pictures, instead of 404.")
@click.option("--token", help="The one token that is accepted; any, when not given.")
@click.option("--webhook-secret", help="whsec_…; made from the seed when not given.")
@click.option("--public-url", help="What stands in answers instead of http://HOST:PORT.")
def replicate(port: int, host: str, seed: int, faults_file: Path | None, **settings: Any) -> None:
    """Stand in for Replicate."""
    from darkroom.simulators import ReplicateSimulator

    simulator = ReplicateSimulator(port=port, host=host, seed=seed, **settings)
    run(simulator, faults_file, "Replicate", "REPLICATE_BASE_URL={url} REPLICATE_API_TOKEN=r8_anything")


@simulate.command(epilog=examples("darkroom simulate cog --port 5000 --slots 2"))
@of_every_simulator
@click.option("--slots", type=click.IntRange(1), default=1, show_default=True, help="Predictions at a time, then 409.")
def cog(port: int, host: str, seed: int, faults_file: Path | None, **settings: Any) -> None:
    """Stand in for a container that speaks Cog's HTTP API."""
    from darkroom.simulators import CogSimulator

    simulator = CogSimulator(port=port, host=host, seed=seed, **settings)
    run(simulator, faults_file, "Cog", "PUT {url}/predictions/ID")


def run(simulator: Any, faults_file: Path | None, name: str, hint: str) -> None:
    """Serve until a signal. Wrong faults and a taken port end the command with one line that says so."""
    import uvloop
    from pydantic import ValidationError

    from darkroom.simulators.running import serve_until_signal
    from darkroom.simulators.server import PortTakenError

    try:
        if faults_file:
            simulator.use_json(json.loads(faults_file.read_text()))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_until_signal(simulator, name, hint))
    except ValidationError as fault:
        wrong = fault.errors()[0]
        place = ".".join(str(part) for part in wrong["loc"])
        raise click.BadParameter(f"{faults_file}: {place}: {wrong['msg']}", param_hint="--faults") from fault
    except json.JSONDecodeError as fault:
        raise click.BadParameter(f"{faults_file} is no JSON: {fault}", param_hint="--faults") from fault
    except PortTakenError as fault:
        raise click.BadParameter(str(fault), param_hint="--port") from fault
