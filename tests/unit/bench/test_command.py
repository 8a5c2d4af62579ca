"""`python -m bench`."""

import importlib
import sys
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from bench.__main__ import ROWS, bench
from bench.place import NoFigureError


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_help_with_examples_to_copy_and_can_print_json(row: str) -> None:
    said = CliRunner().invoke(bench, [row, "--help"])

    assert said.exit_code == 0
    assert f"python -m bench {row}" in said.output
    assert "--json" in said.output


@pytest.mark.parametrize(("row", "module"), ROWS.items())
def test_every_row_lies_in_a_file_of_its_name(row: str, module: str) -> None:
    assert module == f"bench.rows.{row}"
    assert isinstance(importlib.import_module(module).command, click.Command)


def test_the_help_lists_the_rows() -> None:
    said = CliRunner().invoke(bench, ["--help"])

    assert said.exit_code == 0
    assert all(row in said.output for row in ROWS)


def test_a_row_that_nobody_knows_is_wrong_usage() -> None:
    assert CliRunner().invoke(bench, ["painting"]).exit_code == 2


def test_what_is_known_to_go_wrong_is_said_in_one_line_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def stuck() -> None:
        raise NoFigureError("nothing was said for 60 s")

    module = ModuleType("stuck")
    module.__dict__["command"] = stuck
    monkeypatch.setitem(sys.modules, "stuck", module)
    monkeypatch.setitem(ROWS, "stuck", "stuck")

    said = CliRunner().invoke(bench, ["stuck"])

    assert (said.exit_code, said.output) == (1, "Error: nothing was said for 60 s\n")
