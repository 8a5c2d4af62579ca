"""What each topic must be in a cluster."""

import pytest

from schemas.events import FACTS
from schemas.identity import PARTITIONS
from schemas.topics import DEAD_LETTERS, MAX_MESSAGE_BYTES, topics
from schemas.wire import RECORD_BYTES


def test_every_fact_has_a_topic_of_its_name_and_there_is_one_for_dead_letters() -> None:
    assert [topic.name for topic in topics(3)] == [*FACTS, DEAD_LETTERS]


def test_the_facts_of_a_job_share_a_partition_number_on_every_topic() -> None:
    assert {topic.partitions for topic in topics(3) if topic.name != DEAD_LETTERS} == {PARTITIONS}


@pytest.mark.parametrize("replication", [1, 2, 3])
def test_facts_are_kept_for_ever_and_never_compacted(replication: int) -> None:
    for topic in topics(replication):
        kept = str(7 * 24 * 3_600 * 1_000) if topic.name == "provider.called_back" else "-1"  # a doorbell fades
        assert (topic.config["retention.ms"], topic.config["cleanup.policy"]) == (kept, "delete")


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_one_copy_may_be_missing_where_there_are_more(replication: int, in_sync: str) -> None:
    assert {topic.config["min.insync.replicas"] for topic in topics(replication)} == {in_sync}


def test_only_an_accepted_request_with_one_copy_is_flushed_before_it_is_acknowledged() -> None:
    assert [topic.name for topic in topics(1) if topic.config.get("flush.messages") == "1"] == ["job.requested"]
    assert not [topic.name for topic in topics(3) if "flush.messages" in topic.config]


def test_a_broker_takes_whatever_we_send_and_a_dead_letter_has_room_for_what_it_carries() -> None:
    sizes = {topic.name: int(topic.config["max.message.bytes"]) for topic in topics(3)}

    assert sizes["job.requested"] == MAX_MESSAGE_BYTES > RECORD_BYTES
    assert sizes[DEAD_LETTERS] > max(size for name, size in sizes.items() if name != DEAD_LETTERS)
