from pathlib import Path

from darkroom.local.kafka_config import java_flags, server_properties, tool_flags


def settings(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_broker_listens_on_this_machine_alone_at_the_given_ports() -> None:
    said = settings(server_properties(9092, 9093))

    assert said["listeners"] == "CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert said["advertised.listeners"] == "CLIENT://127.0.0.1:9092"
    assert said["controller.quorum.voters"] == "1@127.0.0.1:9093"


def test_no_topic_comes_to_be_by_a_mistyped_name() -> None:
    assert settings(server_properties(9092, 9093))["auto.create.topics.enable"] == "false"


def test_every_internal_topic_fits_on_one_node() -> None:
    said = settings(server_properties(9092, 9093))

    copies = {name: value for name, value in said.items() if name.endswith(("replication.factor", ".isr", "replicas"))}
    assert len(copies) == 7
    assert set(copies.values()) == {"1"}


def test_the_broker_keeps_its_archive_in_order_and_a_short_program_leaves_it_alone() -> None:
    broker = java_flags("/cache/base.jsa:/cache/kafka.jsa", Path("/home/tmp"))
    tool = tool_flags("/cache/base.jsa:/cache/kafka.jsa")

    assert {"-XX:+AutoCreateSharedArchive", "-XX:SharedArchiveFile=/cache/base.jsa:/cache/kafka.jsa"} <= set(broker)
    assert "-XX:SharedArchiveFile=/cache/base.jsa" in tool
    assert "-XX:+AutoCreateSharedArchive" not in tool
