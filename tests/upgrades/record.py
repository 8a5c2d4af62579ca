"""Writes down what the services of this version have in their tables: `python -m tests.upgrades.record`, at a release.

Jobs of every fate are made on real servers, the services are killed, and each service's rows are written beside this
file, under the number of its newest migration. Later versions show with them that they understand what is there.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from darkroom.local.stack import Stack
from darkroom.simulators import ReplicateSimulator
from darkroom.simulators.faults import Fault
from darkroom.simulators.replicate.faults.answers import DropAnswer
from darkroom.simulators.replicate.faults.courses import Unlisted
from darkroom.simulators.replicate.faults.webhooks import WebhookLost
from darkroom.steps import WITH_TABLES
from schemas.clock import utc_now
from schemas.events import CancelRequested
from tests.conftest import QUICK
from tests.pipeline.driver import Pipeline, until
from tests.pipeline.operator import darkroom

RECORDED = Path(__file__).parent / "recorded"
FLUX = "black-forest-labs/flux-schnell"
PAINTER = "fake/painter"
HOUR = 3_600.0


async def main() -> None:
    """Make the jobs and write the rows."""
    with tempfile.TemporaryDirectory() as home:
        async with _running(Path(home)) as pipeline:
            await _finish_some(pipeline)
            await _leave_some(pipeline)
            for service in WITH_TABLES:
                await pipeline.stack.kill(service, revive=False)
            for service in WITH_TABLES:
                await _write(pipeline, service)


@asynccontextmanager
async def _running(home: Path) -> AsyncIterator[Pipeline]:
    async with ReplicateSimulator(picture_side=16, queue_seconds=0.05, run_seconds=HOUR) as replicate:
        replicate.use(*(fault for prompt in ("a vault", "a strongroom") for fault in _lost({"prompt": prompt})))
        environ = QUICK | {
            "REPLICATE_BASE_URL": replicate.url,
            "REPLICATE_WEBHOOK_SECRET": replicate.webhook_secret,
            "UPLOADER_ALLOWED_PRIVATE": replicate.url.removeprefix("http://"),
        }
        async with Stack(home, environ=environ) as stack, Pipeline.reach(stack) as pipeline:
            yield pipeline


def _lost(about: dict[str, Any]) -> Sequence[Fault]:
    """The call is accepted, and nothing says so."""
    return DropAnswer(nth=(1,), input=about), WebhookLost(input=about), Unlisted(seconds=HOUR, input=about)


async def _finish_some(pipeline: Pipeline) -> None:
    jobs = [
        await pipeline.submit(key="completed", num_outputs=2, seed=7, metadata={"user": "u1"}),
        await pipeline.submit(key="single calls", model=PAINTER, num_outputs=3, output_format="png"),
        await pipeline.submit(key="partial", model=PAINTER, num_outputs=3, input={"fail_outputs": [1]}),
        await pipeline.submit(key="failed", model=PAINTER, num_outputs=1, input={"fail_outputs": [0]}),
        await pipeline.submit(key="tried again", num_outputs=1, input={"fail_attempts": 2}),
        await pipeline.submit(key="sound", model="fake/tones", num_outputs=1),
    ]
    for job_id in jobs:
        await pipeline.end_of(job_id)


async def _leave_some(pipeline: Pipeline) -> None:
    """Jobs that wait for the store, for a brake, for an answer that was lost, for an operator, and for a provider."""
    await pipeline.stack.stop("s3")
    waiting = await pipeline.submit(key="not stored", num_outputs=2)
    await _there(pipeline, "SELECT count(*) = 2 FROM uploader.uploads WHERE job_id = $1", waiting)

    for name, prompt in (("in doubt", "a vault"), ("held", "a strongroom")):
        await pipeline.call_in("IN_DOUBT", await pipeline.submit(model=FLUX, key=name, prompt=prompt))
    await pipeline.call_in("SUBMITTED", await pipeline.submit(model=FLUX, key="running", prompt="a river"))

    assert (await darkroom(pipeline.stack, "pause", "model", PAINTER)).code == 0
    paused, cancelled = [await pipeline.submit(key=name, model=PAINTER) for name in ("paused", "cancelled")]
    for job_id in (paused, cancelled):
        await pipeline.call_in("PENDING", job_id)
    await pipeline.say(CancelRequested.say(cancelled, "dev", utc_now(), revision=1))
    await pipeline.end_of(cancelled)
    # The hours that a lost call is looked for are not waited for.
    await pipeline.admin.execute(
        "UPDATE generator.generations SET state = 'HELD', fence = fence + 1, due_at = now() + interval '1 day' "
        "WHERE state = 'IN_DOUBT' AND ask ->> 'prompt' = 'a strongroom'"
    )


async def _there(pipeline: Pipeline, question: str, job_id: UUID) -> None:
    async def there() -> bool:
        return bool(await pipeline.admin.fetchval(question, job_id))

    await until(there, 30, question)


async def _write(pipeline: Pipeline, service: str) -> None:
    tables = await pipeline.admin.fetch(
        """
        SELECT table_name AS name, string_agg(quote_ident(column_name), ', ' ORDER BY column_name) AS columns
        FROM information_schema.tables JOIN information_schema.columns USING (table_schema, table_name)
        WHERE table_schema = $1 AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'
            AND table_name <> 'alembic_version'
        GROUP BY table_name ORDER BY table_name
        """,
        service,
    )
    lines = []
    for table in tables:
        rows = await pipeline.admin.fetch(
            f"SELECT row_to_json(row) FROM (SELECT {table['columns']} FROM {service}.{table['name']}) AS row"
        )
        lines += sorted(json.dumps({table["name"]: json.loads(row[0])}, ensure_ascii=False) for row in rows)
    version = await pipeline.admin.fetchval(f"SELECT version_num FROM {service}.alembic_version")
    (RECORDED / f"{service}-{version}.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
