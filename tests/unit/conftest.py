"""Unit tests have no sockets: what reaches for one has to say so by failing."""

import socket
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test reached for a socket")

    for way in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, way, refuse)
