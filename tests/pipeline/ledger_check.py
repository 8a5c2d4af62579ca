"""`darkroom ledger` and `darkroom offsets` beside the running system."""

from typing import Any
from uuid import UUID

from tests.pipeline.driver import Pipeline
from tests.pipeline.operator import Answer, darkroom

TOLD = (
    "LEDGER_DATABASE_URL", "UPLOADER_DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "DARKROOM_ADMIN_DATABASE_URL",
)  # fmt: skip


def told(pipeline: Pipeline) -> dict[str, str]:
    """What the operator's commands are told of the servers."""
    return {name: pipeline.stack.environ[name] for name in TOLD}


async def operate(pipeline: Pipeline, *words: str) -> Answer:
    """Run a command that may read all tables and the log."""
    return await darkroom(pipeline.stack, *words, **told(pipeline))


async def assert_the_ledger_is_what_the_log_says(pipeline: Pipeline) -> dict[str, Any]:
    """What `darkroom ledger check` said of equal tables."""
    answer = await operate(pipeline, "ledger", "check", "--json")
    assert answer.code == 0, answer.out + answer.err
    found: dict[str, Any] = answer.json
    assert found["equal"]
    assert found["digest_live"] == found["digest_rebuilt"]
    assert found["announced_again"] == 0
    return found


async def announced(pipeline: Pipeline) -> list[bytes]:
    """Every record of job.completed, copies included."""
    return sorted(record.value or b"" for record in await pipeline.records("job.completed"))


async def announcements_of(pipeline: Pipeline, ids: list[UUID]) -> dict[UUID, int]:
    """How often each of these jobs was announced."""
    keys = [record.key for record in await pipeline.records("job.completed")]
    return {job_id: keys.count(str(job_id).encode()) for job_id in ids}
