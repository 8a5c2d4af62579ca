"""Logs show what happened, and never what people sent."""

import subprocess
import sys

import pytest

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
