"""`darkroom`: the command line. What each command does lives in `darkroom/commands/`."""

import logging
import os
from itertools import chain
from pathlib import Path
from typing import IO, Any

import click
from dotenv import dotenv_values
from typing_extensions import override

from darkroom.commands.bill import bill
from darkroom.commands.brakes import brakes, pause, resume
from darkroom.commands.examples import examples
from darkroom.commands.explain import explain
from darkroom.commands.held import held
from darkroom.commands.kafka import kafka
from darkroom.commands.keys import keys
from darkroom.commands.ledger import ledger
from darkroom.commands.local import demo, down, logs, ps, up
from darkroom.commands.models import models
from darkroom.commands.offsets import offsets
from darkroom.commands.prepare import bucket, database, topics
from darkroom.commands.schemas import schemas
from darkroom.commands.simulate import simulate
from darkroom.commands.tenants import tenants
from darkroom.local.part import LocalError
from darkroom.operators import NothingChanged
from darkroom.steps import WrongSettingError

SETTINGS_FILES = (".env.development", ".env.development.local")


def told(folder: Path) -> dict[str, str]:
    """The settings in the files of `folder`, the later file over the earlier, and the real environment over both.

    `WrongSettingError` names a line that is not NAME=VALUE.
    """
    environ: dict[str, str] = {}
    for name in SETTINGS_FILES:
        for key, value in dotenv_values(folder / name).items():
            if value is None:
                raise WrongSettingError(f"{key} in {name} has no value: write {key}=VALUE")
            environ[key] = value
    return environ | os.environ


class OneLine(click.Group):
    """Says what went wrong in one line: exit code 1 for a fault, 2 for wrong usage or settings."""

    @override
    def invoke(self, context: click.Context) -> Any:
        """Run the command; what escapes it is shown whole only under --debug."""
        try:
            return super().invoke(context)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if context.params["debug"]:
                raise
            raise in_one_line(error) from error

    @override
    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Sections rather than the alphabet: who looks for a command knows what for, not its name."""
        width = max(map(len, self.commands))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{each.name:{width}}", each.get_short_help_str(limit=100)) for each in commands])


def in_one_line(error: Exception) -> click.ClickException:
    """The fault as people should see it."""
    if isinstance(error, WrongSettingError):
        return WrongSettings(str(error))
    from darkroom.setup import SetupError

    if isinstance(error, LocalError | SetupError | NothingChanged):
        return Fault(str(error))
    words = " ".join(str(error).split())
    return Fault(f"{type(error).__name__}{': ' if words else ''}{words}: run `darkroom --debug …` again to see where")


class Fault(click.ClickException):
    """Something went wrong that is no matter of usage."""

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"darkroom: {self.message}", err=True)


class WrongSettings(Fault):
    """Something was not told, or told wrong."""

    exit_code = 2


@click.group(
    cls=OneLine,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "darkroom demo                          everything from nothing, four pictures under out/",
        "darkroom up                            Kafka, PostgreSQL, S3 and the services, until Ctrl-C",
        "darkroom up --replicas generator=2     more of a stage",
        "darkroom ps                            what runs, in another terminal",
        "darkroom logs gateway -f               what the gateway says",
    ),
)
@click.option("--debug", is_flag=True, help="Show the whole stack trace of a fault.")
@click.version_option(package_name="darkroom")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Pictures, sound and video from paid models into your own bucket.

    Settings come from the environment, then .env.development.local, then .env.development in the current folder.
    """
    logging.basicConfig(level=logging.DEBUG if debug else logging.CRITICAL)  # what failed is said once, by us
    context.obj = told(Path.cwd())


SECTIONS = {
    "The stack on this machine": (demo, up, ps, logs, down, simulate),
    "Jobs and money": (explain, held, pause, resume, brakes, bill),
    "Who and what": (keys, tenants, models),
    "The log and what is made of it": (ledger, offsets, kafka, bucket),
    "Before the services start": (database, topics),
    "The repository": (schemas,),
}
for command in chain.from_iterable(SECTIONS.values()):
    cli.add_command(command)


def main() -> None:
    """Run the command line, and end with its exit code."""
    cli(prog_name="darkroom")
