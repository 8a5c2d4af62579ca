import pytest

from darkroom.local.kafka import Origin, names_a_broker, why_foreign

OURS = Origin("4.4.0", "our-cluster")
META = {"version": "1", "node.id": "1", "cluster.id": "our-cluster"}


def test_a_log_of_our_own_is_welcome_also_when_an_older_kafka_made_it() -> None:
    assert why_foreign(OURS, META, "4.4.0") is None
    assert why_foreign(OURS, META, "4.10.0") is None


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        ({"cluster.id": "another"}, "it belongs to cluster another, not our-cluster"),
        ({"node.id": "2"}, "it has format 1 and node 2, not 1 and 1"),
        ({"version": "0"}, "it has format 0 and node 1, not 1 and 1"),
    ],
)
def test_a_log_of_another_cluster_node_or_format_is_refused(difference: dict[str, str], reason: str) -> None:
    assert why_foreign(OURS, META | difference, "4.4.0") == reason


def test_a_log_of_a_newer_kafka_is_refused() -> None:
    assert why_foreign(Origin("4.10.0", "our-cluster"), META, "4.4.0") == "Kafka 4.10.0 made it, and this is 4.4.0"


def test_an_origin_reads_back_as_it_was_written() -> None:
    origin = Origin.new()

    assert Origin.read(f"{origin.version} {origin.cluster_id}\n") == origin
    assert not origin.cluster_id.startswith("-")


@pytest.mark.parametrize(
    ("answer", "is_ready"),
    [
        (b"\x00\x00\x00\x20dark\x00\x00\x00\x01\x00\x00\x00\x01", True),
        (b"\x00\x00\x00\x10dark\x00\x00\x00\x00\xff\xff\xff\xff", False),  # up, but fenced: nobody to talk to
        (b"HTTP/1.1 400 Bad Request\r\n", False),
        (b"", False),
    ],
)
def test_kafka_is_ready_when_it_names_a_broker(answer: bytes, is_ready: bool) -> None:
    assert names_a_broker(answer) is is_ready
