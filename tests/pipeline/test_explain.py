"""`darkroom explain` beside the running system: a held call, a paused tenant, and a store that is away."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.replicate.faults.answers import DropAnswer
from darkroom.simulators.replicate.faults.courses import Unlisted
from darkroom.simulators.replicate.faults.webhooks import WebhookLost
from tests.pipeline.driver import DEADLINE, Pipeline, until
from tests.pipeline.operator import Answer, darkroom, paused

TABLES = ("LEDGER_DATABASE_URL", "UPLOADER_DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")


async def explained(pipeline: Pipeline, job_id: UUID, *words: str) -> Answer:
    told = {name: pipeline.stack.environ[name] for name in TABLES}
    return await darkroom(pipeline.stack, "explain", str(job_id), *words, **told)


async def output_of(pipeline: Pipeline, job_id: UUID) -> dict[str, Any]:
    """What is said of the job's one output, where everything could be seen."""
    answer = await explained(pipeline, job_id, "--json")
    assert (answer.code, answer.json["unseen"]) == (0, {}), answer.err
    [output] = answer.json["outputs"]
    found: dict[str, Any] = output
    return found


async def held(pipeline: Pipeline, replicate: ReplicateSimulator, prompt: str) -> asyncpg.Record:
    """A call that was accepted, and that nobody could find."""
    about = {"prompt": prompt}
    faults = DropAnswer(nth=(1,), input=about), WebhookLost(input=about), Unlisted(seconds=3600, input=about)
    replicate.use(*faults)
    job_id = await pipeline.submit(model="black-forest-labs/flux-schnell", prompt=prompt)
    row = await pipeline.call_in("IN_DOUBT", job_id)
    await pipeline.admin.execute(
        "UPDATE generator.generations SET state = 'HELD', fence = fence + 1, due_at = now() + interval '1 day' "
        "WHERE id = $1",
        row["id"],
    )
    return row


@pytest.mark.usefixtures("local_servers_only")
async def test_a_held_call_a_paused_tenant_and_a_store_that_is_away_are_told_apart(
    pipeline: Pipeline, replicate: ReplicateSimulator
) -> None:
    prompt = f"a strongroom {uuid4()}"
    row = await held(pipeline, replicate, prompt)
    await pipeline.stack.stop("s3")
    try:
        away = await pipeline.submit()
        await until(lambda: refused(pipeline, away), DEADLINE, "the store to refuse")
        spooled = await output_of(pipeline, away)
    finally:
        await pipeline.stack.start("s3")
    async with paused(pipeline.stack, "tenant", "dev"):
        waits = await pipeline.submit()
        await pipeline.call_in("PENDING", waits)
        queued, people = await output_of(pipeline, waits), await explained(pipeline, waits)
    doubted, told = await output_of(pipeline, row["job_id"]), await explained(pipeline, row["job_id"])

    assert (doubted["stage"], doubted["attempt"]) == ("reconciling", 1)
    assert doubted["words"].startswith("held: ")
    assert doubted["moves"] == f"darkroom held adopt {row['id']} PROVIDER_ID, or darkroom held give-up {row['id']}"
    assert doubted["moves"] in told.out
    assert prompt not in told.out
    assert spooled["stage"] == "storing"
    assert spooled["words"].startswith("spooled on uploader-")
    assert (spooled["last_error"], spooled["next_try_at"] is None) == ("storage_failed", False)
    assert queued["words"].startswith("paused: tenant dev, since ")
    assert (queued["stage"], queued["moves"]) == ("queued", "darkroom resume tenant dev")
    assert "what moves it: darkroom resume tenant dev" in people.out
    await darkroom(pipeline.stack, "held", "give-up", str(row["id"]))
    ends = [(await pipeline.end_of(job_id))["status"] for job_id in (away, waits, row["job_id"])]
    assert ends == ["COMPLETED", "COMPLETED", "FAILED"]


async def refused(pipeline: Pipeline, job_id: UUID) -> bool:
    """Whether the output is fetched, was refused by the store, and is in nobody's hands."""
    count = await pipeline.admin.fetchval(
        "SELECT count(*) FROM uploader.uploads WHERE job_id = $1 AND store_attempts > 0 AND owner IS NULL", job_id
    )
    return bool(count)


async def test_a_job_that_is_done_says_how_it_ended(pipeline: Pipeline) -> None:
    stored = await pipeline.submit()
    failed = await pipeline.submit(model="fake/painter", input={"fail_outputs": [0]})
    for job_id in (stored, failed):
        await pipeline.end_of(job_id)

    assert (await output_of(pipeline, stored))["words"] == "it was stored"
    assert (await output_of(pipeline, failed))["words"] == "it ended as FAILED"


async def test_what_could_not_be_seen_is_said(pipeline: Pipeline) -> None:
    job_id = await pipeline.submit()
    await pipeline.end_of(job_id)

    alone = await darkroom(
        pipeline.stack, "explain", str(job_id), "--json", UPLOADER_DATABASE_URL="postgresql://x@127.0.0.1:1/x"
    )

    unseen = alone.json["unseen"]
    assert set(unseen) == {"the ledger's tables", "the uploader's tables", "where the log ends"}
    assert "LEDGER_DATABASE_URL is not set" in unseen["the ledger's tables"]
    assert "PostgreSQL cannot be reached" in unseen["the uploader's tables"]
    assert alone.json["outputs"][0]["words"] == "it was generated; what the uploader makes of it could not be seen"


async def test_a_job_that_nobody_knows_is_exit_code_1(pipeline: Pipeline) -> None:
    unknown = uuid4()

    answer = await explained(pipeline, unknown)

    assert (answer.code, f"nothing that could be seen knows job {unknown}" in answer.out) == (1, True)
