"""No secret is committed. Simple on purpose: shapes of known tokens, and passwords in URLs."""

import re
from pathlib import Path

import pytest

from tests.repository.tree import ROOT, files, text_of

SHAPES = {
    "a Replicate token": r"\br8_[A-Za-z0-9]{30,}",
    "a key of this service": r"\bdk_[a-z]+_[A-Za-z0-9]{36}\b",
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a GitHub token": r"\b(?:gh[opsu]_[A-Za-z0-9]{36}|github_pat_\w{60,})",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a webhook secret": r"\bwhsec_[A-Za-z0-9+/=]{24,}",
}
PASSWORD_IN_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'`]*:(?P<password>[^\s/@\"'`]+)@")
FOR_DEVELOPMENT = {"darkroom-dev", "password", "secret", "..."}
"""Passwords that are no secret: compose's default, and what examples say."""
SHORTEST = 3
"""A password that is not longer is a test's."""


def secrets(text: str) -> list[str]:
    """What in a text looks like a secret: what it would be, and where. The secret itself is not repeated."""
    found = [(match.start(), what) for what, shape in SHAPES.items() for match in re.finditer(shape, text)]
    found += [(url.start(), "a password in a URL") for url in PASSWORD_IN_URL.finditer(text) if real(url["password"])]
    return [f"line {text.count(chr(10), 0, start) + 1}: {what}" for start, what in sorted(found)]


def real(password: str) -> bool:
    """Is it a password, and not a made-up one or the place where one is filled in?"""
    if default := re.fullmatch(r"\$\{\w+:-(.*)\}", password):
        return default[1] not in FOR_DEVELOPMENT
    return len(password) > SHORTEST and password not in FOR_DEVELOPMENT and password[0] not in "${<%"


def test_no_file_holds_a_secret() -> None:
    found = [f"{file.relative_to(ROOT)}: {secret}" for file in files() for secret in secrets(text_of(file))]

    assert found == []


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ("r8_" + 37 * "a", "a Replicate token"),
        ("AKIA" + 16 * "A", "an AWS access key"),
        ("ghp_" + 36 * "a", "a GitHub token"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "a private key"),
        ("postgresql://ledger:" + "hunter2@db/darkroom", "a password in a URL"),
        ("postgresql://ledger:" + "${PASSWORD:-hunter2}@db/darkroom", "a password in a URL"),
    ],
)
def test_a_planted_secret_is_found(planted: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text(f"first line\nsee {planted} for more\n")

    assert secrets(text_of(file)) == [f"line 2: {named}"]


@pytest.mark.parametrize(
    "harmless",
    [
        "postgresql://ledger:darkroom-dev@db/darkroom",
        "postgresql://ledger:${PASSWORD:-darkroom-dev}@db/darkroom",
        "postgresql://{role}:{passwords[role]}@{host}/darkroom",
        "http://127.0.0.1:8000/users/a@b",
        "REPLICATE_API_TOKEN=r8_...",
    ],
)
def test_an_example_is_not_taken_for_a_secret(harmless: str) -> None:
    assert secrets(harmless) == []
