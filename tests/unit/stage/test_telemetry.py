"""Logs show what happened, and never what people sent."""

import logging
import subprocess
import sys

import pytest

from stage.telemetry import REPEAT_SECONDS, Repeats

SCRIPT = """
from stage.telemetry import configure_logging, get_logger

configure_logging("gateway", "gateway-1", "INFO", "{log_format}")
log = get_logger("test")


def pay(prompt):
    raise ZeroDivisionError("no money")


try:
    pay("xylo" + "phone")
except ZeroDivisionError:
    log.exception("a request failed")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_shown_without_the_variables_on_its_way(log_format: str) -> None:
    script = SCRIPT.format(log_format=log_format)

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "ZeroDivisionError: no money" in said
    assert "in pay" in said
    assert "xylophone" not in said


def a_line(name: str, number: int, text: str = "away: %s", *values: object) -> logging.LogRecord:
    """What the line of this number of a library says."""
    return logging.LogRecord(name, logging.ERROR, "client.py", number, text, values, None)


def test_a_library_says_the_same_once_in_ten_seconds_and_then_how_often_it_would_have() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)
    let = [repeats.filter(a_line("aiokafka.client", 7, "away: %s", number)) for number in range(600)]
    other = repeats.filter(a_line("aiokafka.client", 8))
    now = REPEAT_SECONDS
    later = a_line("aiokafka.client", 7, "away: %s", "100%")
    again = repeats.filter(later)

    assert let == [True] + [False] * 599
    assert (other, again) == (True, True)
    assert later.getMessage() == "away: 100% (and 599 more of this kind)"


def test_our_own_lines_are_all_written() -> None:
    repeats = Repeats(lambda: 0.0)

    assert all(repeats.filter(a_line("stage.kafka", 7)) for _ in range(3))
