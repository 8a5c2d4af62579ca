"""How ports and replicas are written."""

import pytest

from darkroom.options import parse_ports, parse_replicas

SERVICES = ("gateway", "generator")
NAMES = ("gateway", "generator-1", "s3")


def test_replicas_are_read_with_or_without_spaces() -> None:
    assert parse_replicas(" gateway=2 , generator = 0 ,", SERVICES) == {"gateway": 2, "generator": 0}
    assert parse_replicas("", SERVICES) == {}


def test_given_ports_win_over_the_defaults_and_0_means_any() -> None:
    ports = parse_ports(["gateway=0", "generator-1=8100"], "gateway=8000,s3=9000", NAMES)

    assert ports == {"generator-1": 8100, "s3": 9000}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gateway", "'gateway' is not NAME=NUMBER"),
        ("gateway=two", "'gateway=two' is not NAME=NUMBER"),
        ("gateway=-1", "'gateway=-1' is not NAME=NUMBER"),
        ("gateway=²", "'gateway=²' is not NAME=NUMBER"),
        ("painter=1", "'painter' is not one of gateway, generator"),
        ("gateway=1,gateway=2", "gateway is given twice"),
        ("gateway=33", "33 of gateway are too many: give at most 32"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_replicas(text, SERVICES)


def test_a_port_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"port 65536 .s3. does not exist"):
        parse_ports(["s3=65536"], "", NAMES)


def test_a_port_for_two_is_named() -> None:
    with pytest.raises(ValueError, match="port 9000 is given to gateway and to s3"):
        parse_ports(["gateway=9000"], "s3=9000", NAMES)
