"""Where a log and a ledger do not belong together: nothing is compared, and nothing is changed."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from darkroom.local.stack import Stack
from ledger_service.rebuild import CannotRebuildError
from tests.integration.ledger_service.small_ledger import SmallLedger, all_sorts_of_jobs
from tests.pipeline.operator import darkroom

LEDGER = ("LEDGER_DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "DARKROOM_ADMIN_DATABASE_URL")


def told(servers: Stack, *without: str, **changed: str) -> dict[str, str]:
    """What an operator of the ledger is told."""
    return {name: servers.environ[name] for name in LEDGER if name not in without} | changed


async def test_a_schema_that_only_an_administrator_can_make_is_asked_for_and_made_once(servers: Stack) -> None:
    alone = await darkroom(servers, "ledger", "check", **told(servers, "DARKROOM_ADMIN_DATABASE_URL"))
    as_administrator = await darkroom(servers, "ledger", "check", "--json", **told(servers))
    from_then_on = await darkroom(servers, "ledger", "rebuild", **told(servers, "DARKROOM_ADMIN_DATABASE_URL"))

    assert (alone.code, "DARKROOM_ADMIN_DATABASE_URL is not set" in alone.err) == (2, True)
    assert (as_administrator.code, as_administrator.json["equal"], as_administrator.json["jobs"]) == (0, True, 0)
    assert (from_then_on.code, "exactly what the log says" in from_then_on.out) == (0, True)


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, 1, "Kafka does not answer"),
        ({"LEDGER_DATABASE_URL": "postgresql://ledger@127.0.0.1:1/darkroom"}, 1, "PostgreSQL cannot be reached"),
        ({"KAFKA_BOOTSTRAP_SERVERS": ""}, 2, "KAFKA_BOOTSTRAP_SERVERS is not set"),
        ({"LEDGER_DATABASE_URL": ""}, 2, "LEDGER_DATABASE_URL is not set"),
        ({"KAFKA_SECURITY_PROTOCOL": "TELEPATHY"}, 2, "a KAFKA_ setting is wrong"),
    ],
)
async def test_a_server_that_does_not_answer_or_is_not_named_is_said_in_one_line(
    servers: Stack, changed: dict[str, str], code: int, words: str
) -> None:
    answer = await darkroom(servers, "ledger", "check", **told(servers, **changed), DARKROOM_HOME="nowhere")

    assert (answer.code, words in answer.err) == (code, True)
    assert len(answer.err.splitlines()) == 1


async def test_an_empty_ledger_before_a_full_log_is_not_compared(servers: Stack) -> None:
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(7))
        await ledger.read()
        await ledger.relay()
        await ledger.pool.execute("TRUNCATE jobs, outputs, attempts, facts, offsets")

        answer = await darkroom(servers, "ledger", "check", **told(servers))

    assert (answer.code, answer.out) == (1, "")
    assert "the ledger is empty and the log is not: run `darkroom ledger rebuild`" in answer.err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("UPDATE offsets SET cluster_id = 'another'", "was read from cluster another"),
        ("UPDATE offsets SET next = 1000000 WHERE topic = 'media.stored'", "was read up to 1000000 but ends at"),
    ],
)
async def test_the_log_of_another_cluster_replaces_nothing(servers: Stack, spoil: str, words: str) -> None:
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(7))
        await ledger.read()
        before = await ledger.rows()
        await ledger.pool.execute(spoil)

        with pytest.raises(CannotRebuildError, match=words):
            await ledger.rebuild()

        assert await ledger.rows() == before


async def test_tables_of_another_release_are_left_as_they_are(servers: Stack) -> None:
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(7))
        await ledger.read()
        await ledger.pool.execute(
            "ALTER TABLE outputs ADD COLUMN mood text, ALTER COLUMN submitted_attempt TYPE bigint"
        )
        before = await ledger.rows()

        with pytest.raises(CannotRebuildError, match=r"another release: outputs\.mood, outputs\.submitted_attempt"):
            await ledger.rebuild()

        left = await ledger.pool.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'ledger_rebuild'")
        assert (await ledger.rows(), left) == (before, 0)
        await ledger.pool.execute("ALTER TABLE outputs DROP mood, ALTER submitted_attempt TYPE int")


async def test_an_index_or_a_constraint_that_the_swap_would_lose_is_named(servers: Stack) -> None:
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(7))
        await ledger.read()
        await ledger.pool.execute("CREATE INDEX by_hand ON jobs (completed_at)")
        await ledger.pool.execute("ALTER TABLE attempts ADD CONSTRAINT cheap CHECK (cost_units < 1000)")

        with pytest.raises(CannotRebuildError, match=r"another release: attempts\.cheap, jobs\.by_hand"):
            await ledger.rebuild()

        await ledger.pool.execute("DROP INDEX by_hand")
        await ledger.pool.execute("ALTER TABLE attempts DROP CONSTRAINT cheap")


# The last one: what was cut stays cut.
async def test_a_log_that_was_cut_replaces_nothing(servers: Stack) -> None:
    async with SmallLedger.open(servers) as ledger:
        await ledger.say(*all_sorts_of_jobs(70))
        await ledger.read()
        await ledger.relay()
        before = await ledger.rows()
        kafka = AIOKafkaAdminClient(bootstrap_servers=servers.environ["KAFKA_BOOTSTRAP_SERVERS"])
        await kafka.start()
        for topic in ("job.completed", "job.requested"):
            await kafka.delete_records({TopicPartition(topic, 3): RecordsToDelete(before_offset=1)})
            with pytest.raises(CannotRebuildError, match=rf"{topic}-3 begins at 1: the log is not whole"):
                await ledger.rebuild()
        await kafka.close()

        assert await ledger.rows() == before
