"""Computed names never meet by accident. That they stay the same for ever is in tests/contract/test_ids.py."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import PARTITIONS, event_id_of, generation_id_of, job_id_of, partition_of
from tests.builders import ANOTHER_JOB, JOB

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(NAMES, NAMES)
def test_the_same_key_of_the_same_tenant_is_the_same_job(tenant: str, key: str) -> None:
    assert job_id_of(tenant, key) == job_id_of(tenant, key)


@given(st.lists(st.tuples(NAMES, NAMES), unique=True, max_size=20))
def test_other_keys_or_tenants_are_other_jobs(named: list[tuple[str, str]]) -> None:
    assert len({job_id_of(tenant, key) for tenant, key in named}) == len(named)


def test_calls_differ_by_job_revision_and_number() -> None:
    calls = {generation_id_of(job, revision, n) for job in (JOB, ANOTHER_JOB) for revision in (1, 2) for n in range(10)}

    assert len(calls) == 40


def test_the_same_words_in_another_job_are_another_fact() -> None:
    assert event_id_of(JOB, "media.stored/1/0/final") != event_id_of(ANOTHER_JOB, "media.stored/1/0/final")


def test_jobs_spread_over_all_partitions() -> None:
    places = Counter(partition_of(str(job_id_of("dev", str(number))).encode()) for number in range(6_000))

    assert set(places) == set(range(PARTITIONS))
    assert max(places.values()) < 1.3 * min(places.values())
