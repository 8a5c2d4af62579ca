"""Names that are computed stay what they are for ever: logs, buckets and clients hold them."""

from uuid import UUID

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import given
from hypothesis import strategies as st

from generator_service.plan import derived_seed
from schemas.identity import PARTITIONS, event_id_of, generation_id_of, job_id_of, partition_of, storage_key_of

JOB = UUID("96b5c363-04d7-87e6-9bfe-51246d3cdc5d")
EVERY_PARTITION = list(range(PARTITIONS))


@pytest.mark.parametrize(
    ("tenant", "key", "job_id"),
    [
        ("dev", "a", "d1e2370f-451e-8a99-abbf-5b64de322999"),
        ("dev", "order-1", "01de3f39-4bdc-86d3-bd8c-4ba0933d2089"),
        ("acme", "order-1", "af5f4f18-41e8-8ebc-ae50-2028d51c062c"),
        ("dev", "golden", "96b5c363-04d7-87e6-9bfe-51246d3cdc5d"),
    ],
)
def test_a_job_is_named_by_tenant_and_key_for_ever(tenant: str, key: str, job_id: str) -> None:
    assert str(job_id_of(tenant, key)) == job_id


def test_a_job_id_is_a_uuid_of_version_8() -> None:
    job_id = job_id_of("dev", "order-1")

    assert (job_id.version, job_id.variant) == (8, "specified in RFC 4122")


def test_tenant_and_key_cannot_be_shifted_into_each_other() -> None:
    assert job_id_of("a", "bc") != job_id_of("ab", "c")


def test_a_fact_and_a_call_and_a_file_are_named_within_their_job_for_ever() -> None:
    assert event_id_of(JOB, "media.stored/2/6/final") == UUID("f5f72a41-f4f8-5e36-a6ec-bb309f8376ac")
    assert generation_id_of(JOB, 1, 0) == UUID("ee1e4847-61d3-5636-85b3-09c1aedd7d88")
    assert storage_key_of(JOB, 2, 6, "webp") == "jobs/96b/96b5c363-04d7-87e6-9bfe-51246d3cdc5d/2/6.webp"


def test_the_seed_of_a_job_that_named_none_is_the_same_for_ever() -> None:
    assert (derived_seed(JOB, 1), derived_seed(JOB, 2)) == (1_714_807_796, 1_129_566_445)


@pytest.mark.parametrize(
    ("job_id", "partition"),
    [
        ("d1e2370f-451e-8a99-abbf-5b64de322999", 2),
        ("af5f4f18-41e8-8ebc-ae50-2028d51c062c", 0),
        ("208acd80-9081-897b-bb09-f3c09f8f907b", 7),
    ],
)
def test_a_jobs_partition_is_the_same_for_ever(job_id: str, partition: int) -> None:
    assert partition_of(job_id.encode()) == partition


@given(st.binary(max_size=64))
def test_any_kafka_client_puts_a_key_where_we_do(key: bytes) -> None:
    assert partition_of(key) == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
    assert partition_of(key) == DefaultPartitioner()(key, EVERY_PARTITION, EVERY_PARTITION)
