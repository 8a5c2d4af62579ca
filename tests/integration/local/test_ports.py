import socket
from collections.abc import Iterator

import pytest

from darkroom.local.part import LocalError
from darkroom.local.ports import FREE_PORTS, claim


@pytest.fixture
def other_program() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_port_that_is_free_is_had() -> None:
    port = claim("gateway")

    assert claim("gateway", port) == port


def test_a_part_without_a_wish_gets_a_port_that_no_outgoing_connection_can_take_from_it() -> None:
    assert claim("gateway") in FREE_PORTS
    assert claim("gateway", 0) in FREE_PORTS


def test_a_taken_port_is_refused_with_the_part_and_the_option_that_moves_it(other_program: socket.socket) -> None:
    port = other_program.getsockname()[1]

    with pytest.raises(LocalError) as refused:
        claim("gateway", port)

    assert str(refused.value) == (
        f"port {port} (gateway) is taken by another program: stop it or give another with --port gateway=N"
    )


def test_a_port_taken_on_all_addresses_is_taken() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(LocalError, match="is taken"):
        claim("s3", server.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(LocalError, match="does not exist"):
        claim("s3", port)
