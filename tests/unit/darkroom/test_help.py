"""What `--help` says, all over the command line."""

import click
import pytest
from click.testing import CliRunner

from darkroom.cli import cli


def paths(group: click.Group, *before: str) -> list[tuple[str, ...]]:
    """The words that lead to each command and group."""
    found: list[tuple[str, ...]] = []
    for name, command in sorted(group.commands.items()):
        found.append((*before, name))
        found += paths(command, *before, name) if isinstance(command, click.Group) else []
    return found


COMMANDS = [(), *paths(cli)]
CALL = "    darkroom "


def help_of(*words: str) -> str:
    answer = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80)
    assert answer.exit_code == 0, answer.output
    return answer.output


def calls_in(*words: str) -> list[tuple[str, ...]]:
    """The calls among the examples of a command's help, without the program's name."""
    return [tuple(line.split("darkroom ", 1)[1].split()) for line in help_of(*words).splitlines() if CALL in line]


def test_every_command_of_the_top_stands_in_one_section_of_its_help() -> None:
    listed = [line.split()[0] for line in help_of().splitlines() if line.startswith("  ") and line[2:3].isalpha()]

    assert [name for name in cli.commands if listed.count(name) != 1] == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_help_breaks_off_in_the_middle_of_a_sentence(words: tuple[str, ...]) -> None:
    lines = help_of(*words).splitlines()[1:]  # the first is usage: [ARGS]...

    assert [line for line in lines if line.endswith("...")] == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_or_its_group_shows_a_call_to_copy(words: tuple[str, ...]) -> None:
    assert calls_in(*words) or calls_in(*words[:1])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_call_that_help_shows_is_of_a_command_that_exists(words: tuple[str, ...]) -> None:
    assert [call for call in calls_in(*words) if not any(call[: len(each)] == each for each in COMMANDS[1:])] == []
