"""`python -m bench ROW`."""

import importlib
from typing import Any

import click
from typing_extensions import override

from bench.place import NoFigureError
from darkroom.commands.examples import examples
from darkroom.local.part import LocalError
from darkroom.setup import SetupError

ROWS = {
    "gateway": "bench.rows.gateway",
    "ledger": "bench.rows.ledger",
    "status": "bench.rows.status",
    "storing": "bench.rows.storing",
    "waiting": "bench.rows.waiting",
}


class Rows(click.Group):
    """Each row is the `command` of its module, which is imported when the row is asked for."""

    @override
    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(ROWS)

    @override
    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        command: click.Command | None = importlib.import_module(ROWS[name]).command if name in ROWS else None
        return command

    @override
    def invoke(self, context: click.Context) -> Any:
        """Run the row. What is known to go wrong is said in one line; exit code 1."""
        try:
            return super().invoke(context)
        except (NoFigureError, LocalError, SetupError) as fault:
            raise click.ClickException(str(fault)) from fault


@click.group(
    cls=Rows,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        'make bench ROW=storing                          ARGS="…" holds a row\'s options',
        "python -m bench storing --rounds 5 --json",
        "python -m bench storing --large",
        "taskset -c 0,1 python -m bench storing          on two cores, servers included",
    ),
)
def bench() -> None:
    """Measure one row of docs/benchmarks.md on servers of its own, beside its limit.

    The exit code is 0 when it ran, goal met or not, and 1 when it could not be measured.
    """


if __name__ == "__main__":
    bench(prog_name="python -m bench")
